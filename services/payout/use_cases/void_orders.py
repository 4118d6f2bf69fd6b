"""Give up orders that no bank file holds yet, and free their money.

Goal: an order is either sent or voided, never both.
Method: the void command is written in the SQL transaction that takes the order out of the states from which files are made.
Source: design, section 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from schemas.identity import derived_id
from schemas.ledger_command import Subject, Void
from schemas.ledger_words import OwnerKind
from services.payout.domain.order_state import UNSENT, OrderState
from services.payout.errors import VoidReason
from services.payout.use_cases.change_orders import OrderChange, change_orders
from services.payout.use_cases.send_ledger_commands import CommandToSend, send_ledger_commands

if TYPE_CHECKING:
    from services.runtime.database import Connection

ORDERS: Final = """
    SELECT o.order_id, o.subject_kind, o.subject_id, c.settles_on, t.attempt_id
    FROM payout.payout_order AS o
    JOIN payout.cycle AS c USING (cycle_id)
    JOIN payout.attempt AS t ON t.order_id = o.order_id AND t.number = 1
    WHERE o.order_id = ANY($1) ORDER BY o.order_id"""
UNSENT_OF_PAYEES: Final = """
    SELECT o.order_id FROM payout.payout_order AS o
    JOIN unnest($1::text[], $2::text[], $3::text[]) AS p (kind, id, currency)
      ON o.subject_kind = p.kind AND o.subject_id = p.id AND o.currency = p.currency
    WHERE o.state = ANY($4)"""


async def void_orders(
    conn: Connection,
    order_ids: Sequence[UUID],
    *,
    to: OrderState,
    reason: str,
    now: datetime,
    actor: str | None = None,
    detail: str | None = None,
) -> None:
    """Ask the ledger to free the reservations; the orders go to `to` (voiding, or rejected by the bank) until it answers."""
    if not order_ids:
        return
    rows = await conn.fetch(ORDERS, list(order_ids))
    await change_orders(conn, [OrderChange(row["order_id"], to, actor, str(reason), detail) for row in rows], now)
    commands = [
        CommandToSend(
            void_command(
                attempt_id=row["attempt_id"],
                subject=Subject(kind=OwnerKind(row["subject_kind"]), id=row["subject_id"]),
                effective_on=row["settles_on"],
                reason=reason,
            ),
            order_id=row["order_id"],
        )
        for row in rows
    ]
    await send_ledger_commands(conn, commands, now)


def void_command(*, attempt_id: UUID, subject: Subject, effective_on: date, reason: str) -> Void:
    """The command that frees one reservation; one for each, for ever."""
    return Void(
        command_id=derived_id("command", "void", str(attempt_id)),
        subject=subject,
        effective_on=effective_on,
        reservation_id=attempt_id,
        reason=reason,
    )


async def void_orders_of_corrected_payees(conn: Connection, payees: Sequence[tuple[str, str, str]], now: datetime) -> None:
    """Void what was not sent yet of payees (kind, id, currency) from whom a premium was taken back: its amount is not right.

    What is sent already is recovered from later premiums.
    """
    if not payees:
        return
    kinds, ids, currencies = ([payee[part] for payee in payees] for part in range(3))
    rows = await conn.fetch(UNSENT_OF_PAYEES, kinds, ids, currencies, [state.value for state in UNSENT])
    order_ids = [row["order_id"] for row in rows]
    await void_orders(conn, order_ids, to=OrderState.VOIDING, reason=VoidReason.PREMIUM_CORRECTED, now=now)
