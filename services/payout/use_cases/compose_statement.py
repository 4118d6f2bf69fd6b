"""Compose one organization's statement of a period from what payout holds.

Goal: a statement that redoes: opening + premiums ± adjustments ± exchanged - deducted - transferred + returned = closing, which
is what the ledger has as payable and in transit for everything up to the period's end.
Method: a statement is made at a tree size. It contains what took effect by the end of its period, lies in that tree, and stood
in no earlier statement; so a posting belongs to the later of its own period and the first one that was still open. The closing
balance is computed twice: from the statement's own entries, and as the sum of all postings; the contract refuses a difference.
Refuses: PERIOD_INVALID, PERIOD_CLOSED, VIEW_INCOMPLETE (the log has a gap before a leaf of this payee),
STATEMENT_OUT_OF_BALANCE, ORGANIZATION_UNKNOWN, SCHEME_UNKNOWN.
Source: design, section 7 and invariant 9; schemas/statement.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from schemas.contract import first_fault
from schemas.fixed_point import fixed_text
from schemas.ledger_transaction import EntitlementCause, LedgerTransaction, PremiumLine
from schemas.ledger_words import TransactionKind
from schemas.payee_state import PayeeState
from schemas.statement import CountsAs, Statement, statement_number
from services.payout.errors import RefusalCode, Refused
from services.payout.registry_view import RegistryView
from services.payout.statement.balances import balances
from services.payout.statement.facts import Facts, StatementOf
from services.payout.statement.posting import statement_posting
from services.payout.use_cases.read_statement_facts import IssuedBefore, read_facts, read_past

if TYPE_CHECKING:
    from services.runtime.database import Connection

DEFAULT_LANGUAGE: Final = "es"
MILLIGRAM_DIGITS: Final = 3
BEYOND_THE_TREE: Final = """
    SELECT EXISTS (SELECT FROM payout.ledger_transaction WHERE subject_kind = $1 AND subject_id = $2 AND leaf_index >= $3)"""


@dataclass(frozen=True, slots=True)
class Composed:
    """A statement that may be issued."""

    asked: StatementOf
    statement: Statement


async def compose_statement(conn: Connection, asked: StatementOf, registry: RegistryView) -> Composed | IssuedBefore | Refused:
    """Compose inside one snapshot of the database."""
    subject = (asked.subject_kind, asked.subject_id)
    past = await read_past(conn, asked)
    if isinstance(past, IssuedBefore | Refused):
        return past
    if await conn.fetchval(BEYOND_THE_TREE, *subject, asked.tree_size):
        message = f"transactions of {asked.subject_id} lie beyond a gap of the ledger's log: try again in a moment"
        return Refused(RefusalCode.VIEW_INCOMPLETE, message)
    facts = await read_facts(conn, asked, past, registry)
    return _composed(asked, facts, registry)


def _composed(asked: StatementOf, facts: Facts, registry: RegistryView) -> Composed | Refused:
    programme, organization = registry.programme, registry.organization(asked.subject_id)
    if programme is None or organization is None:
        return Refused(RefusalCode.ORGANIZATION_UNKNOWN, f"the registry has no organization {asked.subject_id}")
    private = registry.private(asked.subject_id)
    postings = _postings(facts)
    schemes = _schemes(postings, asked, registry)
    if isinstance(schemes, Refused):
        return schemes
    language = (organization.language or DEFAULT_LANGUAGE).partition("_")[0]
    number = facts.past.number + 1
    document = {
        "statement_number": statement_number(number, asked.period_from, asked.period_to),
        "number": number,
        "payee": {
            "kind": asked.subject_kind,
            "id": asked.subject_id,
            "name": organization.name,
            "country": organization.country,
            "town": None if private.address is None else private.address.town,
            "tax_id": None if private.tax_id is None else private.tax_id.model_dump(),
        },
        "programme": {
            "id": programme.id,
            "name": programme.name,
            "synthetic": programme.synthetic,
            "complaints": next((contact.model_dump() for contact in registry.private(programme.id).contacts), None),
        },
        "locale": f"{language}_{organization.country}",
        "period_from": asked.period_from,
        "period_to": asked.period_to,
        "issued_on": asked.issued_on,
        "tree_size": asked.tree_size,
        "year": asked.period_to.year,
        "fine_weight_year_to_date_g": fixed_text(facts.gold_of_year_mg, MILLIGRAM_DIGITS),
        "schemes": schemes,
        "postings": postings,
        "balances": balances(facts, postings, registry),
    }
    try:
        return Composed(asked, Statement.model_validate(document))
    except ValidationError as error:
        fault = first_fault(error)
        return Refused(RefusalCode.STATEMENT_OUT_OF_BALANCE, f"{asked.subject_id}: {fault.field}: {fault.message}")


# --- postings ---------------------------------------------------------------------------------------------------------


def _postings(facts: Facts) -> list[dict[str, Any]]:
    states: defaultdict[tuple[int, str, str, str], list[PayeeState]] = defaultdict(list)
    for row in facts.items:
        key = (row["leaf_index"], row["scheme_id"], row["payer_id"], row["role"])
        states[key].append(facts.closing.states[row["leaf_index"], row["position"]])
    settled = set(facts.settled_lots)
    postings: list[dict[str, Any]] = []
    for row in facts.transactions:
        if row["kind"] != TransactionKind.PREMIUM:
            continue
        leaf = LedgerTransaction.model_validate_json(row["leaf"])
        cause = leaf.cause
        assert isinstance(cause, EntitlementCause), "a premium's cause is an entitlement"
        counted_as: CountsAs = "adjustment" if (cause.refiner_id, cause.lot_id) in settled else "premium"

        def state_of(line: PremiumLine, leaf: LedgerTransaction = leaf) -> PayeeState | None:
            told = states[leaf.leaf_index, line.scheme_id, line.payer_id, line.role]
            return told[0] if told else None

        postings.append(statement_posting(leaf, counted_as=counted_as, state_of=state_of).model_dump())
    return postings


def _schemes(
    postings: Sequence[Mapping[str, Any]], asked: StatementOf, registry: RegistryView
) -> list[dict[str, Any]] | Refused:
    organization = registry.organization(asked.subject_id)
    assert organization is not None, "checked by the caller"
    named = sorted(
        {
            (line["scheme_id"], line["scheme_version"])
            for posting in postings
            for line in posting["lines"]
            if line["scheme_version"] is not None
        }
    )
    terms: list[dict[str, Any]] = []
    for scheme_id, version in named:
        scheme = registry.scheme(scheme_id, version)
        if scheme is None:
            return Refused(
                RefusalCode.SCHEME_UNKNOWN, f"the registry no longer has scheme {scheme_id}@{version}: apply one that has"
            )
        fund_id = organization.community_fund_id
        fund = None if fund_id is None or scheme.split.community_fund is None else registry.organization(fund_id)
        held = [row for row in organization.statuses if row.scheme == scheme_id and row.contains(asked.period_to)]
        terms.append(
            {
                "scheme_id": scheme_id,
                "scheme_version": version,
                "name": scheme.name,
                "currency": scheme.currency,
                "rate": scheme.rate.model_dump(),
                "floor_min_share_of_benchmark": None if scheme.floor is None else scheme.floor.min_share_of_benchmark,
                "provisional_share": scheme.provisional_share,
                "community_fund_share": scheme.split.community_fund,
                "community_fund_name": None if fund is None else fund.name,
                "status": held[0].status if held else None,
                "status_since": held[0].starts_on if held else None,
            }
        )
    return terms
