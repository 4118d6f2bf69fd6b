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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from pydantic import ValidationError

from schemas.contract import first_fault
from schemas.fixed_point import fixed_text
from schemas.ledger_transaction import EntitlementCause, LedgerTransaction, PremiumLine
from schemas.ledger_words import Purpose, TransactionKind
from schemas.payee_state import PayeeState
from schemas.statement import CorrectionEntry, CountsAs, ExchangedEntry, Statement, statement_number
from services.payout.adapters.ledger_topic import ledger_amount_minor
from services.payout.bank.amount import amount_text
from services.payout.domain.closing import Closing, ClosingStates, ItemKey, OrderProgress, Taking, closing_states
from services.payout.domain.settlement import OpenItem, Payee
from services.payout.errors import RefusalCode, Refused
from services.payout.registry_view import RegistryView
from services.payout.statement.balance_entries import correction_entries, exchange_entries
from services.payout.statement.posting import statement_posting
from services.payout.use_cases.prepare_cycle import PAYABLE_ACCOUNTS, terms_of

if TYPE_CHECKING:
    from asyncpg import Record

    from services.runtime.database import Connection

DEFAULT_LANGUAGE: Final = "es"
MILLIGRAM_DIGITS: Final = 3
LAST_STATEMENT: Final = """
    SELECT statement_id, number, period_to, tree_size FROM payout.statement
    WHERE subject_kind = $1 AND subject_id = $2 ORDER BY number DESC LIMIT 1"""
LAST_BALANCES: Final = "SELECT currency, closing_minor FROM payout.statement_balance WHERE statement_id = $1"
BEYOND_THE_TREE: Final = """
    SELECT EXISTS (SELECT FROM payout.ledger_transaction WHERE subject_kind = $1 AND subject_id = $2 AND leaf_index >= $3)"""
NEW_TRANSACTIONS: Final = """
    SELECT leaf_index, kind, effective_on, command_id, leaf FROM payout.ledger_transaction
    WHERE subject_kind = $1 AND subject_id = $2 AND leaf_index < $3 AND effective_on <= $4
      AND NOT (leaf_index < $5 AND effective_on <= $6)
    ORDER BY leaf_index"""
SETTLED_LOTS: Final = """
    SELECT DISTINCT refiner_id, lot_id FROM payout.ledger_transaction
    WHERE subject_kind = $1 AND subject_id = $2 AND kind = 'premium' AND stage IN ('final', 'umpire')
      AND leaf_index < $3 AND effective_on <= $4"""
SUMS: Final = """
    SELECT currency,
        sum(amount_minor) FILTER (WHERE purpose = 'payable')::bigint AS payable,
        sum(amount_minor) FILTER (WHERE purpose = 'in_transit')::bigint AS in_transit,
        sum(amount_minor) FILTER (WHERE kind = 'premium' AND effective_on >= $5)::bigint AS premiums_of_year,
        -sum(amount_minor) FILTER (
            WHERE effective_on >= $5
              AND ((kind = 'settled' AND purpose = 'in_transit') OR (kind = 'returned' AND purpose = 'payable'))
        )::bigint AS transferred_of_year
    FROM payout.posting WHERE subject_kind = $1 AND subject_id = $2 AND leaf_index < $3 AND effective_on <= $4
    GROUP BY currency ORDER BY currency"""
GOLD_OF_YEAR: Final = """
    SELECT coalesce(sum(gold_mg), 0)::bigint FROM payout.ledger_transaction
    WHERE subject_kind = $1 AND subject_id = $2 AND leaf_index < $3 AND effective_on <= $4 AND effective_on >= $5"""
ITEMS: Final = """
    SELECT leaf_index, position, currency, scheme_id, payer_id, role, lot_id, amount_minor, effective_on FROM payout.open_item
    WHERE subject_kind = $1 AND subject_id = $2 AND leaf_index < $3 AND effective_on <= $4"""
ORDERS: Final = """
    SELECT o.order_id, t.end_to_end_id, a.last_four, a.details ->> 'bank_name' AS bank_name, f.executes_on,
        (SELECT b.return_reason FROM payout.booking AS b
         WHERE b.order_id = o.order_id AND b.disposition = 'return') AS return_reason
    FROM payout.payout_order AS o
    JOIN payout.cycle AS c USING (cycle_id)
    JOIN payout.account AS a USING (account_id)
    JOIN payout.attempt AS t ON t.order_id = o.order_id AND t.number = 1
    LEFT JOIN payout.bank_file AS f USING (file_id)
    WHERE o.subject_kind = $1 AND o.subject_id = $2
    ORDER BY c.settles_on, c.number"""
# What the ledger did with each order until the end of the period.
ORDER_STEPS: Final = """
    SELECT t.order_id, x.command_id, x.kind, x.effective_on, x.leaf_index
    FROM payout.attempt AS t
    JOIN payout.payout_order AS o USING (order_id)
    JOIN payout.ledger_transaction AS x ON x.reservation_id = t.attempt_id
    WHERE o.subject_kind = $1 AND o.subject_id = $2 AND x.leaf_index < $3 AND x.effective_on <= $4"""
ORDER_ITEMS: Final = """
    SELECT i.order_id, i.leaf_index, i.position FROM payout.order_item AS i JOIN payout.payout_order AS o USING (order_id)
    WHERE o.subject_kind = $1 AND o.subject_id = $2"""


@dataclass(frozen=True, slots=True)
class StatementOf:
    """What is asked for: whose statement, of which days (both included), issued on which business day, at which tree size."""

    subject_kind: str
    subject_id: str
    period_from: date
    period_to: date
    issued_on: date
    tree_size: int


@dataclass(frozen=True, slots=True)
class IssuedBefore:
    """The statement of this period was issued; it never changes."""

    statement_id: UUID


@dataclass(frozen=True, slots=True)
class Composed:
    """A statement that may be issued."""

    asked: StatementOf
    statement: Statement


@dataclass(frozen=True, slots=True)
class _Past:
    """What earlier statements covered: leaves below `tree_size` that took effect by `period_to`; nothing before the first."""

    number: int
    period_to: date
    tree_size: int
    closing_minor: Mapping[str, int]


_NOTHING_YET: Final = _Past(0, date.min, 0, {})


@dataclass(frozen=True, slots=True)
class _Order:
    """An order and what the ledger did with it by the period's end, by kind of transaction."""

    row: Record
    steps: Mapping[str, Record]
    items: frozenset[ItemKey]

    def progress(self, period_to: date) -> OrderProgress:
        """How far it was."""
        if TransactionKind.RETURNED in self.steps:
            return OrderProgress.RETURNED
        if TransactionKind.SETTLED in self.steps:
            return OrderProgress.TRANSFERRED
        if TransactionKind.VOIDED in self.steps:
            return OrderProgress.VOIDED
        if TransactionKind.RESERVED not in self.steps:
            return OrderProgress.NOT_YET
        executes_on = self.row["executes_on"]
        return OrderProgress.SENT if executes_on is not None and executes_on <= period_to else OrderProgress.SCHEDULED


@dataclass(frozen=True, slots=True)
class _Facts:
    """Everything that the statement says, as it was read; amounts in minor units."""

    past: _Past
    transactions: Sequence[Record]
    settled_lots: frozenset[tuple[str, str]]
    sums: Mapping[str, Record]
    gold_of_year_mg: int
    items: Sequence[Record]
    orders: Sequence[_Order]
    closing: ClosingStates


async def compose_statement(conn: Connection, asked: StatementOf, registry: RegistryView) -> Composed | IssuedBefore | Refused:
    """Compose inside one snapshot of the database."""
    subject = (asked.subject_kind, asked.subject_id)
    past = await _past(conn, asked)
    if isinstance(past, IssuedBefore | Refused):
        return past
    if await conn.fetchval(BEYOND_THE_TREE, *subject, asked.tree_size):
        message = f"transactions of {asked.subject_id} lie beyond a gap of the ledger's log: try again in a moment"
        return Refused(RefusalCode.VIEW_INCOMPLETE, message)
    facts = await _facts(conn, asked, past, registry)
    return _composed(asked, facts, registry)


async def _past(conn: Connection, asked: StatementOf) -> _Past | IssuedBefore | Refused:
    last = await conn.fetchrow(LAST_STATEMENT, asked.subject_kind, asked.subject_id)
    if last is None:
        return _NOTHING_YET
    if last["period_to"] == asked.period_to:
        return IssuedBefore(last["statement_id"])
    if last["period_to"] >= asked.period_from:
        message = f"{asked.subject_id} has a statement up to {last['period_to']}: take a period that begins after it"
        return Refused(RefusalCode.PERIOD_CLOSED, message)
    balances = await conn.fetch(LAST_BALANCES, last["statement_id"])
    closing_minor = {row["currency"]: row["closing_minor"] for row in balances}
    return _Past(last["number"], last["period_to"], last["tree_size"], closing_minor)


async def _facts(conn: Connection, asked: StatementOf, past: _Past, registry: RegistryView) -> _Facts:
    subject = (asked.subject_kind, asked.subject_id)
    until = (*subject, asked.tree_size, asked.period_to)
    year_from = date(asked.period_to.year, 1, 1)
    items = await conn.fetch(ITEMS, *until)
    orders = await _orders(conn, asked)
    payees = {row["currency"]: Payee(*subject, row["currency"]) for row in items}
    closing = closing_states(
        [
            OpenItem(
                key=(row["leaf_index"], row["position"]),
                payee=payees[row["currency"]],
                scheme_id=row["scheme_id"],
                payer_id=row["payer_id"],
                amount_minor=row["amount_minor"],
                effective_on=row["effective_on"],
            )
            for row in items
        ],
        [Taking(order.progress(asked.period_to), order.items) for order in orders],
        on=asked.period_to,
        terms=terms_of(registry, await conn.fetch(PAYABLE_ACCOUNTS)),
    )
    settled_lots = await conn.fetch(SETTLED_LOTS, *subject, past.tree_size, past.period_to)
    return _Facts(
        past=past,
        transactions=await conn.fetch(NEW_TRANSACTIONS, *until, past.tree_size, past.period_to),
        settled_lots=frozenset((row["refiner_id"], row["lot_id"]) for row in settled_lots),
        sums={row["currency"]: row for row in await conn.fetch(SUMS, *until, year_from)},
        gold_of_year_mg=await conn.fetchval(GOLD_OF_YEAR, *until, year_from),
        items=items,
        orders=orders,
        closing=closing,
    )


async def _orders(conn: Connection, asked: StatementOf) -> list[_Order]:
    subject = (asked.subject_kind, asked.subject_id)
    steps: defaultdict[UUID, dict[str, Record]] = defaultdict(dict)
    for row in await conn.fetch(ORDER_STEPS, *subject, asked.tree_size, asked.period_to):
        steps[row["order_id"]][row["kind"]] = row
    items: defaultdict[UUID, set[ItemKey]] = defaultdict(set)
    for row in await conn.fetch(ORDER_ITEMS, *subject):
        items[row["order_id"]].add((row["leaf_index"], row["position"]))
    return [
        _Order(row, steps[row["order_id"]], frozenset(items[row["order_id"]])) for row in await conn.fetch(ORDERS, *subject)
    ]


def _composed(asked: StatementOf, facts: _Facts, registry: RegistryView) -> Composed | Refused:
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
        "balances": _balances(facts, postings, registry),
    }
    try:
        return Composed(asked, Statement.model_validate(document))
    except ValidationError as error:
        fault = first_fault(error)
        return Refused(RefusalCode.STATEMENT_OUT_OF_BALANCE, f"{asked.subject_id}: {fault.field}: {fault.message}")


# --- postings ---------------------------------------------------------------------------------------------------------


def _postings(facts: _Facts) -> list[dict[str, Any]]:
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


# --- money ------------------------------------------------------------------------------------------------------------


def _balances(facts: _Facts, postings: Sequence[Mapping[str, Any]], registry: RegistryView) -> list[dict[str, Any]]:
    currencies = sorted(
        {*facts.sums, *facts.past.closing_minor} | {line["currency"] for posting in postings for line in posting["lines"]}
    )
    debtor = registry.debtor_account()
    if not currencies and debtor is not None:
        currencies = [debtor.currency]  # a statement of nothing is issued too, and says so in a currency
    return [_balance(facts, postings, currency, registry) for currency in currencies]


def _balance(facts: _Facts, postings: Sequence[Mapping[str, Any]], currency: str, registry: RegistryView) -> dict[str, Any]:
    def money(amount_minor: int) -> str:
        return amount_text(amount_minor, currency)

    posted = {"premium": 0, "adjustment": 0}
    for posting in postings:
        for line in posting["lines"]:
            if line["currency"] == currency:
                posted[line["counts_as"]] += ledger_amount_minor(line["posted"], currency)
    transfers, returns = _movements(facts, currency)
    transferred_minor = sum(ledger_amount_minor(entry["amount"], currency) for entry in transfers)
    returned_minor = sum(ledger_amount_minor(entry["amount"], currency) for entry in returns)
    corrections, exchanges = _decided(facts, currency)
    posted["adjustment"] += sum(ledger_amount_minor(entry.amount, currency) for entry in corrections)
    exchanged_minor = sum(ledger_amount_minor(entry.amount, currency) for entry in exchanges)
    opening_minor = facts.past.closing_minor.get(currency, 0)
    closing_minor = opening_minor + sum(posted.values()) + exchanged_minor - transferred_minor + returned_minor
    sums = facts.sums.get(currency)
    nothing = Closing(0, 0, 0, 0, 0, ())
    closing = facts.closing.by_currency.get(currency, nothing)
    minimum_minor = registry.minimum_minor().get(currency)
    return {
        "currency": currency,
        "opening": money(opening_minor),
        "premiums": money(posted["premium"]),
        "adjustments": money(posted["adjustment"]),
        "deducted": money(0),
        "transferred": money(transferred_minor),
        "returned": money(returned_minor),
        "closing": money(closing_minor),
        "breakdown": {
            "available": money(closing.available_minor),
            "on_hold": money(closing.on_hold_minor),
            "carried_over": money(closing.carried_over_minor),
            "scheduled": money(closing.scheduled_minor),
            "in_transit": money(closing.in_transit_minor),
        },
        # What the ledger posted, summed by itself: the contract compares it with what the entries above make.
        "ledger_payable": money(_sum_of(sums, "payable")),
        "ledger_in_transit": money(_sum_of(sums, "in_transit")),
        "premiums_year_to_date": money(_sum_of(sums, "premiums_of_year")),
        "transferred_year_to_date": money(_sum_of(sums, "transferred_of_year")),
        "minimum_payout": None if minimum_minor is None else money(minimum_minor),
        "exchanged": money(exchanged_minor) if exchanges else None,
        "corrections": [entry.model_dump() for entry in corrections],
        "exchanges": [entry.model_dump() for entry in exchanges],
        "transfers": transfers,
        "returns": returns,
        "holds": [
            {
                "code": hold.code,
                "amount": money(hold.amount_minor),
                "lot_ids": _lots_of(facts, hold.items),
            }
            for hold in closing.holds
        ],
    }


def _decided(facts: _Facts, currency: str) -> tuple[list[CorrectionEntry], list[ExchangedEntry]]:
    """Opening balances and corrections of the period in one currency, and exchanges into it or out of it."""
    corrections: list[CorrectionEntry] = []
    exchanges: list[ExchangedEntry] = []
    for row in facts.transactions:
        if row["kind"] in {TransactionKind.OPENED, TransactionKind.CORRECTED}:
            corrections += correction_entries(LedgerTransaction.model_validate_json(row["leaf"]), currency)
        elif row["kind"] == TransactionKind.EXCHANGED:
            exchanges += exchange_entries(LedgerTransaction.model_validate_json(row["leaf"]), currency)
    return corrections, exchanges


def _movements(facts: _Facts, currency: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Payments of the period in one currency that left the bank, and those that came back, in the order of the ledger."""
    by_command = {step["command_id"]: order for order in facts.orders for step in order.steps.values()}
    transfers: list[dict[str, Any]] = []
    returns: list[dict[str, Any]] = []
    for row in facts.transactions:
        if row["kind"] not in {TransactionKind.SETTLED, TransactionKind.RETURNED}:
            continue
        leaf = LedgerTransaction.model_validate_json(row["leaf"])
        if any(transfer.unit != currency for transfer in leaf.transfers):
            continue
        order = by_command[row["command_id"]]
        entry = {
            "on": leaf.effective_on,
            "amount": amount_text(sum(transfer.amount_minor for transfer in leaf.transfers), currency),
            "leaf_index": leaf.leaf_index,
            "order_id": order.row["order_id"],
            "end_to_end_id": order.row["end_to_end_id"],
            "account_last_four": order.row["last_four"],
        }
        if row["kind"] == TransactionKind.SETTLED:
            transfers.append({**entry, "bank_name": order.row["bank_name"]})
        else:
            kept_minor = sum(t.amount_minor for t in leaf.transfers if t.debit.purpose is Purpose.CHARGES)
            returns.append(
                {
                    **entry,
                    "charges": amount_text(kept_minor, currency),
                    "transferred_on": order.steps[TransactionKind.SETTLED]["effective_on"],
                    "reason_code": order.row["return_reason"],
                    "paid_again_on": _paid_again_on(facts.orders, order),
                }
            )
    return transfers, returns


def _paid_again_on(orders: Sequence[_Order], returned: _Order) -> date | None:
    """When a later order with any of the same items left the bank, and stayed away."""
    came_back = returned.steps[TransactionKind.RETURNED]["leaf_index"]
    days: list[date] = [
        order.steps[TransactionKind.SETTLED]["effective_on"]
        for order in orders
        if order.items & returned.items
        and TransactionKind.SETTLED in order.steps
        and TransactionKind.RETURNED not in order.steps
        and order.steps[TransactionKind.SETTLED]["leaf_index"] > came_back
    ]
    return min(days) if days else None


def _lots_of(facts: _Facts, keys: Iterable[ItemKey]) -> list[str]:
    wanted = set(keys)
    items = (row for row in facts.items if (row["leaf_index"], row["position"]) in wanted)
    return sorted({row["lot_id"] for row in items if row["lot_id"] is not None})


def _sum_of(sums: Record | None, name: str) -> int:
    return 0 if sums is None or sums[name] is None else int(sums[name])
