"""Payments to an organization or fund: reserved, settled, voided, returned.

Goal: money is set aside before it leaves, and leaves once.
Method: transfers keep (scheme, payer) of a reservation's parts, so that one payer's money never repays another's.
Checks come in a fixed order: the amounts, the reservation, the booking, the view, the money.
Source: design, section 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from schemas.ledger_words import OutcomeCode, TransactionKind
from services.ledger.domain.account import AccountKey, bank, charges, in_transit, payable
from services.ledger.domain.amount import minor_units
from services.ledger.domain.books import Books, Reservation, ReservationState, ReservedPart
from services.ledger.domain.command import Command, Reserve, Return, Settle, Void
from services.ledger.domain.decision import (
    CarriedOut,
    Declined,
    amount_of,
    booking_known,
    cause_of,
    draft_of,
    reservation_of,
    spendable,
    transfers_by_part,
)
from services.ledger.domain.transaction import Scope, TransferDraft


def reserve(books: Books, command: Command, order: Reserve, minor_digits: Mapping[str, int]) -> CarriedOut | Declined:
    """payable to in_transit."""
    parts = []
    for asked in order.parts:
        amount = amount_of(asked.amount, order.unit, minor_digits)
        if isinstance(amount, Declined):
            return amount
        parts.append(ReservedPart(asked.scheme_id, asked.payer_id, amount))
    if order.reservation_id in books.reservations:
        return Declined(OutcomeCode.RESERVATION_EXISTS, "this reservation id is taken: an attempt reserves once")
    reservation = Reservation(command.subject, order.unit, tuple(parts), ReservationState.RESERVED)
    source, target = payable(command.subject, order.unit), in_transit(command.subject, order.unit)
    declined = spendable(books, command, source, reservation.amount, order.seen_subject_number)
    if declined is not None:
        return declined
    cause = replace(cause_of(command), reservation_id=order.reservation_id)
    draft = draft_of(command, TransactionKind.RESERVED, cause, transfers_by_part(reservation, source, target))
    return CarriedOut(draft, (order.reservation_id, reservation))


def settle(books: Books, command: Command, order: Settle) -> CarriedOut | Declined:
    """in_transit to bank."""
    reservation = reservation_of(books, command, order.reservation_id, ReservationState.RESERVED)
    if isinstance(reservation, Declined):
        return reservation
    if order.booking_key in books.bookings:
        return booking_known(order.booking_key)
    transfers = transfers_by_part(reservation, in_transit(reservation.subject, reservation.unit), bank(reservation.unit))
    cause = replace(cause_of(command), reservation_id=order.reservation_id, booking_key=order.booking_key)
    return CarriedOut(
        draft_of(command, TransactionKind.SETTLED, cause, transfers),
        (order.reservation_id, replace(reservation, state=ReservationState.SETTLED)),
        order.booking_key,
    )


def void(books: Books, command: Command, order: Void) -> CarriedOut | Declined:
    """in_transit back to payable."""
    reservation = reservation_of(books, command, order.reservation_id, ReservationState.RESERVED)
    if isinstance(reservation, Declined):
        return reservation
    source, target = in_transit(reservation.subject, reservation.unit), payable(reservation.subject, reservation.unit)
    cause = replace(cause_of(command), reservation_id=order.reservation_id, reason=order.reason)
    return CarriedOut(
        draft_of(command, TransactionKind.VOIDED, cause, transfers_by_part(reservation, source, target)),
        (order.reservation_id, replace(reservation, state=ReservationState.VOIDED)),
    )


def give_back(books: Books, command: Command, order: Return, minor_digits: Mapping[str, int]) -> CarriedOut | Declined:
    """bank, and charges for what banks kept, to payable."""
    reservation = reservation_of(books, command, order.reservation_id, ReservationState.SETTLED)
    if isinstance(reservation, Declined):
        return reservation
    transfers = transfers_of_return(reservation, bank(reservation.unit), order.credited, order.charges, minor_digits)
    if isinstance(transfers, Declined):
        return transfers
    if order.booking_key in books.bookings:
        return booking_known(order.booking_key)
    cause = replace(cause_of(command), reservation_id=order.reservation_id, booking_key=order.booking_key)
    return CarriedOut(
        draft_of(command, TransactionKind.RETURNED, cause, transfers),
        (order.reservation_id, replace(reservation, state=ReservationState.RETURNED)),
        order.booking_key,
    )


def transfers_of_return(
    reservation: Reservation, source: AccountKey, credited: str, kept: str, minor_digits: Mapping[str, int]
) -> tuple[TransferDraft, ...] | Declined:
    """What arrived on `source` and what banks kept of it, to payable. Declines AMOUNT_INVALID unless they are the whole.

    What arrived is credited to the parts in their order; what is missing at the end was kept by the banks.
    """
    digits = minor_digits[reservation.unit]
    arrived, charged = minor_units(credited, digits), minor_units(kept, digits)
    if arrived is None or charged is None or arrived + charged != reservation.amount:
        return Declined(
            OutcomeCode.AMOUNT_INVALID,
            f"credited and charges must be the {reservation.amount} minor units of {reservation.unit} that were paid",
        )
    target = payable(reservation.subject, reservation.unit)
    transfers = []
    for part in reservation.parts:
        scope = Scope(scheme_id=part.scheme_id, payer_id=part.payer_id)
        share = min(part.amount, arrived)
        arrived -= share
        if share:
            transfers.append(TransferDraft(source, target, share, scope))
        if part.amount > share:
            transfers.append(TransferDraft(charges(reservation.unit), target, part.amount - share, scope))
    return tuple(transfers)
