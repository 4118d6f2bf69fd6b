"""Enter one booking of the bank into the books.

Goal: each movement on the programme's account is one command to the ledger, whatever it means, and never two.
Method: the domain says what the booking means; the row under its key and the command commit together. A booking for a whole entry
and bookings of the entry's transactions are the same money: whichever came first counts.
Source: design, sections 3.4 and 7; domain/booking_match.py.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING, Final, assert_never
from uuid import UUID

from schemas.identity import derived_id
from schemas.ledger_command import Direction as LedgerDirection
from schemas.ledger_command import OwnerKind, Receive, Return, Settle, Subject
from services.payout.bank.amount import amount_text
from services.payout.bank.bookings import Booking, Direction
from services.payout.bank.rejection_reasons import RejectionAction, rejection_action
from services.payout.domain.booking_match import (
    Movement,
    PaymentOnTheWay,
    ReceiveFrom,
    ReturnOrder,
    SettleOrder,
    SuspendBooking,
    meaning_of,
)
from services.payout.domain.order_state import OrderState
from services.payout.metrics import BOOKINGS_TOTAL
from services.payout.registry_view import RegistryView
from services.payout.use_cases.change_orders import OrderChange, change_orders
from services.payout.use_cases.send_bank_files import mark_sent
from services.payout.use_cases.send_ledger_commands import CommandToSend, send_ledger_commands
from services.payout.use_cases.suspend_booking import suspend_command
from services.payout.use_cases.withdraw_account import withdraw_account_of_order

if TYPE_CHECKING:
    from asyncpg import Record

    from services.runtime.database import Connection

log = logging.getLogger(__name__)

SAME_ENTRY: Final = "SELECT EXISTS (SELECT FROM payout.booking WHERE entry_key = $1 AND (whole_entry OR $2))"
ATTEMPT: Final = """
    SELECT o.order_id, o.state, o.amount_minor, o.currency, o.subject_kind, o.subject_id, t.attempt_id, t.file_id, f.state AS file_state
    FROM payout.attempt AS t
    JOIN payout.payout_order AS o USING (order_id)
    LEFT JOIN payout.bank_file AS f USING (file_id)
    WHERE t.end_to_end_id = $1 OR t.uetr = $2
    ORDER BY t.end_to_end_id = $1 DESC NULLS LAST LIMIT 1"""
STATE: Final = "SELECT state FROM payout.payout_order WHERE order_id = $1"
INSERT: Final = """
    INSERT INTO payout.booking (booking_key, entry_key, whole_entry, direction, amount_minor, currency, booked_on, end_to_end_id,
        disposition, code, order_id, payer_id, return_reason, message_sha256)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"""


async def apply_booking(
    conn: Connection, booking: Booking, message_sha256: bytes, *, registry: RegistryView, now: datetime
) -> None:
    """Enter a booking whose key is new, inside the caller's SQL transaction."""
    if await conn.fetchval(SAME_ENTRY, booking.entry_key, booking.whole_entry):
        await _insert(conn, booking, message_sha256, disposition="known")
        return
    attempt = await _attempt(conn, booking, now)
    payment = None
    if attempt is not None:
        state = OrderState(await conn.fetchval(STATE, attempt["order_id"]))
        payment = PaymentOnTheWay(state, attempt["amount_minor"], attempt["currency"])
    movement = Movement(
        is_debit=booking.direction is Direction.DEBIT,
        amount_minor=booking.amount_minor,
        currency=booking.currency,
        marked_as_return=booking.is_return,
    )
    meaning = meaning_of(movement, payment, _named_payers(booking, registry))
    match meaning:
        case SettleOrder():
            assert attempt is not None, "only a known attempt is settled"
            await _settle(conn, booking, attempt, meaning, message_sha256, registry, now)
        case ReturnOrder():
            assert attempt is not None, "only a known attempt is returned"
            await _return(conn, booking, attempt, meaning, message_sha256, now)
        case ReceiveFrom():
            await _receive(conn, booking, meaning.payer_id, message_sha256, now)
        case SuspendBooking():
            log.error("a booking of %s goes to suspense: %s", booking.booked_on, meaning.code)
            await _insert(conn, booking, message_sha256, disposition="suspend", code=meaning.code)
            await _suspend(conn, booking, booking.booking_key, booking.direction, booking.amount_minor, registry, now)
        case _:
            assert_never(meaning)


async def _attempt(conn: Connection, booking: Booking, now: datetime) -> Record | None:
    uetr = _uuid(booking.uetr)
    if booking.end_to_end_id is None and uetr is None:
        return None
    row = await conn.fetchrow(ATTEMPT, booking.end_to_end_id, uetr)
    if row is not None and row["file_state"] == "SENDING":
        await mark_sent(conn, row["file_id"], now)  # a booking is proof that the bank has the file
    return row


def _uuid(text: str | None) -> UUID | None:
    try:
        return None if text is None else UUID(text)
    except ValueError:
        return None  # seen in banks' files; the end-to-end id is what counts then


def _named_payers(booking: Booking, registry: RegistryView) -> tuple[str, ...]:
    if booking.direction is Direction.DEBIT:
        return ()
    return tuple(
        payer_id for payer_id in registry.payer_ids() if booking.end_to_end_id == payer_id or booking.mentions(payer_id)
    )


async def _settle(
    conn: Connection,
    booking: Booking,
    attempt: Record,
    meaning: SettleOrder,
    message_sha256: bytes,
    registry: RegistryView,
    now: datetime,
) -> None:
    await _insert(conn, booking, message_sha256, disposition="settle", order_id=attempt["order_id"])
    await change_orders(conn, [OrderChange(attempt["order_id"], OrderState.BOOKED)], now)
    settle = Settle(
        command_id=derived_id("command", "settle", str(attempt["attempt_id"])),
        subject=Subject(kind=OwnerKind(attempt["subject_kind"]), id=attempt["subject_id"]),
        effective_on=booking.booked_on,
        reservation_id=attempt["attempt_id"],
        booking_key=booking.booking_key,
    )
    await send_ledger_commands(conn, [CommandToSend(settle, attempt["order_id"], booking.booking_key)], now)
    if meaning.difference_minor:
        log.error("order %s was booked with a difference of %s", attempt["order_id"], meaning.difference_minor)
        direction = Direction.DEBIT if meaning.difference_minor > 0 else Direction.CREDIT
        key = f"{booking.booking_key}:difference"
        await _suspend(conn, booking, key, direction, abs(meaning.difference_minor), registry, now)


async def _return(
    conn: Connection, booking: Booking, attempt: Record, meaning: ReturnOrder, message_sha256: bytes, now: datetime
) -> None:
    order_id = attempt["order_id"]
    reason = booking.return_reason
    await _insert(conn, booking, message_sha256, disposition="return", order_id=order_id, return_reason=reason)
    change = OrderChange(order_id, OrderState.RETURNING, code=reason, detail=booking.return_information)
    await change_orders(conn, [change], now)
    command = Return(
        command_id=derived_id("command", "return", str(attempt["attempt_id"])),
        subject=Subject(kind=OwnerKind(attempt["subject_kind"]), id=attempt["subject_id"]),
        effective_on=booking.booked_on,
        reservation_id=attempt["attempt_id"],
        credited=amount_text(meaning.credited_minor, booking.currency),
        charges=amount_text(meaning.charges_minor, booking.currency),
        booking_key=booking.booking_key,
    )
    await send_ledger_commands(conn, [CommandToSend(command, order_id, booking.booking_key)], now)
    # Without a reason nobody knows what was wrong; the account is the likeliest, and sending again would lose the fees again.
    if reason is None or rejection_action(reason) is RejectionAction.VERIFY_ACCOUNT:
        await withdraw_account_of_order(conn, order_id, reason=f"RETURNED_{reason}" if reason else "RETURNED", now=now)


async def _receive(conn: Connection, booking: Booking, payer_id: str, message_sha256: bytes, now: datetime) -> None:
    await _insert(conn, booking, message_sha256, disposition="receive", payer_id=payer_id)
    command = Receive(
        command_id=derived_id("command", "receive", booking.booking_key),
        subject=Subject(kind=OwnerKind.PAYER, id=payer_id),
        effective_on=booking.booked_on,
        currency=booking.currency,
        amount=amount_text(booking.amount_minor, booking.currency),
        booking_key=booking.booking_key,
    )
    await send_ledger_commands(conn, [CommandToSend(command, booking_key=booking.booking_key)], now)


async def _suspend(
    conn: Connection,
    booking: Booking,
    booking_key: str,
    direction: str,
    amount_minor: int,
    registry: RegistryView,
    now: datetime,
) -> None:
    assert registry.programme is not None, "the account was found to be the programme's, so there is one"
    command = suspend_command(
        programme=registry.programme.id,
        booking_key=booking_key,
        direction=LedgerDirection(direction),
        amount_minor=amount_minor,
        currency=booking.currency,
        booked_on=booking.booked_on,
    )
    await send_ledger_commands(conn, [CommandToSend(command, booking_key=booking_key)], now)


async def _insert(
    conn: Connection,
    booking: Booking,
    message_sha256: bytes,
    *,
    disposition: str,
    code: str | None = None,
    order_id: UUID | None = None,
    payer_id: str | None = None,
    return_reason: str | None = None,
) -> None:
    BOOKINGS_TOTAL.labels(disposition).inc()
    await conn.execute(
        INSERT,
        booking.booking_key,
        booking.entry_key,
        booking.whole_entry,
        booking.direction,
        booking.amount_minor,
        booking.currency,
        booking.booked_on,
        booking.end_to_end_id,
        disposition,
        code,
        order_id,
        payer_id,
        return_reason,
        message_sha256,
    )
