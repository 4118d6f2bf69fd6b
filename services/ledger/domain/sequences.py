"""Which numbers of a refiner's sequence are settled, and which are not.

Goal: a sale that never arrived, or was rejected and never mended, is seen, although nothing else would ever tell of it.
Method: settled numbers are kept as ranges, so that a mistyped number costs a row and not a billion. Between two ranges lies a
gap. A gap was noticed when the range after it began; closing it from below does not make it younger, and a late arrival in
its middle does not either.
Refuses: nothing. What came before a refiner's lowest number is no gap: it began to count there.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class SettledRange:
    """Numbers `first` to `last`, both included, without a gap. `began_at` is when the first of them was settled."""

    first: int
    last: int
    began_at: datetime


def settled(ranges: Iterable[SettledRange], numbers: Iterable[tuple[int, datetime]]) -> list[SettledRange]:
    """The ranges in ascending order, with more numbers settled at their times. Ranges neither overlap nor touch."""
    merged = sorted(ranges, key=lambda known: known.first)
    for number, at in numbers:
        _settle(merged, number, at)
    return merged


def _settle(ranges: list[SettledRange], number: int, at: datetime) -> None:
    place = bisect_right(ranges, number, key=lambda known: known.first)
    before = ranges[place - 1] if place else None
    after = ranges[place] if place < len(ranges) else None
    if before is not None and number <= before.last:
        return
    extends = before is not None and before.last + 1 == number
    meets = after is not None and after.first == number + 1
    if before is not None and extends:
        first, began_at, start = before.first, before.began_at, place - 1
    else:
        # In the middle of a gap: what is left of it below was noticed as early as the gap itself.
        first, start = number, place
        began_at = at if after is None else min(at, after.began_at)
    last, end = (after.last, place + 1) if after is not None and meets else (number, place)
    ranges[start:end] = [SettledRange(first, last, began_at)]


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers `first` to `last`, both included, that never arrived, and since when that is known."""

    first: int
    last: int
    noticed_at: datetime

    @property
    def count(self) -> int:
        """How many numbers."""
        return self.last - self.first + 1


def gaps(ranges: Sequence[SettledRange], rejected: Iterable[int]) -> list[Gap]:
    """What is missing between ranges in ascending order, less what did arrive and was rejected."""
    arrived = sorted(set(rejected))
    found = []
    for before, after in pairwise(ranges):
        first = before.last + 1
        for number in arrived[bisect_right(arrived, before.last) : bisect_right(arrived, after.first - 1)]:
            if first < number:
                found.append(Gap(first, number - 1, after.began_at))
            first = number + 1
        if first < after.first:
            found.append(Gap(first, after.first - 1, after.began_at))
    return found
