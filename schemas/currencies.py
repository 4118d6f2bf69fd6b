"""Currencies and the digits of their minor unit, from ISO 4217.

Goal: an amount has exactly as many digits as its currency has.
Method: the PyPI package iso4217 carries the standard's own table; it is read at the first use, because that takes
about 60 ms and most commands need none of it.
Refuses: codes without a minor unit (gold, silver, test codes), which no account can be held in.
Source: ISO 4217 list one.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Final

from pydantic import AfterValidator, StringConstraints
from pydantic_core import PydanticCustomError

CURRENCY_PATTERN: Final = r"^[A-Z]{3}$"


@cache
def minor_digits_by_currency() -> dict[str, int]:
    """Digits after the point of each currency that has a minor unit defined."""
    from iso4217 import Currency as IsoCurrency  # noqa: PLC0415  see Method

    return {entry.code: entry.exponent for entry in IsoCurrency if entry.exponent is not None}


def minor_digits(currency: str) -> int:
    """Digits after the point of an amount in `currency`: 2 for USD, 0 for CLP. KeyError: not a known currency."""
    return minor_digits_by_currency()[currency]


def _known(code: str) -> str:
    if code not in minor_digits_by_currency():
        raise PydanticCustomError("currency", "is not a currency of ISO 4217: write a code such as USD")
    return code


Currency = Annotated[str, StringConstraints(pattern=CURRENCY_PATTERN), AfterValidator(_known)]
