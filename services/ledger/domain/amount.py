"""Decimal texts and whole minor units.

Refuses: a text that has more or fewer digits after the point than its unit: money is never rounded in the ledger.
"""

from __future__ import annotations


def minor_units(text: str, digits: int) -> int | None:
    """A decimal text with exactly `digits` digits after the point as minor units; None if it has others."""
    whole, _, fraction = text.partition(".")
    return int(whole + fraction) if len(fraction) == digits else None
