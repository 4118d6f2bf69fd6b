"""What a leaf did to the books, read back from the leaf.

Goal: leaves that a database lost leave the same books when they are taken back from the log as when they were posted.
Method: accounts, the subject's numbers, reservations, bookings, suspense and reversals follow from the transaction alone. A
lot's head and lines do not: they advance when its entitlement comes again.
Refuses: a leaf that does not follow what its subject has, as ReplayError.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final
from uuid import UUID

from schemas.ledger_words import Purpose, TransactionKind
from services.ledger.domain.account import SubjectKey
from services.ledger.domain.books import Books, Reservation, ReservationState, ReservedPart, SuspendedBooking
from services.ledger.domain.transaction import CommandCause, TransferDraft

STATE_AFTER: Final = {
    TransactionKind.SETTLED: ReservationState.SETTLED,
    TransactionKind.VOIDED: ReservationState.VOIDED,
    TransactionKind.RETURNED: ReservationState.RETURNED,
}
# Of these, what is taken from a payable makes older views of it stale; payments are seen by whoever ordered them.
TAKES_BACK: Final = frozenset(
    {TransactionKind.PREMIUM, TransactionKind.EXCHANGED, TransactionKind.OPENED, TransactionKind.CORRECTED}
)


class ReplayError(Exception):
    """A leaf does not fit the books."""


@dataclass(frozen=True, slots=True)
class PostedLeaf:
    """One leaf. Its cause is a command, or only the id of an entitlement."""

    leaf_index: int
    transaction_id: UUID
    subject: SubjectKey
    subject_number: int
    kind: TransactionKind
    part: int
    parts: int
    effective_on: date
    recorded_at: datetime
    cause: CommandCause | UUID
    transfers: tuple[TransferDraft, ...]
    value: bytes

    @property
    def cause_id(self) -> UUID:
        """Of the command or entitlement."""
        return self.cause.command_id if isinstance(self.cause, CommandCause) else self.cause


@dataclass(frozen=True, slots=True)
class Replayed:
    """What changed beside balances and numbers: the reservation, and bookings in suspense."""

    reservation: tuple[UUID, Reservation] | None
    suspended: dict[str, SuspendedBooking]


def replay(books: Books, leaf: PostedLeaf) -> Replayed:
    """Enter a leaf into the books. Raises ReplayError."""
    counter = books.subject(leaf.subject)
    if leaf.subject_number != counter.last_number + 1:
        raise ReplayError(f"leaf {leaf.leaf_index} is number {leaf.subject_number} of its subject after {counter.last_number}")
    counter.last_number = leaf.subject_number
    if leaf.kind in TAKES_BACK and any(transfer.debit.purpose == Purpose.PAYABLE for transfer in leaf.transfers):
        # All parts of a transaction are one: whoever has not seen the last has not seen it.
        counter.last_negative_number = leaf.subject_number + leaf.parts - leaf.part
    books.post(leaf.transfers)
    if not isinstance(leaf.cause, CommandCause):
        return Replayed(None, {})
    reservation = _reservation(books, leaf, leaf.cause)
    if reservation is not None:
        books.reservations.update([reservation])
    suspended = _suspended(books, leaf, leaf.cause)
    books.suspended.update(suspended)
    return Replayed(reservation, suspended)


def _reservation(books: Books, leaf: PostedLeaf, cause: CommandCause) -> tuple[UUID, Reservation] | None:
    if cause.reservation_id is None:
        return None
    known = books.reservations.get(cause.reservation_id)
    if leaf.kind is TransactionKind.RESERVED:
        parts = tuple(ReservedPart(t.scope.scheme_id or "", t.scope.payer_id or "", t.amount) for t in leaf.transfers)
        if leaf.part > 1 and known is not None:
            return cause.reservation_id, replace(known, parts=(*known.parts, *parts))
        unit = leaf.transfers[0].debit.unit
        return cause.reservation_id, Reservation(leaf.subject, unit, parts, ReservationState.RESERVED)
    if known is None:
        raise ReplayError(f"leaf {leaf.leaf_index} is about reservation {cause.reservation_id}, which is not in the books")
    return cause.reservation_id, replace(known, state=STATE_AFTER[leaf.kind])


def _suspended(books: Books, leaf: PostedLeaf, cause: CommandCause) -> dict[str, SuspendedBooking]:
    if leaf.part > 1:
        return {}  # each part repeats the cause
    if leaf.kind is TransactionKind.SUSPENDED and cause.booking_key is not None:
        (transfer,) = leaf.transfers
        arrived = transfer.debit.purpose == Purpose.BANK
        booking = SuspendedBooking(transfer.debit.unit, arrived, transfer.amount, transfer.amount, leaf.effective_on)
        return {cause.booking_key: booking}
    suspended: dict[str, SuspendedBooking] = {}
    for part in cause.clears:
        known = suspended.get(part.booking_key) or books.suspended.get(part.booking_key)
        if known is None:
            raise ReplayError(f"leaf {leaf.leaf_index} clears booking {part.booking_key}, which is not in suspense")
        suspended[part.booking_key] = replace(known, open_amount=known.open_amount - part.amount)
    return suspended
