"""Act on what the ledger answered.

Goal: an order is as far as the ledger says, never further.
Method: a command is complete when its outcome and the transaction that it names are both here. POSTED moves the order on. A
reserve that was refused voids the order and frees its items. A booking that the ledger would not take as what we took it for is
a fact all the same, and goes to suspense.
Source: design, section 7; schemas/ledger_transaction.py for the codes.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from schemas.ledger_words import OutcomeCode
from services.payout.domain.booking_match import SuspendCode
from services.payout.domain.order_state import OrderState
from services.payout.metrics import COMMANDS_REFUSED_TOTAL
from services.payout.registry_view import RegistryView
from services.payout.use_cases.change_orders import OrderChange, change_orders, remember
from services.payout.use_cases.suspend_booking import suspend_refused_booking
from services.payout.use_cases.take_turn import take_turn

if TYPE_CHECKING:
    from asyncpg import Record

    from services.runtime.database import Connection

log = logging.getLogger(__name__)

LOAD: Final = """
    SELECT c.command_id, c.kind, c.order_id, c.booking_key, p.state
    FROM payout.ledger_command AS c LEFT JOIN payout.payout_order AS p USING (order_id)
    WHERE c.command_id = $1"""
# The money of a void is free also where the ledger never reserved it, or freed it before.
FREED_CODES: Final = frozenset({OutcomeCode.POSTED, OutcomeCode.UNKNOWN_RESERVATION, OutcomeCode.RESERVATION_VOIDED})
FINISH_CYCLES: Final = """
    UPDATE payout.cycle AS c
    SET state = CASE WHEN EXISTS (SELECT FROM payout.payout_order AS o WHERE o.cycle_id = c.cycle_id AND o.state = 'reserved')
                THEN 'prepared' ELSE 'empty' END
    WHERE c.state IN ('preparing', 'prepared')
      AND NOT EXISTS (SELECT FROM payout.payout_order AS o
                      WHERE o.cycle_id = c.cycle_id AND o.state IN ('reserving', 'voiding'))
      AND (c.state = 'preparing'
           OR NOT EXISTS (SELECT FROM payout.payout_order AS o WHERE o.cycle_id = c.cycle_id AND o.state = 'reserved'))
    RETURNING c.cycle_id, c.state"""
REMEMBER_CYCLE: Final = """
    INSERT INTO payout.cycle_event (cycle_id, number, state, at)
    SELECT $1, count(*) + 1, $2, $3 FROM payout.cycle_event WHERE cycle_id = $1"""


@dataclass(frozen=True, slots=True)
class CompletedCommand:
    """A command with its outcome; what the outcome names is here."""

    command_id: UUID
    code: OutcomeCode
    message: str | None


async def complete_commands(
    conn: Connection, completed: Sequence[CompletedCommand], *, registry: RegistryView, now: datetime
) -> None:
    """Move orders and cycles by these outcomes, inside the caller's SQL transaction. A repeat changes nothing.

    Commands of others (another service's, or of a database that was replaced) are not ours to act on.
    """
    if not completed:
        return
    await take_turn(conn)
    for outcome in completed:
        row = await conn.fetchrow(LOAD, outcome.command_id)
        if row is None:
            continue
        if outcome.code is not OutcomeCode.POSTED:
            COMMANDS_REFUSED_TOTAL.labels(row["kind"], outcome.code.value).inc()
            log.warning("command %s (%s) was answered %s: %s", row["command_id"], row["kind"], outcome.code, outcome.message)
        await _complete(conn, row, outcome, registry, now)
    for cycle in await conn.fetch(FINISH_CYCLES):
        await conn.execute(REMEMBER_CYCLE, cycle["cycle_id"], cycle["state"], now)


async def _complete(conn: Connection, row: Record, outcome: CompletedCommand, registry: RegistryView, now: datetime) -> None:
    posted = outcome.code is OutcomeCode.POSTED
    state = None if row["state"] is None else OrderState(row["state"])
    match row["kind"], state:
        case "reserve", OrderState.RESERVING:
            await _move(conn, row, outcome, OrderState.RESERVED if posted else OrderState.VOIDED, now)
        case "void", OrderState.VOIDING | OrderState.REJECTED if outcome.code in FREED_CODES:
            await _move(conn, row, outcome, OrderState.VOIDED, now)
        case "settle", OrderState.BOOKED if posted:
            await _move(conn, row, outcome, OrderState.SETTLED, now)
        case "return", OrderState.RETURNING if posted:
            await _move(conn, row, outcome, OrderState.RETURNED, now)
        case (("settle" | "return" | "receive"), _) if not posted:
            # A booking was read under a programme, so there is one.
            assert registry.programme is not None, "bookings are only read once the registry is known"
            suspended = await suspend_refused_booking(conn, row["booking_key"], programme=registry.programme.id, now=now)
            if suspended and state is not None:
                detail = f"the ledger answered {outcome.code}"
                change = OrderChange(row["order_id"], state, code=SuspendCode.REFUSED_BY_LEDGER, detail=detail)
                await remember(conn, [change], now)
        case _:
            # Reserved after we gave it up, settled after it came back, or told before: nothing follows.
            return


async def _move(conn: Connection, row: Record, outcome: CompletedCommand, state: OrderState, now: datetime) -> None:
    code = None if outcome.code is OutcomeCode.POSTED else outcome.code.value
    await change_orders(conn, [OrderChange(row["order_id"], state, code=code, detail=outcome.message)], now)
