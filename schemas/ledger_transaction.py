"""What the ledger publishes (`ledger.transactions.v1`), keyed by subject id: transactions and command outcomes.

Goal: every party can see, and later prove, its own postings. A transaction's message is byte for byte its leaf in the log:
canonical JSON (RFC 8785) of the whole transaction with its cause and a random nonce.
Method: `subject_number` counts without gaps for each subject, `leaf_index` over the whole ledger; both let a reader know
what it has not seen. ids, weights and amounts only: never names, free text, bank accounts or contacts.
Units: `amount_minor` in the unit's minor units (ISO 4217), or milligrams of fine gold for the unit AU-MG.
Source: design, sections 2 and 6.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field

from schemas.identifiers import Id
from schemas.ledger_command import Closed, ExchangeRate, Sha256Hex, Subject
from schemas.ledger_words import AMOUNT_MINOR_MAX, OutcomeCode, OwnerKind, Purpose, TransactionKind

LEDGER_TRANSACTION_TYPE: Final = "ledger.transaction.v1"
LEDGER_OUTCOME_TYPE: Final = "ledger.command-outcome.v1"
# tlog-tiles writes an entry's length in 16 bits; the rest is left for what later versions add.
LEAF_BYTES_MAX: Final = 60_000


class Account(Closed):
    """An account without its unit, which is the transfer's."""

    owner_kind: OwnerKind
    owner_id: Id
    purpose: Purpose


class PremiumScope(Closed):
    """What a premium's transfer stores beside its amount. For fine gold and reservations, what does not apply is null."""

    refiner_id: str | None = None
    lot_id: str | None = None
    revision: int | None = None
    stage: str | None = None
    scheme_id: str | None = None
    payer_id: str | None = None
    role: str | None = None


class Transfer(Closed):
    """One debit, one credit, one positive amount, one unit."""

    debit: Account
    credit: Account
    amount_minor: Annotated[int, Field(gt=0, le=AMOUNT_MINOR_MAX)]
    unit: Id
    scope: PremiumScope | None = None


class SaleReference(Closed):
    """The sale event behind an entitlement."""

    source: str
    id: str
    hash: str


class ExplanationStep(Closed):
    """One step of the calculation as data."""

    step: str
    rule: str
    values: dict[str, str]


class EntitlementCause(Closed):
    """The entitlement revision that was posted, as far as it concerns the whole lot."""

    kind: Literal["entitlement"] = "entitlement"
    entitlement_id: UUID
    refiner_id: str
    lot_id: str
    revision: int
    calculation: int
    stage: str
    status: str
    sold_on: date
    sale: SaleReference
    registry_version: str
    fineness_permille: str | None
    fine_weight_g: str | None
    explanation: tuple[ExplanationStep, ...]


class ClearedPart(Closed):
    """By how much less of a booking is open in suspense; below zero where a clearing was reversed."""

    booking_key: str
    amount_minor: Annotated[int, Field(ge=-AMOUNT_MINOR_MAX, le=AMOUNT_MINOR_MAX)]


class CommandCause(Closed):
    """The command that was carried out. What does not apply to its kind is left out.

    Opening balances and corrections name the two persons who decided and the hash of the reason that they gave in words.
    """

    kind: Literal["command"] = "command"
    command_id: UUID
    command: str
    command_hash: str
    reservation_id: UUID | None = None
    booking_key: str | None = None
    reason: str | None = None
    clears: tuple[ClearedPart, ...] = ()
    rate: ExchangeRate | None = None
    reverses: UUID | None = None
    reason_sha256: Sha256Hex | None = None
    proposed_by: str | None = None
    approved_by: str | None = None


class PremiumLine(Closed):
    """One cumulative line of the lot for this subject, before and after. Decimal strings; weights in grams."""

    scheme_id: str
    scheme_version: str | None
    payer_id: str
    role: str
    currency: str
    fine_weight_g: str | None
    amount: str
    previous_amount: str
    eligible: bool
    reason: str | None


class GoldLine(Closed):
    """This subject's share of the lot's fine gold, before and after, in grams."""

    fine_weight_g: str
    previous_fine_weight_g: str


class Attestation(Closed):
    """A hash put on record."""

    attestation: str
    sha256: Sha256Hex


class LedgerTransaction(Closed):
    """One leaf of the log."""

    transaction_id: UUID
    leaf_index: Annotated[int, Field(ge=0)]
    subject: Subject
    subject_number: Annotated[int, Field(ge=1)]
    kind: TransactionKind
    part: Annotated[int, Field(ge=1)]
    parts: Annotated[int, Field(ge=1)]
    effective_on: date
    recorded_at: datetime
    nonce: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    cause: Annotated[EntitlementCause | CommandCause, Field(discriminator="kind")]
    lines: tuple[PremiumLine, ...] = ()
    gold: GoldLine | None = None
    transfers: tuple[Transfer, ...] = ()
    attestation: Attestation | None = None


class CommandOutcome(Closed):
    """The one outcome of a command; the same command again gets the same one."""

    command_id: UUID
    code: OutcomeCode
    transaction_id: UUID | None
    message: str | None = None
