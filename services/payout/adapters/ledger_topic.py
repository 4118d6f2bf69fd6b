"""The ledger's topics: commands written, transactions and outcomes read.

Goal: what crosses the wire becomes our own types once, here.
Method: the event's type says what a record is. Of a transaction only what payout uses is taken out: what it moved on accounts
payable and in_transit, and open items; its bytes are kept whole, because statements quote and prove them.
Refuses: UnreadableLedgerMessageError, which stops the consumer: inside there is no skipping.
Source: schemas/ledger_command.py, schemas/ledger_transaction.py.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

from pydantic import ValidationError

from schemas.canonical_json import canonical_json
from schemas.cloudevents import CloudEventAttributes
from schemas.currencies import minor_digits
from schemas.fixed_point import FRACTION_DIGITS_MAX, scaled_e12
from schemas.ledger_command import LEDGER_COMMAND_TYPE, LedgerCommand
from schemas.ledger_transaction import (
    LEDGER_OUTCOME_TYPE,
    LEDGER_TRANSACTION_TYPE,
    CommandCause,
    CommandOutcome,
    EntitlementCause,
    LedgerTransaction,
    Transfer,
)
from schemas.ledger_words import FINE_GOLD, OwnerKind, Purpose, TransactionKind
from schemas.message import Message
from schemas.topics import LEDGER_COMMANDS
from services.payout.errors import UnreadableLedgerMessageError

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

SOURCE: Final = "/payout"
E12_PER_MILLIGRAM: Final = 10**9  # weights have three decimals, so nothing is lost
_PAYEES: Final = frozenset({OwnerKind.ORG, OwnerKind.FUND})
_OWED: Final = frozenset({Purpose.PAYABLE, Purpose.IN_TRANSIT})
# Kinds whose postings on payable are money to be paid, or less of it; those of a payment move what items there are.
_MAKING_ITEMS: Final = frozenset(
    {TransactionKind.PREMIUM, TransactionKind.OPENED, TransactionKind.CORRECTED, TransactionKind.EXCHANGED}
)
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Posting:
    """What one transfer did to what an organization is owed: credits raise it. `position` counts within the transaction."""

    position: int
    purpose: str
    currency: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class ItemDelta:
    """Money posted for, or taken back from, an organization under one scheme by one payer; `position` is that of its posting.

    What was opened, corrected or exchanged is of no lot.
    """

    position: int
    scheme_id: str
    payer_id: str
    currency: str
    amount_minor: int
    role: str | None
    refiner_id: str | None
    lot_id: str | None
    revision: int | None
    stage: str | None


@dataclass(frozen=True, slots=True)
class Clearing:
    """By how much less of a booking is open in suspense."""

    booking_key: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class ReadTransaction:
    """One leaf, as far as payout uses it."""

    leaf_index: int
    transaction_id: UUID
    subject_kind: str
    subject_id: str
    subject_number: int
    kind: str
    effective_on: date
    refiner_id: str | None
    lot_id: str | None
    revision: int | None
    stage: str | None
    gold_mg: int | None
    command_id: UUID | None
    command: str | None
    reservation_id: UUID | None
    postings: tuple[Posting, ...]
    deltas: tuple[ItemDelta, ...]
    clearings: tuple[Clearing, ...]
    leaf: bytes


@dataclass(frozen=True, slots=True)
class ReadOutcome:
    """What became of a command; `transaction_id` is None where nothing was posted."""

    command_id: UUID
    code: str
    transaction_id: UUID | None
    message: str | None


def read_ledger_record(record: ConsumerRecord[Any, Any]) -> ReadTransaction | ReadOutcome:
    """Read one record of ledger.transactions.v1. Raises UnreadableLedgerMessageError."""
    origin = f"{record.topic}/{record.partition}/{record.offset}"
    types = [value for name, value in record.headers if name == "ce_type"]
    kind = types[0].decode(errors="replace") if len(types) == 1 and types[0] else "no type"
    try:
        if kind == LEDGER_TRANSACTION_TYPE:
            return _transaction(LedgerTransaction.model_validate_json(record.value or b""), record.value)
        if kind == LEDGER_OUTCOME_TYPE:
            outcome = CommandOutcome.model_validate_json(record.value or b"")
            return ReadOutcome(outcome.command_id, outcome.code, outcome.transaction_id, outcome.message)
    except (ValidationError, ValueError) as error:
        raise UnreadableLedgerMessageError(f"{origin} ({kind}): {error}") from error
    raise UnreadableLedgerMessageError(f"{origin}: {kind} is no type of the ledger's topic")


def ledger_command_message(command: LedgerCommand, at: datetime) -> Message:
    """A command as it is sent: keyed by its subject, so that the ledger takes a subject's commands in order."""
    attributes = CloudEventAttributes(id=str(command.command_id), source=SOURCE, type=LEDGER_COMMAND_TYPE, time=at)
    return Message(
        LEDGER_COMMANDS,
        command.subject.id.encode(),
        canonical_json(command.model_dump(mode="json")),
        attributes.to_headers(),
    )


def ledger_amount_minor(text: str, currency: str) -> int:
    """Minor units of an amount as the ledger writes it: signed, with exactly the currency's digits."""
    unit: int = 10 ** (FRACTION_DIGITS_MAX - minor_digits(currency))
    return scaled_e12(text) // unit


def _transaction(leaf: LedgerTransaction, value: bytes) -> ReadTransaction:
    cause = leaf.cause
    lot = cause if isinstance(cause, EntitlementCause) else None
    command = cause if isinstance(cause, CommandCause) else None
    postings: list[Posting] = []
    deltas: list[ItemDelta] = []
    if leaf.subject.kind in _PAYEES:
        for transfer in leaf.transfers:
            for posting in _owed(leaf, transfer, len(postings)):
                postings.append(posting)
                if leaf.kind in _MAKING_ITEMS and posting.purpose == Purpose.PAYABLE:
                    deltas.append(_delta(leaf, transfer, posting))
    return ReadTransaction(
        leaf_index=leaf.leaf_index,
        transaction_id=leaf.transaction_id,
        subject_kind=leaf.subject.kind,
        subject_id=leaf.subject.id,
        subject_number=leaf.subject_number,
        kind=leaf.kind,
        effective_on=leaf.effective_on,
        refiner_id=None if lot is None else lot.refiner_id,
        lot_id=None if lot is None else lot.lot_id,
        revision=None if lot is None else lot.revision,
        stage=None if lot is None else lot.stage,
        gold_mg=None
        if leaf.gold is None
        else _milligrams(leaf.gold.fine_weight_g) - _milligrams(leaf.gold.previous_fine_weight_g),
        command_id=None if command is None else command.command_id,
        command=None if command is None else command.command,
        reservation_id=None if command is None else command.reservation_id,
        postings=tuple(postings),
        deltas=tuple(deltas),
        clearings=() if command is None else _clearings(command),
        leaf=value,
    )


def _clearings(cause: CommandCause) -> tuple[Clearing, ...]:
    """One for each booking, also where a correction clears one by several lines."""
    total: Counter[str] = Counter()
    for part in cause.clears:
        total[part.booking_key] += part.amount_minor
    return tuple(Clearing(booking_key, amount_minor) for booking_key, amount_minor in total.items())


def _milligrams(grams: str) -> int:
    return scaled_e12(grams) // E12_PER_MILLIGRAM


def _owed(leaf: LedgerTransaction, transfer: Transfer, position: int) -> list[Posting]:
    if transfer.unit == FINE_GOLD:
        return []
    found: list[Posting] = []
    for account, sign in ((transfer.debit, -1), (transfer.credit, 1)):
        if account.owner_kind is leaf.subject.kind and account.owner_id == leaf.subject.id and account.purpose in _OWED:
            found.append(Posting(position + len(found), account.purpose, transfer.unit, sign * transfer.amount_minor))
    return found


def _delta(leaf: LedgerTransaction, transfer: Transfer, posting: Posting) -> ItemDelta:
    scope = transfer.scope
    if scope is None:
        raise ValueError("a payable's transfer without its scope")
    if leaf.kind is TransactionKind.PREMIUM:
        for field in ("role", "refiner_id", "lot_id", "revision", "stage"):
            _said(getattr(scope, field), field)
    return ItemDelta(
        position=posting.position,
        scheme_id=_said(scope.scheme_id, "scheme_id"),
        payer_id=_said(scope.payer_id, "payer_id"),
        currency=posting.currency,
        amount_minor=posting.amount_minor,
        role=scope.role,
        refiner_id=scope.refiner_id,
        lot_id=scope.lot_id,
        revision=scope.revision,
        stage=scope.stage,
    )


def _said(value: _Value | None, field: str) -> _Value:
    if value is None:
        raise ValueError(f"a payable's transfer does not say its {field}")
    return value
