"""What payout answers when it does not do what it was asked, and what stops it.

Refused                          a business outcome: a value with a stable code, nothing was changed
UnreadableLedgerMessageError     a message of the ledger that this release cannot read: the consumer stops, nothing is skipped
ContradictingLedgerError         the ledger's topic says two things about one leaf or command: the consumer stops
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RefusalCode(StrEnum):
    """Why a request is not carried out. A code is never renamed or reused."""

    SCHEMA_INVALID = "SCHEMA_INVALID"
    ROLE_MISSING = "ROLE_MISSING"
    SAME_ACTOR = "SAME_ACTOR"
    REGISTRY_MISSING = "REGISTRY_MISSING"
    DEBTOR_ACCOUNT_MISSING = "DEBTOR_ACCOUNT_MISSING"
    CYCLE_OPEN = "CYCLE_OPEN"
    CYCLE_DATE_PASSED = "CYCLE_DATE_PASSED"
    CYCLE_UNKNOWN = "CYCLE_UNKNOWN"
    CYCLE_NOT_READY = "CYCLE_NOT_READY"
    CYCLE_CLOSED = "CYCLE_CLOSED"
    ORGANIZATION_UNKNOWN = "ORGANIZATION_UNKNOWN"
    ACCOUNT_UNKNOWN = "ACCOUNT_UNKNOWN"
    ACCOUNT_INVALID = "ACCOUNT_INVALID"
    ACCOUNT_NOT_PROPOSED = "ACCOUNT_NOT_PROPOSED"
    PERIOD_INVALID = "PERIOD_INVALID"
    PERIOD_CLOSED = "PERIOD_CLOSED"
    VIEW_INCOMPLETE = "VIEW_INCOMPLETE"
    STATEMENT_OUT_OF_BALANCE = "STATEMENT_OUT_OF_BALANCE"
    STATEMENT_NOT_RENDERED = "STATEMENT_NOT_RENDERED"
    SCHEME_UNKNOWN = "SCHEME_UNKNOWN"
    DOCUMENT_UNKNOWN = "DOCUMENT_UNKNOWN"
    BANK_FOLDER_UNUSABLE = "BANK_FOLDER_UNUSABLE"


class VoidReason(StrEnum):
    """Why an order was given up before it was sent. What the bank refuses is `RJCT_` and the bank's own code, or `RJCT`."""

    PREMIUM_CORRECTED = "PREMIUM_CORRECTED"
    CYCLE_CANCELLED = "CYCLE_CANCELLED"
    ACCOUNT_NOT_PAYABLE = "ACCOUNT_NOT_PAYABLE"
    PAYMENT_INVALID = "PAYMENT_INVALID"


class QuarantineCode(StrEnum):
    """Why a readable file of the bank is kept for a person. What is unreadable has the code of bank/errors.py."""

    ORIGINAL_UNKNOWN = "ORIGINAL_UNKNOWN"
    FOREIGN_ACCOUNT = "FOREIGN_ACCOUNT"


@dataclass(frozen=True, slots=True)
class Refused:
    """Not done; `message` says what to do."""

    code: RefusalCode
    message: str


class UnreadableLedgerMessageError(Exception):
    """A message of ledger.transactions.v1 that cannot be read. Skipping it could pay twice or never."""


class ContradictingLedgerError(Exception):
    """Two messages about the same leaf, or the same command, differ."""
