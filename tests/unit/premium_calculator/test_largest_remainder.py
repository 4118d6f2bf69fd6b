"""Sharing whole numbers: nothing is lost, and everyone is within one unit of the exact part."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.premium_calculator.domain.largest_remainder import split_by_largest_remainder


@pytest.mark.parametrize(
    ("total", "weights", "shares"),
    [
        (10, [1], [10]),
        (10, [0], [10]),
        (0, [0, 0], [0, 0]),
        (1, [1, 1], [1, 0]),
        (5, [7, 3], [4, 1]),  # 3.5 and 1.5: a tie, so the earlier
        (100, [1, 1, 1], [34, 33, 33]),
        (149550, [812300, 701155, 622978], [56861, 49081, 43608]),
        (2, [0, 1, 0], [0, 2, 0]),
    ],
)
def test_left_over_units_go_to_the_largest_remainders(total: int, weights: list[int], shares: list[int]) -> None:
    assert split_by_largest_remainder(total, weights) == shares


def test_something_cannot_be_shared_by_no_weight_at_all() -> None:
    with pytest.raises(ValueError, match="weight"):
        split_by_largest_remainder(1, [0, 0])


@given(total=st.integers(0, 10**30), weights=st.lists(st.integers(0, 10**30), min_size=1, max_size=64).filter(any))
def test_shares_sum_to_the_total_and_stay_within_one_unit(total: int, weights: list[int]) -> None:
    shares = split_by_largest_remainder(total, weights)
    assert sum(shares) == total
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share - Fraction(total * weight, sum(weights))) < 1


@given(total=st.integers(0, 10**6), weights=st.lists(st.integers(0, 50), min_size=2, max_size=12).filter(any))
def test_heavier_member_never_gets_less(total: int, weights: list[int]) -> None:
    by_weight = sorted(zip(weights, split_by_largest_remainder(total, weights), strict=True))
    for (lighter, less), (heavier, more) in pairwise(by_weight):
        assert lighter == heavier or less <= more
