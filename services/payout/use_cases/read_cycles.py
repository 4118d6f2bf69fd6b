"""What the settlement cycles decided, and where their orders are: for people and for the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from services.payout.bank.amount import amount_text
from services.payout.domain.order_state import FINAL, PAYEE_STATE, OrderState
from services.payout.limits import LIST_ROWS_MAX

if TYPE_CHECKING:
    from asyncpg import Record

    from services.runtime.database import Connection

CYCLES: Final = """
    SELECT c.cycle_id, c.settles_on, c.number, c.state, c.prepared_by, c.prepared_at, c.tree_size, c.registry_version,
        (SELECT e.actor FROM payout.cycle_event AS e WHERE e.cycle_id = c.cycle_id AND e.state = 'approved') AS approved_by
    FROM payout.cycle AS c WHERE $1::uuid IS NULL OR c.cycle_id = $1
    ORDER BY c.settles_on DESC, c.number DESC LIMIT $2"""
TOTALS: Final = """
    SELECT cycle_id, outcome, currency, code, count(*) AS entries, sum(amount_minor)::bigint AS amount_minor
    FROM payout.cycle_result WHERE cycle_id = ANY($1) GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"""
STATES: Final = """
    SELECT cycle_id, state, count(*) AS orders FROM payout.payout_order WHERE cycle_id = ANY($1)
    GROUP BY 1, 2 ORDER BY 1, 2"""
RESULTS: Final = """
    SELECT r.subject_id, r.currency, r.outcome, r.amount_minor, r.code, r.order_id
    FROM payout.cycle_result AS r WHERE r.cycle_id = $1 ORDER BY r.position"""
FILES: Final = """
    SELECT name, message_id, executes_on, payments, currency, total_minor, state, sent_at, answered_at
    FROM payout.bank_file WHERE cycle_id = $1 ORDER BY written_at, file_id"""
ORDERS: Final = """
    SELECT o.order_id, o.cycle_id, c.settles_on, o.subject_id, o.currency, o.amount_minor, o.state, a.last_four,
        t.end_to_end_id, t.uetr, e.at, e.code, e.detail,
        (SELECT b.booked_on FROM payout.booking AS b WHERE b.order_id = o.order_id AND b.disposition = 'settle') AS booked_on
    FROM payout.payout_order AS o
    JOIN payout.cycle AS c USING (cycle_id)
    JOIN payout.account AS a USING (account_id)
    JOIN payout.attempt AS t ON t.order_id = o.order_id AND t.number = 1
    JOIN LATERAL (SELECT at, code, detail FROM payout.order_event AS x WHERE x.order_id = o.order_id
                  ORDER BY x.number DESC LIMIT 1) AS e ON true
    WHERE ($1::uuid IS NULL OR o.cycle_id = $1) AND ($2::text IS NULL OR o.subject_id = $2)
      AND ($3::text IS NULL OR o.state = $3)
    ORDER BY c.settles_on DESC, o.subject_id, o.currency LIMIT $4"""


async def read_cycles(conn: Connection, cycle_id: UUID | None = None) -> list[dict[str, Any]]:
    """All cycles with their totals, newest first; or the one asked for."""
    rows = await conn.fetch(CYCLES, cycle_id, LIST_ROWS_MAX)
    ids = [row["cycle_id"] for row in rows]
    totals, states = await conn.fetch(TOTALS, ids), await conn.fetch(STATES, ids)
    cycles: list[dict[str, Any]] = []
    for row in rows:
        of_cycle = {state["state"]: state["orders"] for state in states if state["cycle_id"] == row["cycle_id"]}
        cycles.append(
            {
                **dict(row),
                "results": [_total(total) for total in totals if total["cycle_id"] == row["cycle_id"]],
                "orders": of_cycle,
                "finished": row["state"] not in {"preparing", "prepared"}
                and all(OrderState(state) in FINAL for state in of_cycle),
            }
        )
    return cycles


async def read_cycle(conn: Connection, cycle_id: UUID) -> dict[str, Any] | None:
    """One cycle with the result for every organization, its orders and its bank files; None if there is none."""
    cycles = await read_cycles(conn, cycle_id)
    if not cycles:
        return None
    results = [
        {
            "organization_id": row["subject_id"],
            "currency": row["currency"],
            "outcome": row["outcome"],
            "amount": amount_text(row["amount_minor"], row["currency"]),
            "code": row["code"],
            "order_id": row["order_id"],
        }
        for row in await conn.fetch(RESULTS, cycle_id)
    ]
    files = [
        {**{name: value for name, value in row.items() if name != "total_minor"}, "total": _amount(row, "total_minor")}
        for row in await conn.fetch(FILES, cycle_id)
    ]
    return {
        **cycles[0],
        "organizations": results,
        "payouts": await read_orders(conn, cycle_id=cycle_id),
        "files": files,
    }


async def read_orders(
    conn: Connection, *, cycle_id: UUID | None = None, organization_id: str | None = None, state: str | None = None
) -> list[dict[str, Any]]:
    """Orders, newest cycle first, each with its present state and why it is in it."""
    return [
        {
            "order_id": row["order_id"],
            "cycle_id": row["cycle_id"],
            "settles_on": row["settles_on"],
            "organization_id": row["subject_id"],
            "currency": row["currency"],
            "amount": _amount(row, "amount_minor"),
            "state": row["state"],
            "payee_state": PAYEE_STATE[OrderState(row["state"])],
            "account_last_four": row["last_four"],
            "end_to_end_id": row["end_to_end_id"],
            "uetr": row["uetr"],
            "since": row["at"],
            "code": row["code"],
            "detail": row["detail"],
            "booked_on": row["booked_on"],
        }
        for row in await conn.fetch(ORDERS, cycle_id, organization_id, state, LIST_ROWS_MAX)
    ]


def _total(row: Record) -> dict[str, Any]:
    return {
        "outcome": row["outcome"],
        "currency": row["currency"],
        "code": row["code"],
        "organizations": row["entries"],
        "amount": _amount(row, "amount_minor"),
    }


def _amount(row: Record, name: str) -> str:
    return amount_text(row[name], row["currency"])
