"""Text as bank files may carry it: the Swiss profile's Latin set, composed, on one line.

Goal: `Asociación Minera "La Esperanza"` reaches the bank with its accents, and nothing in it rejects the file.
Method: NFC; typographic signs by a fixed table (dashes and curly quotes pass ISO's schema but not the Swiss one); white
space of any kind to single spaces; a letter outside the set to its base letter. ñ á ü and the rest of Latin-1 and Latin
Extended-A stay.
Refuses: text that is empty afterwards, too long (nothing is cut silently), or holds a character with no counterpart.
Source: pain.001.001.09.ch.03 text pattern; EPC230-15 for references.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from services.payout.bank.errors import PaymentFileFault, PaymentFileInvalidError
from services.payout.bank.limits import NAME_CHARS_MAX, REFERENCE_CHARS_MAX

_ALLOWED: Final = re.compile("[\u0020-\u007e\u00a1-\u00ac\u00ae-\u017f€ȘșȚț]")
_REPLACED: Final = str.maketrans(
    {
        "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2015": "-", "\u2212": "-",
        "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u2032": "'", "\u02bc": "'",
        "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u2033": '"',
        "\u2026": "...", "\u2022": "-", "\u2122": "TM", "\u00ad": "",
    }
)  # fmt: skip
# References: no leading space or slash, no double or trailing slash; "_" and "#" fail at banks.
_REFERENCE: Final = re.compile(r"(?![/ ])(?!.*//)(?!.*/$)[A-Za-z0-9 +?/\-:().,']+")


def bank_text(value: str, *, field: str, chars_max: int) -> str:
    """`value` as the bank may read it. Raises PaymentFileInvalidError (TEXT_EMPTY, TEXT_TOO_LONG, TEXT_NOT_WRITABLE)."""
    text = _writable(value, field)
    if not text:
        raise PaymentFileInvalidError(PaymentFileFault.TEXT_EMPTY, field, "is empty")
    if len(text) > chars_max:
        message = f"has {len(text)} characters, at most {chars_max}: {text!r}"
        raise PaymentFileInvalidError(PaymentFileFault.TEXT_TOO_LONG, field, message)
    return text


def shortened_name(value: str) -> str:
    """A holder's name in at most 70 characters, cut at a word where one ends near enough.

    For callers that decide that a cut name is right for them; the file itself never cuts.
    """
    text = _writable(value, "name")
    if len(text) <= NAME_CHARS_MAX:
        return text
    # The character after the limit counts: a word that ends exactly there is whole.
    word_end = text.rfind(" ", 0, NAME_CHARS_MAX + 1)
    # A cut at a word that would lose more than a third is made by count instead.
    return text[: word_end if word_end * 3 >= NAME_CHARS_MAX * 2 else NAME_CHARS_MAX].rstrip()


def checked_reference(value: str, *, field: str) -> str:
    """An identifier of ours, unchanged. Raises PaymentFileInvalidError (REFERENCE_INVALID): identifiers are never mapped."""
    if not 1 <= len(value) <= REFERENCE_CHARS_MAX or _REFERENCE.fullmatch(value) is None or value.endswith(" "):
        message = f"{value!r} is not 1 to {REFERENCE_CHARS_MAX} characters of a bank reference"
        raise PaymentFileInvalidError(PaymentFileFault.REFERENCE_INVALID, field, message)
    return value


def _writable(value: str, field: str) -> str:
    composed = unicodedata.normalize("NFC", value).translate(_REPLACED)
    one_line = " ".join(composed.split())
    return "".join(character if _ALLOWED.match(character) else _base_letters(character, field) for character in one_line)


def _base_letters(character: str, field: str) -> str:
    bases = "".join(part for part in unicodedata.normalize("NFKD", character) if not unicodedata.combining(part))
    if not bases or not all(_ALLOWED.match(base) for base in bases):
        name = unicodedata.name(character, f"U+{ord(character):04X}")
        message = f"holds {name}, which bank files cannot carry"
        raise PaymentFileInvalidError(PaymentFileFault.TEXT_NOT_WRITABLE, field, message)
    return bases
