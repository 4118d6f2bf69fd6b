"""Read what a statement is made of, inside one snapshot of the database.

Method: transactions are those that took effect by the end of the period, lie in the tree, and stood in no earlier statement;
sums, items and steps of orders are of all that took effect by then and lie in the tree.
Refuses: PERIOD_CLOSED.
Source: design, section 7.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.payout.domain.closing import ItemKey, Taking, closing_states
from services.payout.domain.settlement import OpenItem, Payee
from services.payout.errors import RefusalCode, Refused
from services.payout.registry_view import RegistryView
from services.payout.statement.facts import NOTHING_YET, Facts, Order, Past, StatementOf
from services.payout.use_cases.prepare_cycle import PAYABLE_ACCOUNTS, terms_of

if TYPE_CHECKING:
    from asyncpg import Record

    from services.runtime.database import Connection

LAST_STATEMENT: Final = """
    SELECT statement_id, number, period_to, tree_size FROM payout.statement
    WHERE subject_kind = $1 AND subject_id = $2 ORDER BY number DESC LIMIT 1"""
LAST_BALANCES: Final = "SELECT currency, closing_minor FROM payout.statement_balance WHERE statement_id = $1"
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
class IssuedBefore:
    """The statement of this period was issued; it never changes."""

    statement_id: UUID


async def read_past(conn: Connection, asked: StatementOf) -> Past | IssuedBefore | Refused:
    """What earlier statements covered, unless the period is one of theirs."""
    last = await conn.fetchrow(LAST_STATEMENT, asked.subject_kind, asked.subject_id)
    if last is None:
        return NOTHING_YET
    if last["period_to"] == asked.period_to:
        return IssuedBefore(last["statement_id"])
    if last["period_to"] >= asked.period_from:
        message = f"{asked.subject_id} has a statement up to {last['period_to']}: take a period that begins after it"
        return Refused(RefusalCode.PERIOD_CLOSED, message)
    balances = await conn.fetch(LAST_BALANCES, last["statement_id"])
    closing_minor = {row["currency"]: row["closing_minor"] for row in balances}
    return Past(last["number"], last["period_to"], last["tree_size"], closing_minor)


async def read_facts(conn: Connection, asked: StatementOf, past: Past, registry: RegistryView) -> Facts:
    """Everything that the statement says."""
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
    return Facts(
        past=past,
        transactions=await conn.fetch(NEW_TRANSACTIONS, *until, past.tree_size, past.period_to),
        settled_lots=frozenset((row["refiner_id"], row["lot_id"]) for row in settled_lots),
        sums={row["currency"]: row for row in await conn.fetch(SUMS, *until, year_from)},
        gold_of_year_mg=await conn.fetchval(GOLD_OF_YEAR, *until, year_from),
        items=items,
        orders=orders,
        closing=closing,
    )


async def _orders(conn: Connection, asked: StatementOf) -> list[Order]:
    subject = (asked.subject_kind, asked.subject_id)
    steps: defaultdict[UUID, dict[str, Record]] = defaultdict(dict)
    for row in await conn.fetch(ORDER_STEPS, *subject, asked.tree_size, asked.period_to):
        steps[row["order_id"]][row["kind"]] = row
    items: defaultdict[UUID, set[ItemKey]] = defaultdict(set)
    for row in await conn.fetch(ORDER_ITEMS, *subject):
        items[row["order_id"]].add((row["leaf_index"], row["position"]))
    return [Order(row, steps[row["order_id"]], frozenset(items[row["order_id"]])) for row in await conn.fetch(ORDERS, *subject)]
