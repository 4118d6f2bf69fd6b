"""Bookings of the bank that are no payment of ours: a payer's money, and what lies in suspense until a person clears it.

Goal: what a bank booked is in the books once, and what nobody could name is named later, never for more than it was.
Method: a booking in suspense keeps what is still open of it. Clearing takes from that, in one transaction with the other
side: who paid, which payment it was, a charge, or a booking of the other direction that it cancels (then nothing moves: both
lie on the account suspense already).
Source: design, sections 3.4 and 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never
from uuid import UUID

from schemas.ledger_words import OutcomeCode, TransactionKind
from services.ledger.domain.account import AccountKey, bank, charges, in_transit, receivable, suspense
from services.ledger.domain.books import Books, Reservation, ReservationState, SuspendedBooking
from services.ledger.domain.command import (
    AgainstBooking,
    AgainstCharges,
    AgainstReceivable,
    AgainstReturn,
    AgainstSettlement,
    Clear,
    Command,
    Receive,
    Suspend,
)
from services.ledger.domain.decision import (
    CarriedOut,
    Declined,
    amount_of,
    booking_known,
    cause_of,
    draft_of,
    reservation_of,
    transfers_by_part,
)
from services.ledger.domain.payments import transfers_of_return
from services.ledger.domain.transaction import NO_SCOPE, ClearedPart, Scope, TransferDraft


def receive(books: Books, command: Command, order: Receive, minor_digits: Mapping[str, int]) -> CarriedOut | Declined:
    """bank against the payer's receivable."""
    amount = amount_of(order.amount, order.unit, minor_digits)
    if isinstance(amount, Declined):
        return amount
    if order.booking_key in books.bookings:
        return booking_known(order.booking_key)
    payer_id = command.subject.id
    transfer = TransferDraft(bank(order.unit), receivable(payer_id, order.unit), amount, Scope(payer_id=payer_id))
    cause = replace(cause_of(command), booking_key=order.booking_key)
    return CarriedOut(draft_of(command, TransactionKind.RECEIVED, cause, (transfer,)), booking_key=order.booking_key)


def suspend(books: Books, command: Command, order: Suspend, minor_digits: Mapping[str, int]) -> CarriedOut | Declined:
    """bank against suspense, or the other way round for money that left."""
    amount = amount_of(order.amount, order.unit, minor_digits)
    if isinstance(amount, Declined):
        return amount
    if order.booking_key in books.bookings:
        return booking_known(order.booking_key)
    debit, credit = bank(order.unit), suspense(order.unit)
    if not order.arrived:
        debit, credit = credit, debit
    cause = replace(cause_of(command), booking_key=order.booking_key)
    return CarriedOut(
        draft_of(command, TransactionKind.SUSPENDED, cause, (TransferDraft(debit, credit, amount, NO_SCOPE),)),
        booking_key=order.booking_key,
        suspended={order.booking_key: SuspendedBooking(order.unit, order.arrived, amount, amount, command.effective_on)},
    )


def clear(books: Books, command: Command, order: Clear, minor_digits: Mapping[str, int]) -> CarriedOut | Declined:
    """suspense against what the booking was."""
    amount = amount_of(order.amount, order.unit, minor_digits)
    if isinstance(amount, Declined):
        return amount
    booking = take_from_suspense(books.suspended, order.booking_key, order.unit, amount, arrived=order.against.arrived)
    if isinstance(booking, Declined):
        return booking
    cause = replace(cause_of(command), clears=(ClearedPart(order.booking_key, amount),))
    suspended = {order.booking_key: booking}
    reservation: tuple[UUID, Reservation] | None = None
    match order.against:
        case AgainstReceivable():
            payer_id = command.subject.id
            kind, counterpart, scope = TransactionKind.RECEIVED, receivable(payer_id, order.unit), Scope(payer_id=payer_id)
            transfers = against_suspense(order.unit, counterpart, amount, scope, is_debit=not booking.arrived)
        case AgainstCharges():
            kind = TransactionKind.CLEARED
            transfers = against_suspense(order.unit, charges(order.unit), amount, NO_SCOPE, is_debit=not booking.arrived)
        case AgainstBooking(booking_key=other_key):
            other = take_from_suspense(books.suspended, other_key, order.unit, amount, arrived=not booking.arrived)
            if isinstance(other, Declined):
                return other
            kind, transfers = TransactionKind.CLEARED, ()
            cause = replace(cause, clears=(*cause.clears, ClearedPart(other_key, amount)))
            suspended[other_key] = other
        case AgainstSettlement() | AgainstReturn() as payment:
            paid = _payment(books, command, order, payment, amount=amount, minor_digits=minor_digits)
            if isinstance(paid, Declined):
                return paid
            kind, transfers, reservation = paid
            cause = replace(cause, reservation_id=payment.reservation_id)
        case _ as unknown:
            assert_never(unknown)
    return CarriedOut(draft_of(command, kind, cause, transfers), reservation, suspended=suspended)


def _payment(
    books: Books,
    command: Command,
    order: Clear,
    payment: AgainstSettlement | AgainstReturn,
    *,
    amount: int,
    minor_digits: Mapping[str, int],
) -> tuple[TransactionKind, tuple[TransferDraft, ...], tuple[UUID, Reservation]] | Declined:
    """What becomes of the reservation whose money the booking was."""
    settles = isinstance(payment, AgainstSettlement)
    expected = ReservationState.RESERVED if settles else ReservationState.SETTLED
    reservation = reservation_of(books, command, payment.reservation_id, expected)
    if isinstance(reservation, Declined):
        return reservation
    if reservation.unit != order.unit:
        return _currency_mismatch(f"the reservation is in {reservation.unit}")
    if isinstance(payment, AgainstSettlement):
        if amount != reservation.amount:
            return Declined(
                OutcomeCode.AMOUNT_INVALID, f"a payment is settled whole: {reservation.amount} minor units of {order.unit}"
            )
        transfers = transfers_by_part(reservation, in_transit(reservation.subject, order.unit), suspense(order.unit))
        settled = replace(reservation, state=ReservationState.SETTLED)
        return TransactionKind.SETTLED, transfers, (payment.reservation_id, settled)
    returned = transfers_of_return(reservation, suspense(order.unit), order.amount, payment.charges, minor_digits)
    if isinstance(returned, Declined):
        return returned
    return TransactionKind.RETURNED, returned, (payment.reservation_id, replace(reservation, state=ReservationState.RETURNED))


def take_from_suspense(
    suspended: Mapping[str, SuspendedBooking], booking_key: str, unit: str, amount: int, *, arrived: bool | None
) -> SuspendedBooking | Declined:
    """The booking with so much less of it open. `arrived`: the direction that it must have; None: either.

    Declines UNKNOWN_BOOKING, CURRENCY_MISMATCH, DIRECTION_MISMATCH, BOOKING_CLEARED.
    """
    booking = suspended.get(booking_key)
    if booking is None:
        return Declined(OutcomeCode.UNKNOWN_BOOKING, f"no booking {booking_key} was put into suspense")
    if booking.unit != unit:
        return _currency_mismatch(f"booking {booking_key} is in {booking.unit}")
    if arrived is not None and booking.arrived is not arrived:
        came = "arrived" if booking.arrived else "left"
        return Declined(OutcomeCode.DIRECTION_MISMATCH, f"the money of booking {booking_key} {came}: this needs the contrary")
    if amount > booking.open_amount:
        return Declined(
            OutcomeCode.BOOKING_CLEARED,
            f"{booking.open_amount} minor units of booking {booking_key} are still open, not {amount}",
        )
    return replace(booking, open_amount=booking.open_amount - amount)


def against_suspense(unit: str, account: AccountKey, amount: int, scope: Scope, *, is_debit: bool) -> tuple[TransferDraft, ...]:
    """One transfer between an account and suspense; `is_debit`: the account is debited."""
    debit, credit = (account, suspense(unit)) if is_debit else (suspense(unit), account)
    return (TransferDraft(debit, credit, amount, scope),)


def _currency_mismatch(what: str) -> Declined:
    return Declined(OutcomeCode.CURRENCY_MISMATCH, f"{what}: nothing is exchanged in passing")
