"""Amounts of the ledger as people read them: money in its currency, fine gold in grams."""

from __future__ import annotations

from typing import Final

from schemas.fixed_point import fixed_text
from schemas.ledger_words import FINE_GOLD

GRAM_DIGITS: Final = 3


def plain(amount: int, unit: str) -> str:
    """The figure alone, as messages write it: 1498.08 for 149808 US cents, 2140.109 for milligrams of fine gold."""
    from schemas.currencies import minor_digits  # noqa: PLC0415  loads pydantic, which no help needs

    return fixed_text(amount, GRAM_DIGITS if unit == FINE_GOLD else minor_digits(unit))


def grouped(amount: int, unit: str) -> str:
    """As `plain`, with thousands set apart by commas."""
    whole, point, fraction = plain(abs(amount), unit).partition(".")
    return f"{'-' if amount < 0 else ''}{int(whole):,}{point}{fraction}"


def unit_name(unit: str) -> str:
    """What stands beside a figure."""
    return "g fine gold" if unit == FINE_GOLD else unit
