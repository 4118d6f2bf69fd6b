"""What a Spanish statement writes beyond figures: names of currencies, and small numbers as words.

Method: on top of `schemas.locale_figures`, which all readers share.
Refuses: LanguageUnknownError for a language that statements are not written in yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from schemas.locale_figures import LanguageUnknownError, LocaleFigures

LANGUAGE: Final = "es"  # English and French follow with the statement's other forms.
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
class LocaleText(LocaleFigures):
    """Writes a statement's figures and words for `locale` (`es_PE`)."""

    def __post_init__(self) -> None:
        """Refuse a language that statements have no sentences in."""
        if self.language != LANGUAGE:
            raise LanguageUnknownError(f"statements are written in {LANGUAGE}, not yet in {self.locale}")
        LocaleFigures.__post_init__(self)

    def currency_name(self, currency: str) -> str:
        """`dólares`; the code where we have no name for it."""
        return _CURRENCY_NAMES.get(currency, currency)

    def count(self, number: int, one: str, many: str) -> str:
        """`un lote`, `dos lotes`, `14 lotes`; feminine nouns say una."""
        if number == 1:
            return f"{'una' if one.split(maxsplit=1)[0].endswith(('a', 'ón')) else 'un'} {one}"
        return f"{_COUNT_WORDS[number] if number < len(_COUNT_WORDS) else number} {many}"
