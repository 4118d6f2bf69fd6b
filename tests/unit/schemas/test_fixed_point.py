"""Exact arithmetic on texts, against fractions."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.fixed_point import fixed_text, quotient_half_even, scaled_e12, shortest_text

texts = st.from_regex(r"-?[0-9]{1,18}(\.[0-9]{1,12})?", fullmatch=True, alphabet="-.0123456789")


@given(text=texts)
def test_text_becomes_the_exact_number_and_back(text: str) -> None:
    scaled = scaled_e12(text)
    assert Fraction(scaled, 10**12) == Fraction(text)
    assert Fraction(fixed_text(scaled, 12)) == Fraction(text)
    assert Fraction(shortest_text(scaled, 12)) == Fraction(text)


@given(numerator=st.integers(), denominator=st.integers(1, 10**30))
def test_quotient_is_rounded_half_even(numerator: int, denominator: int) -> None:
    assert quotient_half_even(numerator, denominator) == round(Fraction(numerator, denominator))


@pytest.mark.parametrize(("numerator", "quotient"), [(1, 0), (3, 2), (5, 2), (-1, 0), (-3, -2), (-5, -2), (7, 4)])
def test_ties_go_to_the_even_neighbour(numerator: int, quotient: int) -> None:
    assert quotient_half_even(numerator, 2) == quotient


@pytest.mark.parametrize(
    ("scaled", "digits", "fixed", "shortest"),
    [
        (0, 2, "0.00", "0"),
        (5, 2, "0.05", "0.05"),
        (-5, 3, "-0.005", "-0.005"),
        (150, 2, "1.50", "1.5"),
        (1200, 0, "1200", "1200"),
        (1200, 2, "12.00", "12"),
    ],
)
def test_numbers_are_written_in_one_form(scaled: int, digits: int, fixed: str, shortest: str) -> None:
    assert (fixed_text(scaled, digits), shortest_text(scaled, digits)) == (fixed, shortest)


@given(text=texts)
def test_shortest_form_is_that_of_a_normalized_decimal(text: str) -> None:
    exact = Fraction(text)
    assert Decimal(shortest_text(scaled_e12(text), 12)) == Decimal(text)
    if exact.denominator == 1:
        assert "." not in shortest_text(scaled_e12(text), 12)
