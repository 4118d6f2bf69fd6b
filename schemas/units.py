"""Units of mass in messages, as UN/CEFACT Recommendation 20 codes.

Goal: a weight in any of the three units becomes grams exactly.
Method: every unit is a whole number of 1e-7 g; a wire decimal is a whole number of 1e-12 units; so every weight is a
whole number of 1e-19 g.
Source: the troy ounce is 31.1034768 g exactly (0.45359237 kg / 7000 x 480).
"""

from __future__ import annotations

from typing import Final, Literal

MassUnit = Literal["GRM", "KGM", "APZ"]

# Grams in one unit, as a whole number of 1e-7 g.
GRAMS_E7: Final[dict[str, int]] = {
    "GRM": 10_000_000,
    "KGM": 10_000_000_000,
    "APZ": 311_034_768,  # troy ounce
}

# Digits after the point of a weight in grams: 12 of the wire decimal and 7 of the unit.
GRAM_DIGITS: Final = 19
# 1e-19 g in one milligram.
MILLIGRAM_E19: Final = 10**16
