"""What the ledger answers when it does not do what it was asked over HTTP, and what ends its process.

Refused                         a business outcome: a value with a stable code, nothing was changed
UnreadableEntitlementError      the calculator and the ledger do not understand each other: the process ends
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from schemas.ledger_words import OutcomeCode


class RefusalCode(StrEnum):
    """Why a request is not carried out, beside the codes that commands are answered with. Never renamed or reused."""

    ROLE_MISSING = "ROLE_MISSING"
    SAME_ACTOR = "SAME_ACTOR"
    REGISTRY_MISSING = "REGISTRY_MISSING"
    CORRECTION_UNKNOWN = "CORRECTION_UNKNOWN"
    CORRECTION_CLOSED = "CORRECTION_CLOSED"
    CURSOR_INVALID = "CURSOR_INVALID"
    LOT_UNKNOWN = "LOT_UNKNOWN"


@dataclass(frozen=True, slots=True)
class Refused:
    """Not done; `message` says what to do."""

    code: RefusalCode | OutcomeCode
    message: str


class UnreadableEntitlementError(Exception):
    """A record of premium.entitlements.v1 cannot be read. Inside there is no skipping; the message names the record."""
