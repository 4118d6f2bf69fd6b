"""Decide what becomes of one command.

Goal: every command gets exactly one outcome with a stable code; a refused one changes nothing.
Method: a command that is known by its id is answered as before, or CONFLICTING_PAYLOAD if its content differs. Checks come in
a fixed order: the amounts, the reservation, the booking, the view, the money. Transfers keep (scheme, payer) of a
reservation's parts, so that one payer's money never repays another's.
Refuses: every code of OutcomeCode but POSTED and SCHEMA_INVALID (the latter is found when reading).
Source: design, section 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import assert_never
from uuid import UUID

from schemas.ledger_words import AMOUNT_MINOR_MAX, OutcomeCode, TransactionKind
from services.ledger.domain.account import AccountKey, bank, charges, in_transit, payable, receivable, suspense
from services.ledger.domain.amount import minor_units
from services.ledger.domain.books import Answered, Books, Reservation, ReservationState, ReservedPart
from services.ledger.domain.command import Attest, Command, Receive, Reserve, Return, Settle, Suspend, Void
from services.ledger.domain.transaction import NO_SCOPE, Attestation, CommandCause, Scope, TransactionDraft, TransferDraft


@dataclass(frozen=True, slots=True)
class CarriedOut:
    """To be posted; the reservation and the booking key are entered into the books with it."""

    draft: TransactionDraft
    reservation: tuple[UUID, Reservation] | None = None
    booking_key: str | None = None


@dataclass(frozen=True, slots=True)
class Declined:
    """Answered with a code, and remembered."""

    code: OutcomeCode
    message: str


@dataclass(frozen=True, slots=True)
class AnsweredBefore:
    """The same command again: the same outcome again."""

    answered: Answered


@dataclass(frozen=True, slots=True)
class Conflicting:
    """The id belongs to another command."""

    message: str


CommandDecision = CarriedOut | Declined | AnsweredBefore | Conflicting


def carry_out_command(books: Books, command: Command, minor_digits: Mapping[str, int]) -> CommandDecision:
    """Decide; the books are not changed. `minor_digits` are the digits after the point of every known currency."""
    answered = books.commands.get(command.command_id)
    if answered is not None:
        if answered.command_hash == command.command_hash:
            return AnsweredBefore(answered)
        return Conflicting("this command id came before with other content: every command needs an id of its own")
    decision = _decide(books, command, minor_digits)
    if isinstance(decision, CarriedOut) and books.would_overflow(decision.draft.transfers):
        return Declined(OutcomeCode.AMOUNT_OVERFLOW, "a balance would grow beyond what the ledger can hold")
    return decision


def enter(books: Books, carried_out: CarriedOut) -> None:
    """Enter what was carried out into the books, for the records after it."""
    books.post(carried_out.draft.transfers)
    if carried_out.reservation is not None:
        reservation_id, reservation = carried_out.reservation
        books.reservations[reservation_id] = reservation
    if carried_out.booking_key is not None:
        books.bookings.add(carried_out.booking_key)


def _decide(books: Books, command: Command, minor_digits: Mapping[str, int]) -> CarriedOut | Declined:  # noqa: PLR0911  one for each kind
    match command.order:
        case Reserve() as order:
            return _reserve(books, command, order, minor_digits)
        case Settle() as order:
            return _settle(books, command, order)
        case Void() as order:
            return _void(books, command, order)
        case Return() as order:
            return _return(books, command, order, minor_digits)
        case Receive() as order:
            payer = receivable(command.subject.id, order.unit)
            return _book(books, command, order, minor_digits, kind=TransactionKind.RECEIVED, counterpart=payer)
        case Suspend() as order:
            unmatched = suspense(order.unit)
            return _book(books, command, order, minor_digits, kind=TransactionKind.SUSPENDED, counterpart=unmatched)
        case Attest() as order:
            return CarriedOut(
                _draft(command, TransactionKind.ATTESTED, (), attestation=Attestation(order.attestation, order.sha256))
            )
        case _ as unknown:
            assert_never(unknown)


def _reserve(books: Books, command: Command, order: Reserve, minor_digits: Mapping[str, int]) -> CarriedOut | Declined:
    parts = []
    for asked in order.parts:
        amount = _amount(asked.amount, order.unit, minor_digits)
        if isinstance(amount, Declined):
            return amount
        parts.append(ReservedPart(asked.scheme_id, asked.payer_id, amount))
    if order.reservation_id in books.reservations:
        return Declined(OutcomeCode.RESERVATION_EXISTS, "this reservation id is taken: an attempt reserves once")
    reservation = Reservation(command.subject, order.unit, tuple(parts), ReservationState.RESERVED)
    counter = books.subjects.get(command.subject)
    if counter is not None and counter.last_negative_number > order.seen_subject_number:
        return Declined(
            OutcomeCode.STALE_VIEW,
            f"transaction {counter.last_negative_number} of the subject took money back, and only"
            f" {order.seen_subject_number} were seen: read on and prepare the order again",
        )
    source, target = payable(command.subject, order.unit), in_transit(command.subject, order.unit)
    if reservation.amount > books.credit_balance(source):
        return Declined(
            OutcomeCode.INSUFFICIENT_PAYABLE,
            f"{reservation.amount} minor units of {order.unit} were asked for, {books.credit_balance(source)} are payable",
        )
    return CarriedOut(
        _draft(command, TransactionKind.RESERVED, _by_part(reservation, source, target), reservation_id=order.reservation_id),
        (order.reservation_id, reservation),
    )


def _settle(books: Books, command: Command, order: Settle) -> CarriedOut | Declined:
    reservation = _reservation(books, command, order.reservation_id, ReservationState.RESERVED)
    if isinstance(reservation, Declined):
        return reservation
    if order.booking_key in books.bookings:
        return _booking_known(order.booking_key)
    transfers = _by_part(reservation, in_transit(reservation.subject, reservation.unit), bank(reservation.unit))
    return CarriedOut(
        _draft(
            command,
            TransactionKind.SETTLED,
            transfers,
            reservation_id=order.reservation_id,
            booking_key=order.booking_key,
        ),
        (order.reservation_id, replace(reservation, state=ReservationState.SETTLED)),
        order.booking_key,
    )


def _void(books: Books, command: Command, order: Void) -> CarriedOut | Declined:
    reservation = _reservation(books, command, order.reservation_id, ReservationState.RESERVED)
    if isinstance(reservation, Declined):
        return reservation
    transfers = _by_part(
        reservation,
        in_transit(reservation.subject, reservation.unit),
        payable(reservation.subject, reservation.unit),
    )
    return CarriedOut(
        _draft(command, TransactionKind.VOIDED, transfers, reservation_id=order.reservation_id, reason=order.reason),
        (order.reservation_id, replace(reservation, state=ReservationState.VOIDED)),
    )


def _return(books: Books, command: Command, order: Return, minor_digits: Mapping[str, int]) -> CarriedOut | Declined:
    reservation = _reservation(books, command, order.reservation_id, ReservationState.SETTLED)
    if isinstance(reservation, Declined):
        return reservation
    credited = minor_units(order.credited, minor_digits[reservation.unit])
    kept = minor_units(order.charges, minor_digits[reservation.unit])
    if credited is None or kept is None or credited + kept != reservation.amount:
        return Declined(
            OutcomeCode.AMOUNT_INVALID,
            f"credited and charges must be the {reservation.amount} minor units of {reservation.unit} that were paid",
        )
    if order.booking_key in books.bookings:
        return _booking_known(order.booking_key)
    target = payable(reservation.subject, reservation.unit)
    transfers = []
    # What arrived is credited to the parts in their order, and what is missing at the end was kept by the banks.
    for part in reservation.parts:
        arrived = min(part.amount, credited)
        credited -= arrived
        scope = Scope(scheme_id=part.scheme_id, payer_id=part.payer_id)
        if arrived:
            transfers.append(TransferDraft(bank(reservation.unit), target, arrived, scope))
        if part.amount > arrived:
            transfers.append(TransferDraft(charges(reservation.unit), target, part.amount - arrived, scope))
    return CarriedOut(
        _draft(
            command,
            TransactionKind.RETURNED,
            tuple(transfers),
            reservation_id=order.reservation_id,
            booking_key=order.booking_key,
        ),
        (order.reservation_id, replace(reservation, state=ReservationState.RETURNED)),
        order.booking_key,
    )


def _book(
    books: Books,
    command: Command,
    order: Receive | Suspend,
    minor_digits: Mapping[str, int],
    *,
    kind: TransactionKind,
    counterpart: AccountKey,
) -> CarriedOut | Declined:
    """A booking of the bank against `counterpart`: money in, or for a suspend also money out."""
    amount = _amount(order.amount, order.unit, minor_digits)
    if isinstance(amount, Declined):
        return amount
    if order.booking_key in books.bookings:
        return _booking_known(order.booking_key)
    arrived = not isinstance(order, Suspend) or order.arrived
    debit, credit = (bank(order.unit), counterpart) if arrived else (counterpart, bank(order.unit))
    scope = Scope(payer_id=command.subject.id) if isinstance(order, Receive) else NO_SCOPE
    transfer = TransferDraft(debit, credit, amount, scope)
    return CarriedOut(_draft(command, kind, (transfer,), booking_key=order.booking_key), None, order.booking_key)


def _amount(text: str, unit: str, minor_digits: Mapping[str, int]) -> int | Declined:
    digits = minor_digits.get(unit)
    if digits is None:
        return Declined(OutcomeCode.AMOUNT_INVALID, f"{unit} is no currency of ISO 4217 with a minor unit")
    amount = minor_units(text, digits)
    if amount is None or amount == 0:
        return Declined(
            OutcomeCode.AMOUNT_INVALID, f"an amount in {unit} is above zero and has {digits} digits after the point"
        )
    if amount > AMOUNT_MINOR_MAX:
        return Declined(OutcomeCode.AMOUNT_OVERFLOW, f"an amount has at most {AMOUNT_MINOR_MAX} minor units")
    return amount


def _reservation(books: Books, command: Command, reservation_id: UUID, expected: ReservationState) -> Reservation | Declined:
    reservation = books.reservations.get(reservation_id)
    if reservation is None or reservation.subject != command.subject:
        return Declined(OutcomeCode.UNKNOWN_RESERVATION, "the subject has no reservation of this id")
    if reservation.state is expected:
        return reservation
    match reservation.state:
        case ReservationState.RESERVED:
            return Declined(OutcomeCode.RESERVATION_NOT_SETTLED, "the reservation was not settled yet")
        case ReservationState.SETTLED:
            return Declined(OutcomeCode.RESERVATION_SETTLED, "the reservation was settled before")
        case ReservationState.VOIDED:
            return Declined(OutcomeCode.RESERVATION_VOIDED, "the reservation was voided before")
        case ReservationState.RETURNED:
            return Declined(OutcomeCode.RESERVATION_RETURNED, "the payment was returned before")
        case _ as unknown:
            assert_never(unknown)


def _booking_known(booking_key: str) -> Declined:
    return Declined(OutcomeCode.BOOKING_KNOWN, f"booking {booking_key} was posted before")


def _by_part(reservation: Reservation, debit: AccountKey, credit: AccountKey) -> tuple[TransferDraft, ...]:
    return tuple(
        TransferDraft(debit, credit, part.amount, Scope(scheme_id=part.scheme_id, payer_id=part.payer_id))
        for part in reservation.parts
    )


def _draft(
    command: Command,
    kind: TransactionKind,
    transfers: tuple[TransferDraft, ...],
    *,
    reservation_id: UUID | None = None,
    booking_key: str | None = None,
    reason: str | None = None,
    attestation: Attestation | None = None,
) -> TransactionDraft:
    cause = CommandCause(command.command_id, command.kind, command.command_hash, reservation_id, booking_key, reason)
    return TransactionDraft(command.subject, kind, command.effective_on, cause, transfers, attestation=attestation)
