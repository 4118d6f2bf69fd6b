"""What a command can lead to, and the checks that several kinds of command share.

Method: decisions are values; nothing here changes the books.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never
from uuid import UUID

from schemas.ledger_words import AMOUNT_MINOR_MAX, OutcomeCode, TransactionKind
from services.ledger.domain.account import AccountKey
from services.ledger.domain.amount import minor_units
from services.ledger.domain.books import Answered, Books, Reservation, ReservationState, SuspendedBooking
from services.ledger.domain.command import Command
from services.ledger.domain.transaction import CommandCause, Scope, TransactionDraft, TransferDraft


@dataclass(frozen=True, slots=True)
class CarriedOut:
    """To be posted; what follows from it is entered into the books with it.

    `booking_key` is a booking of the bank that is posted now; `suspended` are bookings in suspense as they then stand.
    """

    draft: TransactionDraft
    reservation: tuple[UUID, Reservation] | None = None
    booking_key: str | None = None
    suspended: Mapping[str, SuspendedBooking] = field(default_factory=dict)


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
class Recovered:
    """Answered before an old backup was restored, and remembered again: the same outcome again."""

    answered: Answered


@dataclass(frozen=True, slots=True)
class Conflicting:
    """The id belongs to another command."""

    message: str


CommandDecision = CarriedOut | Declined | AnsweredBefore | Recovered | Conflicting


def amount_of(text: str, unit: str, minor_digits: Mapping[str, int]) -> int | Declined:
    """An amount above zero in minor units. Declines AMOUNT_INVALID, AMOUNT_OVERFLOW."""
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


def reservation_of(books: Books, command: Command, reservation_id: UUID, expected: ReservationState) -> Reservation | Declined:
    """The subject's reservation, if it is in the state that is expected. Declines UNKNOWN_RESERVATION, RESERVATION_…."""
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


def spendable(books: Books, command: Command, source: AccountKey, amount: int, seen_subject_number: int) -> Declined | None:
    """None if `amount` may leave the subject's payable. Declines STALE_VIEW, INSUFFICIENT_PAYABLE."""
    counter = books.subjects.get(command.subject)
    if counter is not None and counter.last_negative_number > seen_subject_number:
        return Declined(
            OutcomeCode.STALE_VIEW,
            f"transaction {counter.last_negative_number} of the subject took money back, and only"
            f" {seen_subject_number} were seen: read on and prepare the order again",
        )
    if amount > books.credit_balance(source):
        return Declined(
            OutcomeCode.INSUFFICIENT_PAYABLE,
            f"{amount} minor units of {source.unit} were asked for, {books.credit_balance(source)} are payable",
        )
    return None


def booking_known(booking_key: str) -> Declined:
    """The answer to a booking that was posted before."""
    return Declined(OutcomeCode.BOOKING_KNOWN, f"booking {booking_key} was posted before")


def transfers_by_part(reservation: Reservation, debit: AccountKey, credit: AccountKey) -> tuple[TransferDraft, ...]:
    """All of a reservation from one account to another, each part with its scheme and payer."""
    return tuple(
        TransferDraft(debit, credit, part.amount, Scope(scheme_id=part.scheme_id, payer_id=part.payer_id))
        for part in reservation.parts
    )


def cause_of(command: Command) -> CommandCause:
    """The command as the cause of a transaction; callers add what its kind has."""
    return CommandCause(command.command_id, command.kind, command.command_hash)


def draft_of(
    command: Command, kind: TransactionKind, cause: CommandCause, transfers: tuple[TransferDraft, ...]
) -> TransactionDraft:
    """The subject's transaction on the command's day."""
    return TransactionDraft(command.subject, kind, command.effective_on, cause, transfers)
