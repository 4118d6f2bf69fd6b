"""Commands as the ledger carries them out, one dataclass for each kind.

Method: made by adapters/command_topic.py out of the contract, opening balances and corrections by the ledger's API. Amounts
are still the decimal texts that were sent: whether they fit their currency is decided where the command is carried out,
because it is answered with a code.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar
from uuid import UUID

from services.ledger.domain.account import AccountKey, SubjectKey
from services.ledger.domain.transaction import Authority, ExchangeRate


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


# `arrived`: money that came in can be it, or money that went out; None: both.
@dataclass(frozen=True, slots=True)
class AgainstReceivable:
    """The subject's, who is a payer."""

    arrived: ClassVar[bool | None] = None


@dataclass(frozen=True, slots=True)
class AgainstSettlement:
    """The whole of a reservation was paid."""

    arrived: ClassVar[bool | None] = False
    reservation_id: UUID


@dataclass(frozen=True, slots=True)
class AgainstReturn:
    """A settled payment came back, less what banks kept."""

    arrived: ClassVar[bool | None] = True
    reservation_id: UUID
    charges: str


@dataclass(frozen=True, slots=True)
class AgainstCharges:
    """The programme's bank charges."""

    arrived: ClassVar[bool | None] = None


@dataclass(frozen=True, slots=True)
class AgainstBooking:
    """Another booking in suspense, of the other direction."""

    arrived: ClassVar[bool | None] = None
    booking_key: str


ClearedAgainst = AgainstReceivable | AgainstSettlement | AgainstReturn | AgainstCharges | AgainstBooking


@dataclass(frozen=True, slots=True)
class Clear:
    """What a booking in suspense was, for all of it or a part."""

    booking_key: str
    unit: str
    amount: str
    against: ClearedAgainst


@dataclass(frozen=True, slots=True)
class BankMoney:
    """The programme's own, at its banks."""


@dataclass(frozen=True, slots=True)
class PayableMoney:
    """What one payer owes the subject under one scheme."""

    scheme_id: str
    payer_id: str
    seen_subject_number: int


@dataclass(frozen=True, slots=True)
class Exchange:
    """One currency sold for another, over the accounts fx."""

    sold_unit: str
    sold: str
    bought_unit: str
    bought: str
    rate: ExchangeRate
    of: BankMoney | PayableMoney


@dataclass(frozen=True, slots=True)
class CorrectionLine:
    """One account of the subject against suspense. `scheme_id` and `payer_id` go with a payable.

    `booking_key`: the booking whose money the suspense side is.
    """

    account: AccountKey
    is_debit: bool
    amount: str
    scheme_id: str | None
    payer_id: str | None
    booking_key: str | None


@dataclass(frozen=True, slots=True)
class Open:
    """Opening balances, decided by two persons."""

    lines: tuple[CorrectionLine, ...]
    authority: Authority


@dataclass(frozen=True, slots=True)
class Correct:
    """A correction, decided by two persons: the transaction that it takes back, or accounts against suspense."""

    reverses: UUID | None
    lines: tuple[CorrectionLine, ...]
    authority: Authority


@dataclass(frozen=True, slots=True)
class Attest:
    """A hash to be put on record."""

    attestation: str
    sha256: str


Order = Reserve | Settle | Void | Return | Receive | Suspend | Clear | Exchange | Open | Correct | Attest


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `command_hash` is over its canonical JSON."""

    command_id: UUID
    command_hash: str
    kind: str
    subject: SubjectKey
    effective_on: date
    order: Order
