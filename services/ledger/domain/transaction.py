"""Transactions before they have a place in the log.

Goal: what was decided, for one subject, complete but for leaf index, subject number, time and nonce.
Method: plain records; adapters/leaf.py turns them into leaves, in several parts where one would be too large.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from uuid import UUID

import msgspec

from schemas.ledger_words import RateSide, TransactionKind
from services.ledger.domain.account import AccountKey, SubjectKey
from services.ledger.domain.entitlement import Entitlement, LineKey, PremiumLine


class Scope(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What a transfer is about, beside its accounts; what does not apply is None, and in no leaf."""

    refiner_id: str | None = None
    lot_id: str | None = None
    revision: int | None = None
    stage: str | None = None
    scheme_id: str | None = None
    payer_id: str | None = None
    role: str | None = None


NO_SCOPE = Scope()


class TransferDraft(msgspec.Struct, frozen=True, gc=False):
    """One debit, one credit, one amount above zero, in the unit of both accounts."""

    debit: AccountKey
    credit: AccountKey
    amount: int
    scope: Scope


class LineChange(msgspec.Struct, frozen=True, gc=False):
    """One premium line of a subject before and after. `line` is None if the new entitlement no longer has it."""

    key: LineKey
    line: PremiumLine | None
    previous: int


class GoldChange(msgspec.Struct, frozen=True, gc=False):
    """Fine gold of a subject in the lot, in milligrams, before and after."""

    previous: int
    current: int


class ClearedPart(NamedTuple):
    """By how much less of a booking is open in suspense; below zero where a clearing is reversed."""

    booking_key: str
    amount: int


class ExchangeRate(NamedTuple):
    """Price of one unit of the sold currency in the bought one, as it was given."""

    value: str
    source: str
    side: RateSide
    on: date


class Authority(NamedTuple):
    """Two persons, and the reason that they gave: its code, and the hash of its words."""

    proposed_by: str
    approved_by: str
    reason: str
    reason_sha256: str


@dataclass(frozen=True, slots=True)
class CommandCause:
    """The command behind a transaction, as its leaf names it."""

    command_id: UUID
    kind: str
    command_hash: str
    reservation_id: UUID | None = None
    booking_key: str | None = None
    reason: str | None = None
    clears: tuple[ClearedPart, ...] = ()
    rate: ExchangeRate | None = None
    reverses: UUID | None = None
    authority: Authority | None = None


@dataclass(frozen=True, slots=True)
class Attestation:
    """A hash put on record."""

    attestation: str
    sha256: str


class TransactionDraft(msgspec.Struct, frozen=True, gc=False):
    """One transaction of one subject. `takes_back` marks money taken from the subject, which makes older views stale."""

    subject: SubjectKey
    kind: TransactionKind
    effective_on: date
    cause: Entitlement | CommandCause
    transfers: tuple[TransferDraft, ...]
    lines: tuple[LineChange, ...] = ()
    gold: GoldChange | None = None
    attestation: Attestation | None = None
    takes_back: bool = False

    @property
    def reverses(self) -> UUID | None:
        """The transaction that it takes back, if it does."""
        return self.cause.reverses if isinstance(self.cause, CommandCause) else None
