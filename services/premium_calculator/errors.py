"""What the calculator answers when it does not do what it was asked, and what stops it.

RefusalCode               a request that is not carried out: a stable code, nothing was changed
LotRefusal                a lot that an approved recalculation leaves out; also the codes of rejected sales
UnreadableRecalculation   an event of recalculations.v1 that this release cannot read: the process ends, nothing is skipped
"""

from __future__ import annotations

from enum import StrEnum


class RefusalCode(StrEnum):
    """Why a request is not carried out. A code is never renamed or reused."""

    SCHEMA_INVALID = "SCHEMA_INVALID"
    ROLE_MISSING = "ROLE_MISSING"
    SAME_ACTOR = "SAME_ACTOR"
    REGISTRY_MISSING = "REGISTRY_MISSING"
    REGISTRY_CHANGED = "REGISTRY_CHANGED"
    RECALCULATION_UNKNOWN = "RECALCULATION_UNKNOWN"
    RECALCULATION_CLOSED = "RECALCULATION_CLOSED"
    RECALCULATIONS_UNREAD = "RECALCULATIONS_UNREAD"


class LotRefusal(StrEnum):
    """Why a lot of an approved recalculation is not published. A code is never renamed or reused."""

    REGISTRY_CHANGED = "REGISTRY_CHANGED"  # another registry came into force between approval and publication
    SALE_MISSING = "SALE_MISSING"  # there is no record at the place that was prepared
    RESULT_DIFFERS = "RESULT_DIFFERS"  # the calculation has another result than the one that was prepared


class UnreadableRecalculationError(ValueError):
    """An event of recalculations.v1 that this release cannot read."""
