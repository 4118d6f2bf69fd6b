"""Money and gold as whole numbers and as texts.

Goal: an amount of a statement and the whole number of a leaf are compared exactly.
Method: a currency has as many digits after the point as ISO 4217 says; fine gold is counted in milligrams and written in grams.
Refuses: an amount with more or fewer digits, or written in another way than this module writes it.
Source: ISO 4217, list one.
"""

from __future__ import annotations

import re
from typing import Final

from verifier.strict import NotStrictError, shown

FINE_GOLD: Final = "AU-MG"
GRAM_DIGITS: Final = 3
AMOUNT_CHARS_MAX: Final = 80  # Python takes long to read numbers of thousands of digits; no amount has more than 60.

_DIGITS: Final = {
    0: ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
    3: ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"),
    4: ("CLF", "UYW"),
}
_OTHERS: Final = {code: digits for digits, codes in _DIGITS.items() for code in codes}
_AMOUNT: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.([0-9]+))?")


def digits_of(unit: str) -> int:
    """Digits after the point of an amount in a unit."""
    return GRAM_DIGITS if unit == FINE_GOLD else _OTHERS.get(unit, 2)


def amount_from_text(text: str, unit: str) -> int:
    """The whole number of minor units, or milligrams, that a text stands for. Raises NotStrictError."""
    match = _AMOUNT.fullmatch(text) if len(text) <= AMOUNT_CHARS_MAX else None
    digits = digits_of(unit)
    if match is None or len(match[3] or "") != digits:
        raise NotStrictError(f"{shown(text)} is no amount with {digits} digits after the point")
    amount = int(text.replace(".", ""))
    if text.startswith("-") and amount == 0:
        raise NotStrictError(f"{shown(text)} is less than nothing and nothing")
    return amount


def amount_text(amount: int, unit: str) -> str:
    """An amount as people read it: USD 1,498.08, or 2,140.109 g of fine gold."""
    digits = digits_of(unit)
    whole, fraction = divmod(abs(amount), 10**digits)
    figure = f"{'-' if amount < 0 else ''}{whole:,}" + (f".{fraction:0{digits}}" if digits else "")
    return f"{figure} g of fine gold" if unit == FINE_GOLD else f"{unit} {figure}"
