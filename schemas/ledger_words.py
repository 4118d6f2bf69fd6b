"""Words and limits of the ledger that its contracts and its own decisions share.

Goal: one list of each, which can neither be written twice nor drift.
Method: plain enumerations and constants without pydantic, so that the ledger's pure functions may import them.
A word is never renamed or used again.
Source: design, section 6.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

FINE_GOLD: Final = "AU-MG"  # fine gold in milligrams, so that tonnes are as provable as dollars.
# RFC 8785 numbers are IEEE doubles: an integer above this would not survive canonical JSON.
AMOUNT_MINOR_MAX: Final = 2**53 - 1
# One deployment serves one programme: its bank, charges and suspense accounts are owned by this id, whatever the
# command's subject is called.
PROGRAMME_OWNER_ID: Final = "programme"


class OwnerKind(StrEnum):
    """Whose account it is."""

    ORG = "org"
    FUND = "fund"
    PAYER = "payer"
    REFINER = "refiner"
    PROGRAMME = "programme"


class Purpose(StrEnum):
    """What an account is for."""

    PAYABLE = "payable"
    IN_TRANSIT = "in_transit"
    RECEIVABLE = "receivable"
    GOLD = "gold"
    BANK = "bank"
    CHARGES = "charges"
    SUSPENSE = "suspense"
    FX = "fx"


class TransactionKind(StrEnum):
    """What happened."""

    PREMIUM = "premium"
    RESERVED = "reserved"
    SETTLED = "settled"
    VOIDED = "voided"
    RETURNED = "returned"
    RECEIVED = "received"
    SUSPENDED = "suspended"
    ATTESTED = "attested"
    CLEARED = "cleared"
    EXCHANGED = "exchanged"
    OPENED = "opened"
    CORRECTED = "corrected"


class RateSide(StrEnum):
    """Which price of a currency it is, seen from whoever quotes it."""

    BID = "bid"
    ASK = "ask"
    MID = "mid"


class AcceptedDetail(StrEnum):
    """What became of an accepted entitlement: accepted = posted + unchanged + superseded."""

    POSTED = "posted"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"


class OutcomeCode(StrEnum):
    """What became of a command. A code is never renamed or reused."""

    POSTED = "POSTED"
    INSUFFICIENT_PAYABLE = "INSUFFICIENT_PAYABLE"
    STALE_VIEW = "STALE_VIEW"
    UNKNOWN_RESERVATION = "UNKNOWN_RESERVATION"
    RESERVATION_EXISTS = "RESERVATION_EXISTS"
    RESERVATION_SETTLED = "RESERVATION_SETTLED"
    RESERVATION_VOIDED = "RESERVATION_VOIDED"
    RESERVATION_NOT_SETTLED = "RESERVATION_NOT_SETTLED"
    RESERVATION_RETURNED = "RESERVATION_RETURNED"
    AMOUNT_INVALID = "AMOUNT_INVALID"
    AMOUNT_OVERFLOW = "AMOUNT_OVERFLOW"
    BOOKING_KNOWN = "BOOKING_KNOWN"
    UNKNOWN_BOOKING = "UNKNOWN_BOOKING"
    BOOKING_CLEARED = "BOOKING_CLEARED"
    DIRECTION_MISMATCH = "DIRECTION_MISMATCH"
    CURRENCY_MISMATCH = "CURRENCY_MISMATCH"
    UNKNOWN_ACCOUNT = "UNKNOWN_ACCOUNT"
    SAME_ACCOUNT = "SAME_ACCOUNT"
    UNKNOWN_TRANSACTION = "UNKNOWN_TRANSACTION"
    NOT_REVERSIBLE = "NOT_REVERSIBLE"
    ALREADY_REVERSED = "ALREADY_REVERSED"
    CONFLICTING_PAYLOAD = "CONFLICTING_PAYLOAD"
    SCHEMA_INVALID = "SCHEMA_INVALID"
