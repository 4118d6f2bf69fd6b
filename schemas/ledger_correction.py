"""Opening balances and corrections of the ledger, which two persons decide through its HTTP API.

Goal: whoever approves sees what will be posted, by the code that will post it; whoever reads the log later sees both persons.
Method: a proposal names one subject and either a transaction of it that is taken back, or accounts of it that are posted
against suspense. Its id is chosen by who proposes, so that sending it again is safe. The reason's words stay with the proposal;
leaves carry their hash.
Refuses: what the ledger would refuse to post, when it is proposed and again when it is approved.
Source: design, section 6; docs/adr/0016.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from schemas.contract import Contract, refuse_member
from schemas.decimals import NonNegativeDecimal
from schemas.identifiers import BusinessDay, Id, Text
from schemas.ledger_command import Subject
from schemas.ledger_transaction import Transfer
from schemas.ledger_words import OutcomeCode, OwnerKind, Purpose

UNIT_PATTERN: Final = r"^([A-Z]{3}|AU-MG)$"
REASON_PATTERN: Final = r"^[A-Z][A-Z0-9_]{1,63}$"
REASON_TEXT_PATTERN: Final = r"^[^\x00-\x1F\x7F-\x9F]+$"  # no control characters: it is read on terminals
REASON_CHARS_MAX: Final = 1_000  # half a page: what an auditor will read years later.
# All of them go into one cause of one leaf with ids at their longest; who opens more accounts of one subject proposes twice.
LINES_MAX: Final = 20

Unit = Annotated[str, StringConstraints(pattern=UNIT_PATTERN)]


class LineSide(StrEnum):
    """Which side of the transfer the account is on; suspense is on the other."""

    DEBIT = "debit"
    CREDIT = "credit"


class CorrectionLine(Contract):
    """One account of the subject against suspense."""

    purpose: Purpose
    unit: Unit
    side: LineSide
    amount: NonNegativeDecimal
    scheme_id: Id | None = None
    payer_id: Id | None = None
    booking_key: Text | None = None

    @model_validator(mode="after")
    def _payable_is_some_payers(self) -> CorrectionLine:
        for name in ("scheme_id", "payer_id"):
            if (self.purpose is Purpose.PAYABLE) != (getattr(self, name) is not None):
                refuse_member("scope", "goes with purpose payable, and only with it: netting stays within them", name)
        return self


class Reason(Contract):
    """Why, as a code and in words. The words are kept with the proposal; leaves have their SHA-256."""

    code: Annotated[str, StringConstraints(pattern=REASON_PATTERN)]
    text: Annotated[str, StringConstraints(pattern=REASON_TEXT_PATTERN, max_length=REASON_CHARS_MAX)]


class CorrectionProposal(Contract):
    """What one person proposes. `kind` open: balances from before the ledger; correct: something posted was wrong."""

    correction_id: UUID
    kind: Literal["open", "correct"]
    subject: Subject
    effective_on: BusinessDay
    reason: Reason
    reverses: UUID | None = None
    lines: Annotated[tuple[CorrectionLine, ...], Field(max_length=LINES_MAX)] = ()

    @model_validator(mode="after")
    def _says_one_thing(self) -> CorrectionProposal:
        if self.kind == "open" and self.reverses is not None:
            refuse_member("reverses", "is for corrections: an opening balance takes nothing back", "reverses")
        if (self.reverses is None) != bool(self.lines):
            refuse_member("lines", "give lines, or for a correction a transaction that it reverses: one of them", "lines")
        return self


class CorrectionState(StrEnum):
    """How far a proposal is."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    WITHDRAWN = "withdrawn"


class Correction(CorrectionProposal):
    """A proposal and what became of it. `transaction_id` and `leaf_index` are those of its first posting."""

    proposed_by: Text
    proposed_at: datetime
    state: CorrectionState
    decided_by: Text | None
    decided_at: datetime | None
    transaction_id: UUID | None
    leaf_index: int | None


class BalanceChange(Contract):
    """An account before and after, debit positive. `amount_minor` counts the unit's minor units or milligrams."""

    owner_kind: OwnerKind
    owner_id: Id
    purpose: Purpose
    unit: Unit
    before_minor: int
    after_minor: int


class CorrectionPreview(Contract):
    """What the ledger would post now. `code` is POSTED, or why it would refuse."""

    code: OutcomeCode
    message: str | None
    transfers: tuple[Transfer, ...]
    balances: tuple[BalanceChange, ...]


class ShownCorrection(Correction):
    """A proposal with what it would do; null once it was decided."""

    preview: CorrectionPreview | None


class Corrections(Contract):
    """Proposals, newest first. `complete` is false where there are older ones that do not fit."""

    corrections: tuple[Correction, ...]
    complete: bool
