"""Move payout orders from state to state.

Goal: an order's history says who moved it, when and why, and everybody who follows orders is told.
Method: the state that follows must be one that may follow; history and event are written with it. An order whose money became
payable again gives its items back.
Refuses: a step that no rule allows: that is a broken assumption and raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from schemas.payout_event import OrderStateChange
from services.payout.adapters.payout_topic import order_state_message
from services.payout.bank.amount import amount_text
from services.payout.domain.order_state import FREED, NEXT, PAYEE_STATE, OrderState
from services.payout.use_cases.take_turn import take_turn
from services.runtime.outbox import enqueue

if TYPE_CHECKING:
    from services.runtime.database import Connection

LOAD: Final = """
    SELECT o.order_id, o.cycle_id, o.subject_id, o.currency, o.amount_minor, o.state, a.last_four, t.end_to_end_id
    FROM payout.payout_order AS o
    JOIN payout.account AS a USING (account_id)
    JOIN payout.attempt AS t ON t.order_id = o.order_id AND t.number = 1
    WHERE o.order_id = ANY($1)"""
MOVE: Final = "UPDATE payout.payout_order SET state = $2 WHERE order_id = $1"
REMEMBER: Final = """
    INSERT INTO payout.order_event (order_id, number, state, at, actor, code, detail)
    SELECT $1, count(*) + 1, $2, $3, $4, $5, $6 FROM payout.order_event WHERE order_id = $1"""
FREE_ITEMS: Final = "UPDATE payout.open_item SET order_id = NULL WHERE order_id = ANY($1)"


@dataclass(frozen=True, slots=True)
class OrderChange:
    """An order goes to `state`. `actor`: the person who decided. `code`, `detail`: why, where it does not go well."""

    order_id: UUID
    state: OrderState
    actor: str | None = None
    code: str | None = None
    detail: str | None = None


async def change_orders(conn: Connection, changes: Sequence[OrderChange], now: datetime) -> None:
    """Apply the changes in order, inside the caller's SQL transaction, which holds the turn."""
    if not changes:
        return
    await take_turn(conn)
    rows = await conn.fetch(LOAD, list({change.order_id for change in changes}))
    orders = {row["order_id"]: row for row in rows}
    states = {order_id: OrderState(row["state"]) for order_id, row in orders.items()}
    for change in changes:
        assert change.state in NEXT[states[change.order_id]], (
            f"order {change.order_id} cannot go from {states[change.order_id]} to {change.state}"
        )
        states[change.order_id] = change.state
    await conn.executemany(MOVE, [(change.order_id, change.state.value) for change in changes])
    await remember(conn, changes, now)
    if freed := [change.order_id for change in changes if change.state in FREED]:
        await conn.execute(FREE_ITEMS, freed)
    events = [
        OrderStateChange(
            order_id=change.order_id,
            cycle_id=order["cycle_id"],
            organization_id=order["subject_id"],
            currency=order["currency"],
            amount=amount_text(order["amount_minor"], order["currency"]),
            state=change.state.value,
            payee_state=PAYEE_STATE[change.state],
            at=now,
            actor=change.actor,
            code=change.code,
            end_to_end_id=order["end_to_end_id"],
            account_last_four=order["last_four"],
        )
        for change in changes
        for order in (orders[change.order_id],)
    ]
    await enqueue(conn, "payout", [order_state_message(event) for event in events])


async def remember(conn: Connection, changes: Iterable[OrderChange], now: datetime) -> None:
    """Write what happened into the orders' history, also what did not change their state."""
    await conn.executemany(
        REMEMBER,
        [(change.order_id, change.state.value, now, change.actor, change.code, change.detail) for change in changes],
    )
