"""Settled numbers of a sequence, compared with a plain set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.ledger.domain.sequences import Gap, SettledRange, gaps, settled

START = datetime(2025, 3, 14, tzinfo=UTC)


def at(hour: int) -> datetime:
    return START + timedelta(hours=hour)


def as_numbers(ranges: list[SettledRange]) -> list[int]:
    return [number for known in ranges for number in range(known.first, known.last + 1)]


@given(st.lists(st.integers(0, 40), max_size=60), st.lists(st.integers(0, 40), max_size=10), st.integers(1, 7))
def test_any_order_and_any_repetition_keep_the_same_numbers_and_show_the_same_gaps(
    numbers: list[int], rejected: list[int], batch: int
) -> None:
    ranges: list[SettledRange] = []
    for start in range(0, len(numbers), batch):
        ranges = settled(ranges, [(number, at(start)) for number in numbers[start : start + batch]])
    assert as_numbers(ranges) == sorted(set(numbers))
    assert all(before.last + 1 < after.first for before, after in pairwise(ranges))
    missing = [number for gap in gaps(ranges, rejected) for number in range(gap.first, gap.last + 1)]
    counted_past = range(min(numbers), max(numbers)) if numbers else ()
    assert missing == [number for number in counted_past if number not in {*numbers, *rejected}]


def test_a_gap_is_as_old_as_the_number_that_showed_it_however_it_is_filled() -> None:
    ranges = settled([], [(1, at(0)), (10, at(1))])
    assert gaps(ranges, []) == [Gap(2, 9, at(1))]
    ranges = settled(ranges, [(5, at(2)), (9, at(3)), (2, at(4))])
    assert gaps(ranges, []) == [Gap(3, 4, at(1)), Gap(6, 8, at(1))]
    ranges = settled(ranges, [(12, at(5))])
    assert gaps(ranges, [])[-1] == Gap(11, 11, at(5))


def test_a_mistyped_number_costs_one_range() -> None:
    ranges = settled([], [(1, at(0)), (2**53 - 1, at(1)), (2, at(2))])
    assert len(ranges) == 2
    (gap,) = gaps(ranges, [])
    assert gap.count == 2**53 - 4
