"""Identifiers, free texts and dates, as all messages write them.

Goal: two systems never take one id for two, or two for one.
Method: ids are compared by code point, so only the composed form (NFC) is taken; without "/" and control characters,
so that they can be joined in keys, paths and headers.
Refuses: everything else; dates in any form but YYYY-MM-DD. What a record counts for is no end of the calendar: databases take
the first and the last day for infinity, and a report needs the day before and the day after.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Final
from unicodedata import is_normalized

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

ID_CHARS_MAX: Final = 256
# What a lot earns is kept by refiner, lot, organization, scheme and payer, and PostgreSQL takes keys of at most 2,704 bytes. A
# lot's id may have 1,024 (256 characters of four bytes each); four of these have another 1,024.
REGISTERED_ID_BYTES_MAX: Final = 256
# The context of validation where people choose ids: what was applied before is read as it is.
FROM_A_FILE: Final = {"from_a_file": True}
INTEGER_MAX: Final = 2**53 - 1  # The largest integer that every JSON reader keeps exactly (RFC 8785).

# Spelled out for the published JSON Schema: no control characters (C0, DEL, C1), and no "/" in ids.
ID_PATTERN: Final = r"^[^/\x00-\x1F\x7F-\x9F]{1,256}$"
VERSION_PATTERN: Final = r"^[^/@\x00-\x1F\x7F-\x9F]{1,64}$"
TEXT_PATTERN: Final = r"^[^\x00-\x1F\x7F-\x9F]{1,256}$"
COUNTRY_PATTERN: Final = r"^[A-Z]{2}$"
LANGUAGE_PATTERN: Final = r"^[a-z]{2}(_[A-Z]{2})?$"
SHA256_PATTERN: Final = r"^[0-9a-f]{64}$"
PAYLOAD_HASH_PATTERN: Final = r"^sha256:[0-9a-f]{64}$"
DATE_PATTERN: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ID: Final = re.compile(r"[^/\x00-\x1F\x7F-\x9F]{1,256}")


def _composed(text: str) -> str:
    if not text.isascii() and not is_normalized("NFC", text):
        raise PydanticCustomError("not_nfc", "is not in Unicode normal form C (NFC): send accents as composed letters")
    return text


def _short_in_a_file(text: str, info: ValidationInfo) -> str:
    if info.context == FROM_A_FILE and len(text.encode()) > REGISTERED_ID_BYTES_MAX:
        raise PydanticCustomError("registered_id", "must have at most 256 bytes in UTF-8, where a letter may take two to four")
    return text


def is_id(text: str) -> bool:
    """Tell whether a text keeps the rules of an id."""
    return _ID.fullmatch(text) is not None and is_normalized("NFC", text)


def date_from_text(text: object) -> date:
    """Return the day of a YYYY-MM-DD text. Raises ValueError for any other form and for days that do not exist."""
    # fromisoformat alone would also take 20250314 and 2025-W11-5.
    if not isinstance(text, str) or _DATE.fullmatch(text) is None:
        raise ValueError("write a date as YYYY-MM-DD")
    return date.fromisoformat(text)


def _iso_date(value: object) -> date:
    if type(value) is date:
        return value
    try:
        return date_from_text(value)
    except ValueError as error:
        raise PydanticCustomError("iso_date", "must be a day of the calendar written as YYYY-MM-DD") from error


def is_business_day(day: date) -> bool:
    """Tell whether a record may count for a day."""
    return date.min < day < date.max


def _business_day(day: date) -> date:
    if not is_business_day(day):
        raise PydanticCustomError(
            "business_day", "must be a day on which something can have happened, not an end of the calendar"
        )
    return day


Id = Annotated[str, StringConstraints(pattern=ID_PATTERN), AfterValidator(_composed)]
# Of what a registry lists: organizations and schemes.
RegisteredId = Annotated[Id, AfterValidator(_short_in_a_file)]
SchemeVersion = Annotated[str, StringConstraints(pattern=VERSION_PATTERN), AfterValidator(_composed)]
Text = Annotated[str, StringConstraints(pattern=TEXT_PATTERN)]
Country = Annotated[str, StringConstraints(pattern=COUNTRY_PATTERN)]  # ISO 3166-1 alpha-2
Language = Annotated[str, StringConstraints(pattern=LANGUAGE_PATTERN)]  # ISO 639-1, with a country where it matters
Sha256 = Annotated[str, StringConstraints(pattern=SHA256_PATTERN)]
PayloadHash = Annotated[str, StringConstraints(pattern=PAYLOAD_HASH_PATTERN)]
IsoDate = Annotated[
    date, BeforeValidator(_iso_date), WithJsonSchema({"type": "string", "format": "date", "pattern": DATE_PATTERN})
]
BusinessDay = Annotated[IsoDate, AfterValidator(_business_day)]
Counting = Annotated[int, Field(strict=True, ge=1, le=INTEGER_MAX)]
CountingFromZero = Annotated[int, Field(strict=True, ge=0, le=INTEGER_MAX)]
