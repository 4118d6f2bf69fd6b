"""Commands as the ledger carries them out, one dataclass for each kind.

Method: made by adapters/command_topic.py out of the contract. Amounts are still the decimal texts that were sent: whether
they fit their currency is decided where the command is carried out, because it is answered with a code.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from services.ledger.domain.account import SubjectKey


@dataclass(frozen=True, slots=True)
class AskedPart:
    """What one payer owes under one scheme, as asked for."""

    scheme_id: str
    payer_id: str
    amount: str


@dataclass(frozen=True, slots=True)
class Reserve:
    """payable to in_transit, for one attempt of a payout order."""

    reservation_id: UUID
    unit: str
    parts: tuple[AskedPart, ...]
    seen_subject_number: int


@dataclass(frozen=True, slots=True)
class Settle:
    """in_transit to bank."""

    reservation_id: UUID
    booking_key: str


@dataclass(frozen=True, slots=True)
class Void:
    """in_transit back to payable."""

    reservation_id: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class Return:
    """bank, and charges for what banks kept, to payable."""

    reservation_id: UUID
    credited: str
    charges: str
    booking_key: str


@dataclass(frozen=True, slots=True)
class Receive:
    """A payer's money: bank against receivable."""

    unit: str
    amount: str
    booking_key: str


@dataclass(frozen=True, slots=True)
class Suspend:
    """A booking that matches nothing. `arrived` tells money in from money out."""

    unit: str
    amount: str
    arrived: bool
    booking_key: str


@dataclass(frozen=True, slots=True)
class Attest:
    """A hash to be put on record."""

    attestation: str
    sha256: str


Order = Reserve | Settle | Void | Return | Receive | Suspend | Attest


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `command_hash` is over its canonical JSON."""

    command_id: UUID
    command_hash: str
    kind: str
    subject: SubjectKey
    effective_on: date
    order: Order
