"""Exact arithmetic on decimal texts, with scaled integers.

Goal: no figure is ever rounded by accident. A wire decimal has at most 12 digits after the point, so as an integer
of 1e-12 units it is exact, and Python integers have no precision that could run out.
Method: text -> integer of a named scale (`…_e12` counts 1e-12 units) -> integer arithmetic -> text. The only
rounding is `quotient_half_even`, called by name where the rules of the calculation say so.
Refuses: nothing; the texts it reads were checked by `schemas.decimals` before.
"""

from __future__ import annotations

from typing import Final

FRACTION_DIGITS_MAX: Final = 12  # The contracts' limit on digits after the point.


def scaled_e12(text: str) -> int:
    """Return a checked decimal text as a whole number of 1e-12 units; exact."""
    whole, _, fraction = text.partition(".")
    return int(whole + fraction.ljust(FRACTION_DIGITS_MAX, "0"))


def quotient_half_even(numerator: int, denominator: int) -> int:
    """Return numerator / denominator rounded to a whole number, ties to the even one. denominator > 0."""
    quotient, remainder = divmod(numerator, denominator)
    twice = remainder + remainder
    if twice > denominator or (twice == denominator and quotient & 1):
        return quotient + 1
    return quotient


def fixed_text(scaled: int, digits: int) -> str:
    """Write an integer of 1e-digits units with exactly `digits` digits after the point (none: no point)."""
    if digits == 0:
        return str(scaled)
    sign, scaled = ("-", -scaled) if scaled < 0 else ("", scaled)
    figures = str(scaled).rjust(digits + 1, "0")
    return f"{sign}{figures[:-digits]}.{figures[-digits:]}"


def shortest_text(scaled: int, digits: int) -> str:
    """Write an integer of 1e-digits units exactly, without trailing zeros after the point."""
    text = fixed_text(scaled, digits)
    return text.rstrip("0").rstrip(".") if digits else text
