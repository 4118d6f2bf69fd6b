"""Commands to the ledger (`ledger.commands.v1`), keyed by subject id.

Goal: all money moves by commands on Kafka; every command gets exactly one outcome, the same one however often it is sent.
Method: a closed union by `kind`. Amounts are decimal strings with exactly the currency's minor digits.
Source: design, section 6 (table of postings and command kinds).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from schemas.identifiers import CountingFromZero, Id, IsoDate, Text
from schemas.ledger_words import OwnerKind

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
    effective_on: IsoDate


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


class Attest(CommandBase):
    """Put a hash on record: a statement's, or that of a decision with the persons who took it."""

    kind: Literal["attest"] = "attest"
    attestation: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.]{1,63}$")]
    sha256: Sha256Hex


LedgerCommand = Annotated[Reserve | Settle | Void | Return | Receive | Suspend | Attest, Field(discriminator="kind")]
LEDGER_COMMAND: Final[TypeAdapter[LedgerCommand]] = TypeAdapter(LedgerCommand)
