"""Commands to the ledger (`ledger.commands.v1`), keyed by subject id.

Goal: all money moves by commands on Kafka; every command gets exactly one outcome, the same one however often it is sent.
Method: a closed union by `kind`. Amounts are decimal strings with exactly the currency's minor digits.
Refuses: opening balances and corrections, which two persons decide through the ledger's API (schemas/ledger_correction.py).
Source: design, section 6 (table of postings and command kinds).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from schemas.decimals import PositiveDecimal
from schemas.identifiers import BusinessDay, CountingFromZero, Id, IsoDate, Text
from schemas.ledger_words import OwnerKind, RateSide

LEDGER_COMMAND_TYPE: Final = "ledger.command.v1"

# At most 18 digits before the point, as everywhere on the wire; whether the digits behind it fit the currency, and whether the
# amount fits the ledger, is the ledger's to answer with a code, because a command is answered and never dropped.
Amount = Annotated[str, Field(pattern=r"^[0-9]{1,18}(\.[0-9]{1,12})?$")]
Sha256Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
PARTS_MAX: Final = 200  # (scheme, payer) pairs of one payout order; the sample has at most 12, a transaction must stay small.


class Closed(BaseModel):
    """Frozen, and refusing unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Subject(Closed):
    """Whose story a transaction belongs to."""

    kind: OwnerKind
    id: Id


class ReservePart(Closed):
    """What one payer owes under one scheme: netting stays within these pairs."""

    scheme_id: Id
    payer_id: Id
    amount: Amount


class CommandBase(Closed):
    """What every command says: who asks, for whom, and on which business day it takes effect."""

    command_id: UUID
    subject: Subject
    effective_on: BusinessDay


class Reserve(CommandBase):
    """Set an organization's money aside for one attempt of a payout order: payable to in_transit.

    Refused as INSUFFICIENT_PAYABLE if payable would go below zero, as STALE_VIEW if a negative delta was posted for the
    subject after `seen_subject_number`.
    """

    kind: Literal["reserve"] = "reserve"
    reservation_id: UUID
    currency: Currency
    parts: Annotated[tuple[ReservePart, ...], Field(min_length=1, max_length=PARTS_MAX)]
    seen_subject_number: CountingFromZero


class Settle(CommandBase):
    """The bank booked the payment: in_transit to bank."""

    kind: Literal["settle"] = "settle"
    reservation_id: UUID
    booking_key: Text


class Void(CommandBase):
    """The payment was rejected, cancelled or never sent: in_transit back to payable."""

    kind: Literal["void"] = "void"
    reservation_id: UUID
    reason: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{1,63}$")]


class Return(CommandBase):
    """The payment came back after it was settled: bank (and what banks kept: charges) to payable."""

    kind: Literal["return"] = "return"
    reservation_id: UUID
    credited: Amount
    charges: Amount
    booking_key: Text


class Receive(CommandBase):
    """A payer's money arrived (camt.053, camt.054): bank against the payer's receivable. The subject is the payer."""

    kind: Literal["receive"] = "receive"
    currency: Currency
    amount: Amount
    booking_key: Text


class Direction(StrEnum):
    """As the bank writes it (CdtDbtInd), seen from the programme's account."""

    CREDIT = "CRDT"
    DEBIT = "DBIT"


class Suspend(CommandBase):
    """A booking that matches nothing: bank against suspense, until a person clears it. The subject is the programme."""

    kind: Literal["suspend"] = "suspend"
    currency: Currency
    amount: Amount
    direction: Direction
    booking_key: Text


class AgainstReceivable(Closed):
    """It was a payer's money, or money paid back to one. The subject is the payer."""

    kind: Literal["receivable"] = "receivable"


class AgainstSettlement(Closed):
    """It was a payment that was reserved: in_transit to suspense, for the whole reservation. The subject is the payee."""

    kind: Literal["settlement"] = "settlement"
    reservation_id: UUID


class AgainstReturn(Closed):
    """It was a payment that came back: suspense (and what banks kept: charges) to payable. The subject is the payee."""

    kind: Literal["return"] = "return"
    reservation_id: UUID
    charges: Amount


class AgainstCharges(Closed):
    """It was a bank's charge, or one that was given back. The subject is the programme."""

    kind: Literal["charges"] = "charges"


class AgainstBooking(Closed):
    """It and another booking in suspense, of the other direction, cancel each other. The subject is the programme."""

    kind: Literal["booking"] = "booking"
    booking_key: Text


ClearedAgainst = Annotated[
    AgainstReceivable | AgainstSettlement | AgainstReturn | AgainstCharges | AgainstBooking, Field(discriminator="kind")
]


class Clear(CommandBase):
    """Say what a booking in suspense was, for all of it or for a part: never for more than is still open of it."""

    kind: Literal["clear"] = "clear"
    booking_key: Text
    currency: Currency
    amount: Amount
    against: ClearedAgainst


class Money(Closed):
    """An amount of one currency."""

    currency: Currency
    amount: Amount


class ExchangeRate(Closed):
    """What one unit of the sold currency costs in the bought one: by whom, which side of the price, of which day."""

    value: PositiveDecimal
    source: Id
    side: RateSide
    on: IsoDate


class ExchangeOfBank(Closed):
    """The programme's own money at its banks. The subject is the programme."""

    kind: Literal["bank"] = "bank"


class ExchangeOfPayable(Closed):
    """What is payable to the subject under one scheme by one payer, so that it can be paid in another currency.

    Refused as a reserve is: INSUFFICIENT_PAYABLE, or STALE_VIEW.
    """

    kind: Literal["payable"] = "payable"
    scheme_id: Id
    payer_id: Id
    seen_subject_number: CountingFromZero


class Exchange(CommandBase):
    """Sell one currency for another, in two transfers over the accounts `fx`.

    Refused as AMOUNT_INVALID unless bought is sold times the rate, rounded half-even to the bought currency's minor unit.
    """

    kind: Literal["exchange"] = "exchange"
    sold: Money
    bought: Money
    rate: ExchangeRate
    of: Annotated[ExchangeOfBank | ExchangeOfPayable, Field(discriminator="kind")]


class Attest(CommandBase):
    """Put a hash on record: a statement's, or that of a decision with the persons who took it."""

    kind: Literal["attest"] = "attest"
    attestation: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.]{1,63}$")]
    sha256: Sha256Hex


LedgerCommand = Annotated[
    Reserve | Settle | Void | Return | Receive | Suspend | Clear | Exchange | Attest, Field(discriminator="kind")
]
LEDGER_COMMAND: Final[TypeAdapter[LedgerCommand]] = TypeAdapter(LedgerCommand)
