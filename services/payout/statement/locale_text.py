"""Numbers, dates and words of one locale.

Goal: 2,136.433 in Peru is 2.136,433 in Bolivia and Colombia, and the unit stands beside every number.
Method: Babel (CLDR) by language and country together; numbers stay exact decimals until they are text.
Refuses: LanguageUnknownError for a language that we have no words in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from functools import cache
from typing import Final

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import NumberPattern, parse_pattern

from schemas.currencies import minor_digits
from schemas.glossary import word
from services.payout.statement.errors import LanguageUnknownError

LANGUAGE: Final = "es"  # English and French follow with the statement's other forms.
TROY_OUNCE_G: Final = Decimal("31.1034768")
NO_BREAK_SPACE: Final = "\u00a0"
# An amount has at most 18 digits, a weight 25 before the point: enough for a product of both.
_PRECISION: Final = 60
_DAY: Final = "dd/MM/yyyy"
_DAY_OF_PERIOD: Final = "dd/MM"
# How people name the currency of an account. Elsewhere the code is clearer than any symbol.
_CURRENCY_NAMES: Final = {
    "USD": "dólares",
    "PEN": "soles",
    "BOB": "bolivianos",
    "COP": "pesos colombianos",
    "EUR": "euros",
    "CHF": "francos suizos",
}
_COUNT_WORDS: Final = ("cero", "un", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez")


@dataclass(frozen=True, slots=True)
class LocaleText:
    """Writes figures for `locale` (`es_PE`). All numbers are texts of exact decimals."""

    locale: str

    def __post_init__(self) -> None:
        """Refuse a language that we have no words in, and a locale that nobody has numbers for."""
        if self.locale.partition("_")[0] != LANGUAGE:
            raise LanguageUnknownError(f"statements are written in {LANGUAGE}, not yet in {self.locale}")
        try:
            Locale.parse(self.locale)
        except (UnknownLocaleError, ValueError) as error:
            raise LanguageUnknownError(f"{self.locale} is no locale with known number formats") from error

    def amount(self, text: str, currency: str) -> str:
        """`1,498.42`: grouped, with the currency's digits."""
        digits = minor_digits(currency)
        return self._decimal(Decimal(text), f"#,##0.{'0' * digits}" if digits else "#,##0")

    def signed_amount(self, text: str, currency: str) -> str:
        """`+149.50` or `-3.90`."""
        written = self.amount(text, currency)
        return written if written.startswith("-") or not Decimal(text) else f"+{written}"

    def money(self, text: str, currency: str) -> str:
        """`USD 1,498.42`, never broken over two lines."""
        return f"{self.currency_code(currency)}{NO_BREAK_SPACE}{self.amount(text, currency)}"

    def currency_code(self, currency: str) -> str:
        """`USD`; in Bolivia its own currency is `Bs`."""
        return "Bs" if currency == "BOB" and self.locale.endswith("_BO") else currency

    def currency_name(self, currency: str) -> str:
        """`dólares`; the code where we have no name for it."""
        return _CURRENCY_NAMES.get(currency, currency)

    def weight(self, grams: str) -> str:
        """`2,136.433`: grams with three decimals, without the unit."""
        return self._decimal(Decimal(grams), "#,##0.000")

    def melt_weight(self, grams: str) -> str:
        """`2,450.60`: two decimals, or as many as were stated."""
        return self._decimal(Decimal(grams), "#,##0.00##########")

    def troy_ounces(self, grams: str) -> str:
        """`68.822`: the weight in troy ounces, rounded to three decimals for reading; grams are what counts."""
        with localcontext() as context:
            context.prec = _PRECISION
            ounces = (Decimal(grams) / TROY_OUNCE_G).quantize(Decimal("0.001"), ROUND_HALF_EVEN)
        return self._decimal(ounces, "#,##0.000")

    def fineness(self, permille: str) -> str:
        """`873.5`: at least one decimal, else as exact as it is."""
        return self._decimal(Decimal(permille), "0.0############")

    def factor(self, text: str) -> str:
        """`0.70`, `4,000.00`: a rate or price, with two decimals or as many as it has."""
        return self._decimal(Decimal(text), "#,##0.00##########")

    def plain(self, text: str) -> str:
        """`0.4`, `15`: a number as short as it is."""
        return self._decimal(Decimal(text), "#,##0.############")

    def percent(self, share: str) -> str:
        """`90 %` for 0.90."""
        return f"{self.plain(str(Decimal(share) * 100))} %"

    def day(self, day: date) -> str:
        """`28/03/2025`."""
        return format_date(day, _DAY, locale=self.locale)

    def day_in(self, year: int, day: date) -> str:
        """`28/03` within `year`, else with its own year."""
        return format_date(day, _DAY_OF_PERIOD if day.year == year else _DAY, locale=self.locale)

    def country(self, code: str) -> str:
        """`Perú` for PE."""
        return str(Locale.parse(self.locale).territories.get(code, code))

    def word(self, key: str) -> str:
        """A term of the glossary."""
        return word(key, self.locale)

    def count(self, number: int, one: str, many: str) -> str:
        """`un lote`, `dos lotes`, `14 lotes`; feminine nouns say una."""
        if number == 1:
            return f"{'una' if one.split(maxsplit=1)[0].endswith(('a', 'ón')) else 'un'} {one}"
        return f"{_COUNT_WORDS[number] if number < len(_COUNT_WORDS) else number} {many}"

    def _decimal(self, number: Decimal, pattern: str) -> str:
        with localcontext() as context:
            context.prec = _PRECISION
            written: str = _number_pattern(pattern).apply(number, _locale(self.locale))
            return written


# Babel reads both anew for each number, which was half the time of a statement's texts (measured).
@cache
def _number_pattern(pattern: str) -> NumberPattern:
    return parse_pattern(pattern)


@cache
def _locale(name: str) -> Locale:
    return Locale.parse(name)
