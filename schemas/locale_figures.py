"""Numbers, dates and words of one locale.

Goal: 2,136.433 in Peru is 2.136,433 in Bolivia and Colombia, and the same figure reads alike in statements, pages and the
command line.
Method: Babel (CLDR) by language and country together; numbers stay exact decimals until they are text.
Refuses: LanguageUnknownError for a language that the glossary has no words in, or a locale without known number formats.
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
from schemas.glossary import LANGUAGES, word

TROY_OUNCE_G: Final = Decimal("31.1034768")
NO_BREAK_SPACE: Final = "\u00a0"
# An amount has at most 18 digits, a weight 25 before the point: enough for a product of both.
_PRECISION: Final = 60
_DAY: Final = {"es": "dd/MM/yyyy", "en": "d MMM yyyy", "fr": "dd/MM/yyyy"}
_DAY_OF_PERIOD: Final = {"es": "dd/MM", "en": "d MMM", "fr": "dd/MM"}
_PER_CENT: Final = {"es": " %", "en": "%", "fr": f"{NO_BREAK_SPACE}%"}
assert set(_DAY) == set(_DAY_OF_PERIOD) == set(_PER_CENT) == set(LANGUAGES), "every language has its forms"


class LanguageUnknownError(Exception):
    """No words for a language, or no numbers for a country. Nothing half translated is ever shown."""


@dataclass(frozen=True, slots=True)
class LocaleFigures:
    """Writes figures for `locale` (`es_PE`). All numbers are texts of exact decimals."""

    locale: str

    def __post_init__(self) -> None:
        """Refuse a language that we have no words in, and a locale that nobody has numbers for."""
        if self.language not in LANGUAGES:
            raise LanguageUnknownError(f"there are words in {', '.join(LANGUAGES)}, not yet in {self.locale}")
        try:
            Locale.parse(self.locale)
        except (UnknownLocaleError, ValueError) as error:
            raise LanguageUnknownError(f"{self.locale} is no locale with known number formats") from error

    @property
    def language(self) -> str:
        """`es` of `es_PE`."""
        return self.locale.partition("_")[0]

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

    def price(self, text: str, currency: str) -> str:
        """`USD 2,650.00`, `USD 85.1234`: a price of a unit has two decimals or as many as were stated."""
        return f"{self.currency_code(currency)}{NO_BREAK_SPACE}{self.factor(text)}"

    def weight(self, grams: str) -> str:
        """`2,136.433`: grams with three decimals, without the unit."""
        return self._decimal(Decimal(grams), "#,##0.000")

    def melt_weight(self, grams: str) -> str:
        """`2,450.60`: two decimals, or as many as were stated."""
        return self._decimal(Decimal(grams), "#,##0.00#################")

    def melt_weight_column(self, grams: str) -> str:
        """`2,450.60`, `2,284.986`: rounded to milligrams for a column; troy ounces make ten decimals, which overflow it."""
        return self._decimal(Decimal(grams), "#,##0.00#")

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
        return self.per_cent(str(Decimal(share) * 100))

    def per_cent(self, percent: str) -> str:
        """`15 %` for 15."""
        return f"{self.plain(percent)}{_PER_CENT[self.language]}"

    def is_one(self, text: str) -> bool:
        """Whether the language has the singular beside a number: 1 onza, but also 0,5 once."""
        return _locale(self.locale).plural_form(Decimal(text)) == "one"

    def day(self, day: date) -> str:
        """`28/03/2025`; in English with the month as a word, because the order of day and month differs by country."""
        return format_date(day, _DAY[self.language], locale=self.locale)

    def day_in(self, year: int, day: date) -> str:
        """`28/03` within `year`, else with its own year."""
        pattern = _DAY_OF_PERIOD if day.year == year else _DAY
        return format_date(day, pattern[self.language], locale=self.locale)

    def country(self, code: str) -> str:
        """`Perú` for PE."""
        return str(Locale.parse(self.locale).territories.get(code, code))

    def word(self, key: str) -> str:
        """A term of the glossary."""
        return word(key, self.locale)

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
