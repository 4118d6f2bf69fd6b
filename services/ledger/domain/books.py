"""The books of one batch: everything that deciding about its records needs, loaded before and saved after.

Goal: records of one batch see each other's effects, in order, without a query for each of them.
Method: dictionaries that use_cases/load_books.py fills and use_cases/save_books.py writes back; what is not in them does not
exist. The functions that decide only read; what was decided is entered afterwards, so a refusal changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

import msgspec

from schemas.ledger_words import AcceptedDetail, TransactionKind
from services.ledger.domain.account import AccountKey, SubjectKey
from services.ledger.domain.entitlement import Cause, LineKey, LotKey, Position, SaleKey
from services.ledger.domain.transaction import ClearedPart, TransferDraft
from services.ledger.limits import BALANCE_MAX


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """An entitlement that was accepted before, as far as repeats and conflicts are found and told of; `value` are its bytes."""

    entitlement_id: str
    cause: Cause
    sale_id: str
    sale_hash: str
    origin: str
    detail: AcceptedDetail
    recorded_at: datetime
    value: bytes


class LotHead(msgspec.Struct, frozen=True, gc=False):
    """Which entitlement of a lot counts."""

    position: Position
    entitlement_id: str


class RecoveredPosting(NamedTuple):
    """Leaves of an entitlement that were taken back from the log before it came again."""

    first_leaf: int
    leaves: int
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Answered:
    """A command that was understood before, and its outcome."""

    command_hash: str
    code: str
    message: str | None
    transaction_id: UUID | None
    recorded_at: datetime


class ReservationState(StrEnum):
    """The life of a reservation."""

    RESERVED = "reserved"
    SETTLED = "settled"
    VOIDED = "voided"
    RETURNED = "returned"


@dataclass(frozen=True, slots=True)
class ReservedPart:
    """What one payer owes under one scheme."""

    scheme_id: str
    payer_id: str
    amount: int


@dataclass(frozen=True, slots=True)
class Reservation:
    """Money of a subject that is set aside for one payment."""

    subject: SubjectKey
    unit: str
    parts: tuple[ReservedPart, ...]
    state: ReservationState

    @property
    def amount(self) -> int:
        """Sum of the parts."""
        return sum(part.amount for part in self.parts)


@dataclass(frozen=True, slots=True)
class SuspendedBooking:
    """A booking in suspense. `arrived` tells money in from money out; `open_amount` is what nobody has cleared yet."""

    unit: str
    arrived: bool
    amount: int
    open_amount: int
    booked_on: date


@dataclass(frozen=True, slots=True)
class PostedTransaction:
    """A transaction of the journal that a correction names. `reversed_before`: another correction took it back."""

    subject: SubjectKey
    kind: TransactionKind
    transfers: tuple[TransferDraft, ...]
    clears: tuple[ClearedPart, ...]
    reversed_before: bool


@dataclass(slots=True)
class Balance:
    """Sums of an account's transfers. `account_id` is None while the account is not yet opened."""

    account_id: int | None = None
    debits: int = 0
    credits: int = 0


@dataclass(slots=True)
class SubjectCounter:
    """How far a subject's transactions have been numbered, and the last that took money back (0: none)."""

    last_number: int = 0
    last_negative_number: int = 0


@dataclass(slots=True)
class Books:
    """See the module."""

    accepted_by_sale: dict[SaleKey, Accepted] = field(default_factory=dict)
    accepted_by_position: dict[tuple[LotKey, Position], Accepted] = field(default_factory=dict)
    # The one accepted sale of each revision.
    sale_by_revision: dict[tuple[LotKey, int], Accepted] = field(default_factory=dict)
    lot_heads: dict[LotKey, LotHead] = field(default_factory=dict)
    lot_lines: dict[LotKey, dict[LineKey, int]] = field(default_factory=dict)
    # As they were loaded, for lots that had a head; `lot_lines` gets a new dictionary when a lot advances.
    stored_lines: dict[LotKey, dict[LineKey, int]] = field(default_factory=dict)
    balances: dict[AccountKey, Balance] = field(default_factory=dict)
    posted_to: set[AccountKey] = field(default_factory=set)
    subjects: dict[SubjectKey, SubjectCounter] = field(default_factory=dict)
    commands: dict[UUID, Answered] = field(default_factory=dict)
    reservations: dict[UUID, Reservation] = field(default_factory=dict)
    bookings: set[str] = field(default_factory=set)
    suspended: dict[str, SuspendedBooking] = field(default_factory=dict)
    posted: dict[UUID, PostedTransaction] = field(default_factory=dict)
    # What was taken back from the log after an old backup was restored: by entitlement, and by command and hash.
    recovered_postings: dict[str, RecoveredPosting] = field(default_factory=dict)
    recovered_outcomes: dict[tuple[UUID, str], Answered] = field(default_factory=dict)
    # No side of any account is larger; None until it is asked for.
    _largest_side: int | None = None

    def subject(self, key: SubjectKey) -> SubjectCounter:
        """The counter of a subject; a new one starts at 0."""
        counter = self.subjects.get(key)
        if counter is None:
            counter = self.subjects[key] = SubjectCounter()
        return counter

    def credit_balance(self, key: AccountKey) -> int:
        """Credits less debits of an account; 0 if there is none."""
        balance = self.balances.get(key)
        return 0 if balance is None else balance.credits - balance.debits

    def would_overflow(self, transfers: Iterable[TransferDraft]) -> bool:
        """Tell whether a bigint could overflow.

        The largest side of any account of the batch is measured with the sum of all transfers: that refuses a few too many
        close to 2^63, which nobody will ever see, and spares looking at every account.
        """
        if self._largest_side is None:
            self._largest_side = max((max(b.debits, b.credits) for b in self.balances.values()), default=0)
        return self._largest_side + sum([transfer.amount for transfer in transfers]) > BALANCE_MAX

    def post(self, transfers: Iterable[TransferDraft]) -> None:
        """Add transfers to the balances."""
        balances, posted_to = self.balances, self.posted_to
        for transfer in transfers:
            debit, credit, amount = transfer.debit, transfer.credit, transfer.amount
            posted_to.add(debit)
            posted_to.add(credit)
            if (debited := balances.get(debit)) is None:
                debited = balances[debit] = Balance()
            debited.debits += amount
            if (credited := balances.get(credit)) is None:
                credited = balances[credit] = Balance()
            credited.credits += amount
            if self._largest_side is not None:
                self._largest_side = max(self._largest_side, debited.debits, credited.credits)
