"""Two times of one ledger: what was recorded when, and with effect on which day.

Goal: a report that names its tree size can be made again to the byte, whatever was posted since and however far back.
Method: as recorded is a tree size, the number of leaves that counts. A moment is looked up as the number of leaves that were
recorded by then: recorded_at never decreases along the log, so twenty comparisons find it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from services.runtime.database import Connection

TREE_SIZE: Final = "SELECT tree_size FROM ledger.log_head"
RECORDED_AT: Final = "SELECT recorded_at FROM ledger.journal WHERE leaf_index = $1"


@dataclass(frozen=True, slots=True)
class AsOf:
    """The first `tree_size` leaves, as far as they took effect by `effective_on` (that day included)."""

    tree_size: int
    effective_on: date = date.max


async def present_tree_size(conn: Connection) -> int:
    """Leaves of the log now."""
    size: int = await conn.fetchval(TREE_SIZE)
    return size


async def tree_size_at(conn: Connection, moment: datetime) -> int:
    """Leaves that were recorded by `moment`, that moment included."""
    low, high = 0, await present_tree_size(conn)
    while low < high:
        middle = (low + high) // 2
        if await conn.fetchval(RECORDED_AT, middle) <= moment:
            low = middle + 1
        else:
            high = middle
    return low
