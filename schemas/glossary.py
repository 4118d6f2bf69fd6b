"""The programme's words: one file feeds pages, statements, the command line and docs.

Method: glossary.yaml, read once. A term has Spanish, English and French; a country's own word wins over the language's.
Refuses: a missing language, an unknown key, a file that is not a glossary (GlossaryError at the first use).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import yaml

GLOSSARY_FILE: Final = Path(__file__).with_suffix(".yaml")
LANGUAGES: Final = ("es", "en", "fr")
_OTHER_KEYS: Final = frozenset({"definition", "confirmed"})


class GlossaryError(Exception):
    """The glossary lacks what was asked of it: a fault of this release, not of its data."""


@dataclass(frozen=True, slots=True)
class Term:
    """One concept. `words`: by language, or language and country. `confirmed`: read by somebody of the field."""

    key: str
    words: Mapping[str, str]
    definition: str
    confirmed: bool

    def word(self, locale: str) -> str:
        """The word for `es_BO`, else for `es`."""
        word = self.words.get(locale) or self.words.get(locale.partition("_")[0])
        if word is None:
            raise GlossaryError(f"no word for {self.key} in {locale}")
        return word


@cache
def glossary() -> Mapping[str, Term]:
    """All terms by key. Raises GlossaryError."""
    content = yaml.safe_load(GLOSSARY_FILE.read_text(encoding="utf-8"))
    return {key: _term(key, entry) for key, entry in content.items()}


def word(key: str, locale: str) -> str:
    """The word of a term in a locale. Raises GlossaryError."""
    term = glossary().get(key)
    if term is None:
        raise GlossaryError(f"no term {key}")
    return term.word(locale)


def _term(key: str, entry: Mapping[str, object]) -> Term:
    words = {name: str(value) for name, value in entry.items() if name not in _OTHER_KEYS}
    missing = [name for name in LANGUAGES if name not in words]
    # es_BO, es_CO: a language, and the country in which it is said otherwise.
    unknown = [name for name in words if name.partition("_")[0] not in LANGUAGES]
    if missing or unknown or not isinstance(entry.get("confirmed"), bool) or not entry.get("definition"):
        raise GlossaryError(f"{key}: missing {missing or 'nothing'}, unknown {unknown or 'nothing'}, or no definition")
    return Term(key, words, str(entry["definition"]), entry["confirmed"] is True)
