"""Enter one booking of the bank into the books.

Goal: each movement on the programme's account is one command to the ledger, whatever it means, and never two.
Method: the domain says what the booking means; the row under its key and the command commit together. A booking for a whole
entry and bookings of the entry's transactions are the same money: whichever came first counts.
Source: design, sections 3.4 and 7; domain/booking_match.py.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, assert_never
from uuid import UUID

from schemas.identity import derived_id
from schemas.ledger_command import Direction as LedgerDirection
from schemas.ledger_command import Receive, Return, Settle, Subject
from schemas.ledger_words import OwnerKind
from services.payout.bank.amount import amount_text
from services.payout.bank.bookings import Booking, Direction
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
from services.payout.use_cases.withdraw_account import withdraw_doubted_account

if TYPE_CHECKING:
    from asyncpg import Record

    from services.runtime.database import Connection

log = logging.getLogger(__name__)

SAME_ENTRY: Final = "SELECT EXISTS (SELECT FROM payout.booking WHERE entry_key = $1 AND (whole_entry OR $2))"
ATTEMPT: Final = """
    SELECT o.order_id, o.state, o.amount_minor, o.currency, o.subject_kind, o.subject_id, t.attempt_id, t.file_id,
        f.state AS file_state
    FROM payout.attempt AS t
    JOIN payout.payout_order AS o USING (order_id)
    LEFT JOIN payout.bank_file AS f USING (file_id)
    WHERE t.end_to_end_id = $1 OR t.uetr = $2
    ORDER BY t.end_to_end_id = $1 DESC NULLS LAST LIMIT 1"""
STATE: Final = "SELECT state FROM payout.payout_order WHERE order_id = $1"
INSERT: Final = """
    INSERT INTO payout.booking (booking_key, entry_key, whole_entry, direction, amount_minor, currency, booked_on,
        end_to_end_id, disposition, code, order_id, payer_id, return_reason, message_sha256)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A booking on its way into the books: from which message, under which registry, when it was read."""

    booking: Booking
    message_sha256: bytes
    registry: RegistryView
    now: datetime


async def apply_booking(
    conn: Connection, booking: Booking, message_sha256: bytes, *, registry: RegistryView, now: datetime
) -> None:
    """Enter a booking whose key is new, inside the caller's SQL transaction."""
    entry = _Entry(booking, message_sha256, registry, now)
    if await conn.fetchval(SAME_ENTRY, booking.entry_key, booking.whole_entry):
        await _insert(conn, entry, disposition="known")
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
            await _settle(conn, entry, attempt, meaning)
        case ReturnOrder():
            assert attempt is not None, "only a known attempt is returned"
            await _return(conn, entry, attempt, meaning)
        case ReceiveFrom():
            await _receive(conn, entry, meaning.payer_id)
        case SuspendBooking():
            log.error("a booking of %s goes to suspense: %s", booking.booked_on, meaning.code)
            await _insert(conn, entry, disposition="suspend", code=meaning.code)
            await _suspend(conn, entry, booking.direction, booking.amount_minor, booking_key=booking.booking_key)
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


async def _settle(conn: Connection, entry: _Entry, attempt: Record, meaning: SettleOrder) -> None:
    booking, order_id = entry.booking, attempt["order_id"]
    await _insert(conn, entry, disposition="settle", order_id=order_id)
    await change_orders(conn, [OrderChange(order_id, OrderState.BOOKED)], entry.now)
    command = Settle(
        command_id=derived_id("command", "settle", str(attempt["attempt_id"])),
        subject=Subject(kind=OwnerKind(attempt["subject_kind"]), id=attempt["subject_id"]),
        effective_on=booking.booked_on,
        reservation_id=attempt["attempt_id"],
        booking_key=booking.booking_key,
    )
    await send_ledger_commands(conn, [CommandToSend(command, order_id, booking.booking_key)], entry.now)
    if meaning.difference_minor:
        log.error("order %s was booked with a difference of %s", order_id, meaning.difference_minor)
        direction = Direction.DEBIT if meaning.difference_minor > 0 else Direction.CREDIT
        key = f"{booking.booking_key}:difference"
        await _suspend(conn, entry, direction, abs(meaning.difference_minor), booking_key=key)


async def _return(conn: Connection, entry: _Entry, attempt: Record, meaning: ReturnOrder) -> None:
    booking, order_id, reason = entry.booking, attempt["order_id"], entry.booking.return_reason
    await _insert(conn, entry, disposition="return", order_id=order_id)
    change = OrderChange(order_id, OrderState.RETURNING, code=reason, detail=booking.return_information)
    await change_orders(conn, [change], entry.now)
    command = Return(
        command_id=derived_id("command", "return", str(attempt["attempt_id"])),
        subject=Subject(kind=OwnerKind(attempt["subject_kind"]), id=attempt["subject_id"]),
        effective_on=booking.booked_on,
        reservation_id=attempt["attempt_id"],
        credited=amount_text(meaning.credited_minor, booking.currency),
        charges=amount_text(meaning.charges_minor, booking.currency),
        booking_key=booking.booking_key,
    )
    await send_ledger_commands(conn, [CommandToSend(command, order_id, booking.booking_key)], entry.now)
    told = f"RETURNED_{reason}" if reason else "RETURNED"
    await withdraw_doubted_account(conn, order_id, reason_code=reason, told=told, now=entry.now)


async def _receive(conn: Connection, entry: _Entry, payer_id: str) -> None:
    booking = entry.booking
    await _insert(conn, entry, disposition="receive", payer_id=payer_id)
    command = Receive(
        command_id=derived_id("command", "receive", booking.booking_key),
        subject=Subject(kind=OwnerKind.PAYER, id=payer_id),
        effective_on=booking.booked_on,
        currency=booking.currency,
        amount=amount_text(booking.amount_minor, booking.currency),
        booking_key=booking.booking_key,
    )
    await send_ledger_commands(conn, [CommandToSend(command, booking_key=booking.booking_key)], entry.now)


async def _suspend(conn: Connection, entry: _Entry, direction: Direction, amount_minor: int, *, booking_key: str) -> None:
    programme = entry.registry.programme
    assert programme is not None, "the account was found to be the programme's, so there is one"
    command = suspend_command(
        programme=programme.id,
        booking_key=booking_key,
        direction=LedgerDirection(direction),
        amount_minor=amount_minor,
        currency=entry.booking.currency,
        booked_on=entry.booking.booked_on,
    )
    await send_ledger_commands(conn, [CommandToSend(command, booking_key=booking_key)], entry.now)


async def _insert(
    conn: Connection,
    entry: _Entry,
    *,
    disposition: str,
    code: str | None = None,
    order_id: UUID | None = None,
    payer_id: str | None = None,
) -> None:
    BOOKINGS_TOTAL.labels(disposition).inc()
    booking = entry.booking
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
        booking.return_reason,
        entry.message_sha256,
    )
