"""Amounts in bank files: integer minor units inside, decimal text on the wire, by ISO 4217."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from schemas import currencies

# ActiveOrHistoricCurrencyAndAmount: at most 18 digits, no sign; xsd:decimal also allows "12." and ".05", which banks refuse.
_AMOUNT: Final = re.compile(r"\+?([0-9]{1,18})(?:\.([0-9]{1,17}))?")


class CurrencyUnknownError(ValueError):
    """Not a currency of ISO 4217 with minor units."""


def minor_digits(currency: str) -> int:
    """Digits behind the point of a currency. Raises CurrencyUnknownError, also for metals and funds that have none."""
    try:
        return currencies.minor_digits(currency)
    except KeyError as error:
        raise CurrencyUnknownError(f"{currency!r} is no currency of ISO 4217 with minor units") from error


def amount_text(amount_minor: int, currency: str) -> str:
    """`123456`, `USD` -> `1234.56`: exactly the currency's digits, no grouping, a sign only below zero."""
    return format(Decimal(amount_minor).scaleb(-minor_digits(currency)), "f")


def amount_minor_from_text(text: str, currency: str) -> int:
    """Minor units of an unsigned decimal text. Raises ValueError where a digit would be lost, CurrencyUnknownError."""
    matched = _AMOUNT.fullmatch(text)
    if matched is None:
        raise ValueError(f"{text!r} is not an amount")
    whole, fraction = matched.group(1), matched.group(2) or ""
    digits = minor_digits(currency)
    if fraction[digits:].strip("0"):
        raise ValueError(f"{text!r} has more decimals than {currency} ({digits})")
    return int(whole + fraction[:digits].ljust(digits, "0"))
