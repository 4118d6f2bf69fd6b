"""What is open in the refiners' sequences: for `premia gaps` and for metrics."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from services.ledger.domain.sequences import SettledRange, gaps

if TYPE_CHECKING:
    from services.runtime.database import Connection

RANGES: Final = """
    SELECT refiner_id, first, last, began_at FROM ledger.sequence_range
    WHERE $1::text IS NULL OR refiner_id = $1 ORDER BY refiner_id, first"""
REJECTIONS: Final = """
    SELECT refiner_id, sequence, lot_id, revision, origin, code, rejected_at FROM ledger.sequence_rejection
    WHERE $1::text IS NULL OR refiner_id = $1 ORDER BY refiner_id, sequence"""


class GapKind(StrEnum):
    """Why a number is open."""

    MISSING = "missing"  # it never arrived
    REJECTED = "rejected"  # it arrived, was rejected, and nothing mended it since


@dataclass(frozen=True, slots=True)
class OpenNumbers:
    """Numbers `first` to `last` of one refiner, both included. A rejected one stands alone and names its event."""

    refiner_id: str
    kind: GapKind
    first: int
    last: int
    since: datetime
    lot_id: str | None = None
    revision: int | None = None
    origin: str | None = None
    code: str | None = None

    @property
    def count(self) -> int:
        """How many numbers."""
        return self.last - self.first + 1


async def sequence_gaps(conn: Connection, refiner_id: str | None = None) -> list[OpenNumbers]:
    """All that is open, of one refiner or of all, by refiner and number."""
    ranges: dict[str, list[SettledRange]] = defaultdict(list)
    for row in await conn.fetch(RANGES, refiner_id):
        ranges[row["refiner_id"]].append(SettledRange(row["first"], row["last"], row["began_at"]))
    rejected: dict[str, list[int]] = defaultdict(list)
    found = []
    for row in await conn.fetch(REJECTIONS, refiner_id):
        rejected[row["refiner_id"]].append(row["sequence"])
        found.append(
            OpenNumbers(
                row["refiner_id"],
                GapKind.REJECTED,
                row["sequence"],
                row["sequence"],
                row["rejected_at"],
                row["lot_id"],
                row["revision"],
                row["origin"],
                row["code"],
            )
        )
    for refiner, known in ranges.items():
        found += [
            OpenNumbers(refiner, GapKind.MISSING, gap.first, gap.last, gap.noticed_at) for gap in gaps(known, rejected[refiner])
        ]
    return sorted(found, key=lambda numbers: (numbers.refiner_id, numbers.first))


@dataclass(frozen=True, slots=True)
class GapFigures:
    """How much is open: stretches of missing numbers, rejected numbers, and since when, in seconds (0: nothing is)."""

    gaps_by_kind: dict[GapKind, int]
    oldest_seconds: float


async def gap_figures(conn: Connection, now: datetime) -> GapFigures:
    """The figures of all refiners."""
    found = await sequence_gaps(conn)
    counts = dict.fromkeys(GapKind, 0)
    for numbers in found:
        counts[numbers.kind] += 1
    oldest = min((numbers.since for numbers in found), default=now)
    return GapFigures(counts, max(0.0, (now - oldest).total_seconds()))
