"""Where the money is, as of now: for the whole programme, and for one organization.

Goal: one figure, whoever asks; holds and carried-over amounts are what the next cycle would decide, by the same code.
Method: sums of postings and the domain's settlement of all open items, whatever their business date.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import orjson

from schemas.payee_state import PayeeState
from services.payout.bank.amount import amount_text
from services.payout.domain.order_state import PAYEE_STATE, OrderState
from services.payout.domain.settlement import CarriedOver, Held, Ordered, Result, settle
from services.payout.limits import LIST_ROWS_MAX
from services.payout.registry_view import RegistryView
from services.payout.use_cases.prepare_cycle import PAYABLE_ACCOUNTS, open_items, terms_of
from services.payout.use_cases.read_accounts import read_accounts
from services.payout.use_cases.read_cycles import read_orders

if TYPE_CHECKING:
    from services.runtime.database import Connection

SUMS: Final = """
    SELECT currency,
        coalesce(sum(amount_minor) FILTER (WHERE kind = 'premium'), 0)::bigint AS earned,
        coalesce(sum(amount_minor) FILTER (WHERE kind IN ('opened', 'corrected')), 0)::bigint AS corrected,
        coalesce(sum(amount_minor) FILTER (WHERE kind = 'exchanged'), 0)::bigint AS exchanged,
        coalesce(-sum(amount_minor) FILTER (WHERE kind = 'settled' AND purpose = 'in_transit'), 0)::bigint AS settled,
        coalesce(sum(amount_minor) FILTER (WHERE kind = 'returned' AND purpose = 'payable'), 0)::bigint AS returned,
        coalesce(sum(amount_minor) FILTER (WHERE purpose = 'payable'), 0)::bigint AS payable,
        coalesce(sum(amount_minor) FILTER (WHERE purpose = 'in_transit'), 0)::bigint AS in_transit
    FROM payout.posting WHERE $1::text IS NULL OR subject_id = $1 GROUP BY currency ORDER BY currency"""
COUNTS: Final = """
    SELECT (SELECT tree_size FROM payout.ledger_view) AS tree_size,
        (SELECT count(*) FROM payout.statement) AS statements,
        (SELECT count(*) FROM payout.quarantined_file) AS files_quarantined,
        (SELECT count(*) FROM payout.bank_file WHERE state = 'SENDING') AS files_sending,
        (SELECT count(*) FROM payout.booking AS b WHERE disposition = 'suspend'
           AND amount_minor > (SELECT coalesce(sum(c.amount_minor), 0) FROM payout.booking_clearing AS c
                               WHERE c.booking_key = b.booking_key)) AS bookings_suspended,
        (SELECT count(*) FROM payout.ledger_command AS c
         WHERE NOT EXISTS (SELECT FROM payout.command_outcome AS o WHERE o.command_id = c.command_id)) AS commands_open"""
ORDER_STATES: Final = "SELECT state, count(*) AS orders FROM payout.payout_order GROUP BY state ORDER BY state"
PAID: Final = """
    SELECT count(DISTINCT subject_id) FROM payout.payout_order WHERE state IN ('settled', 'returning', 'returned')"""
LATEST_OF_LOTS: Final = """
    SELECT DISTINCT ON (refiner_id, lot_id) leaf_index, leaf FROM payout.ledger_transaction
    WHERE subject_id = $1 AND lot_id IS NOT NULL AND kind = 'premium'
    ORDER BY refiner_id, lot_id, leaf_index DESC LIMIT $2"""
ITEM_STATES: Final = """
    SELECT i.refiner_id, i.lot_id, o.state FROM payout.open_item AS i
    LEFT JOIN payout.payout_order AS o USING (order_id)
    WHERE i.subject_id = $1 AND i.lot_id IS NOT NULL ORDER BY i.leaf_index, i.position"""
STATEMENTS: Final = """
    SELECT statement_id, subject_id AS organization_id, number, period_from, period_to, tree_size, language, json_sha256,
        pdf_sha256, issued_by, issued_at
    FROM payout.statement WHERE $1::text IS NULL OR subject_id = $1
    ORDER BY period_to DESC, subject_id LIMIT $2"""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the next cycle would decide about everything that is open now."""

    results: tuple[Result, ...]

    def held(self, organization_id: str | None = None) -> list[Held]:
        """What a hold keeps."""
        return [result for result in self._of(organization_id) if isinstance(result, Held)]

    def carried_over(self, organization_id: str | None = None) -> list[CarriedOver]:
        """What waits without anybody having to act."""
        return [result for result in self._of(organization_id) if isinstance(result, CarriedOver)]

    def ordered(self, organization_id: str | None = None) -> list[Ordered]:
        """What would be paid."""
        return [result for result in self._of(organization_id) if isinstance(result, Ordered)]

    def _of(self, organization_id: str | None) -> list[Result]:
        return [result for result in self.results if organization_id is None or result.payee.id == organization_id]


async def read_outlook(conn: Connection, registry: RegistryView) -> Outlook:
    """Settle all open items without writing anything."""
    accounts = await conn.fetch(PAYABLE_ACCOUNTS)
    return Outlook(tuple(settle(await open_items(conn), on=date.max, terms=terms_of(registry, accounts))))


async def read_summary(conn: Connection, registry: RegistryView) -> dict[str, Any]:
    """The programme's money in a few figures."""
    counts = await conn.fetchrow(COUNTS)
    assert counts is not None, "a SELECT without FROM has one row"
    programme = registry.programme
    return {
        "programme": None if programme is None else programme.model_dump(include={"id", "name", "synthetic"}),
        "registry_version": registry.version,
        **dict(counts),
        "organizations_paid": await conn.fetchval(PAID),
        "orders": {row["state"]: row["orders"] for row in await conn.fetch(ORDER_STATES)},
        "currencies": await _currencies(conn, await read_outlook(conn, registry), None),
    }


async def read_holds(conn: Connection, registry: RegistryView) -> list[dict[str, Any]]:
    """Every organization whose money a hold keeps, largest amount first."""
    held = (await read_outlook(conn, registry)).held()
    return [
        {
            "organization_id": result.payee.id,
            "name": None if (organization := registry.organization(result.payee.id)) is None else organization.name,
            "currency": result.payee.currency,
            "amount": amount_text(result.amount_minor, result.payee.currency),
            "code": result.code,
        }
        for result in sorted(held, key=lambda result: (-result.amount_minor, result.payee.id))
    ]


async def read_organization(conn: Connection, registry: RegistryView, organization_id: str) -> dict[str, Any] | None:
    """What one organization earned, was paid and still has to get, lot by lot; None if the registry does not know it."""
    organization = registry.organization(organization_id)
    if organization is None:
        return None
    outlook = await read_outlook(conn, registry)
    return {
        "organization": organization.model_dump(mode="json", include={"id", "name", "country", "kind", "beneficiaries"}),
        "currencies": await _currencies(conn, outlook, organization_id),
        "accounts": await read_accounts(conn, organization_id=organization_id),
        "lots": await _lots(conn, organization_id, on_hold=bool(outlook.held(organization_id))),
        "payouts": await read_orders(conn, organization_id=organization_id),
        "statements": await read_statements(conn, organization_id),
    }


async def read_statements(conn: Connection, organization_id: str | None = None) -> list[dict[str, Any]]:
    """Statements that were issued, newest period first."""
    return [dict(row) for row in await conn.fetch(STATEMENTS, organization_id, LIST_ROWS_MAX)]


async def _currencies(conn: Connection, outlook: Outlook, organization_id: str | None) -> dict[str, Any]:
    currencies: dict[str, Any] = {}
    for row in await conn.fetch(SUMS, organization_id):
        currency = row["currency"]
        held: defaultdict[str, int] = defaultdict(int)
        carried: defaultdict[str, int] = defaultdict(int)
        for hold in outlook.held(organization_id):
            if hold.payee.currency == currency:
                held[hold.code] += hold.amount_minor
        for carry in outlook.carried_over(organization_id):
            if carry.payee.currency == currency:
                carried[carry.code] += carry.amount_minor
        due_minor = sum(result.amount_minor for result in outlook.ordered(organization_id) if result.payee.currency == currency)
        currencies[currency] = {
            "earned": amount_text(row["earned"], currency),
            "corrected": amount_text(row["corrected"], currency),
            "exchanged": amount_text(row["exchanged"], currency),
            "transferred": amount_text(row["settled"] - row["returned"], currency),
            "returned": amount_text(row["returned"], currency),
            "payable": amount_text(row["payable"], currency),
            "in_transit": amount_text(row["in_transit"], currency),
            "next_cycle": amount_text(due_minor, currency),
            "held": {code: amount_text(amount, currency) for code, amount in sorted(held.items())},
            "carried_over": {code: amount_text(amount, currency) for code, amount in sorted(carried.items())},
        }
    return currencies


async def _lots(conn: Connection, organization_id: str, *, on_hold: bool) -> list[dict[str, Any]]:
    states: dict[tuple[str, str], PayeeState] = {}
    for row in await conn.fetch(ITEM_STATES, organization_id):
        state = PayeeState.ON_HOLD if on_hold else PayeeState.CALCULATED
        if row["state"] is not None:
            state = PAYEE_STATE[OrderState(row["state"])]
        # The newest item speaks for the lot: what came last is what its holder waits for.
        states[row["refiner_id"], row["lot_id"]] = state
    lots: list[dict[str, Any]] = []
    for row in await conn.fetch(LATEST_OF_LOTS, organization_id, LIST_ROWS_MAX):
        leaf = orjson.loads(row["leaf"])
        cause = leaf["cause"]
        lots.append(
            {
                "refiner_id": cause["refiner_id"],
                "lot_id": cause["lot_id"],
                "revision": cause["revision"],
                "stage": cause["stage"],
                "sold_on": cause["sold_on"],
                "fine_weight_g": None if leaf["gold"] is None else leaf["gold"]["fine_weight_g"],
                "premiums": [
                    {name: line[name] for name in ("scheme_id", "payer_id", "role", "currency", "amount", "eligible", "reason")}
                    for line in leaf["lines"]
                ],
                "state": states.get((cause["refiner_id"], cause["lot_id"])),
                "leaf_index": row["leaf_index"],
            }
        )
    return lots
