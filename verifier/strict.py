"""Reading what others wrote: every value has exactly one text, and anything else is refused.

Goal: two different files are never taken for the same thing, because then one byte could be changed unseen.
Method: base64 and JSON are read by Python's own library, written anew and compared with what was read. For JSON that is the
canonical form of RFC 8785, as far as Premia uses it: members sorted by name, names in ASCII, no spaces, no floats, integers to
2^53 - 1. `Members` takes members out of a JSON object by name and form.
Refuses: with a Deviation whose code and place are the caller's.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NoReturn

from verifier.deviation import Deviation, DeviationCode

INTEGER_MAX: Final = 2**53 - 1  # beyond it programs that read JSON numbers as doubles differ.
SHOWN_CHARS_MAX: Final = 80  # of a foreign value in a message: enough to recognise it, too little to flood a terminal.

_COUNT: Final = re.compile(r"0|[1-9][0-9]{0,18}")  # 63 bits have at most 19 digits


class NotStrictError(ValueError):
    """A text is not the one text of any value; the message says why."""


def from_base64(text: str) -> bytes:
    """The bytes of a base64 text (RFC 4648, section 4). Raises NotStrictError for what b64encode would not have written."""
    try:
        content = b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotStrictError("is no base64") from error
    if b64encode(content).decode() != text:
        raise NotStrictError("is base64 with bits or padding that are not needed")
    return content


def count_from_text(text: str) -> int:
    """A whole number of 63 bits from decimal digits without leading zeros. Raises NotStrictError."""
    if _COUNT.fullmatch(text) is None or int(text) >= 2**63:
        raise NotStrictError("is no whole number in decimal digits without leading zeros")
    return int(text)


def canonical_json(value: object) -> bytes:
    """The canonical JSON of a value that from_canonical_json() returned."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True).encode()


def from_canonical_json(content: bytes) -> Any:
    """The value of canonical JSON bytes. Raises NotStrictError if they are not canonical."""
    try:
        value = json.loads(
            content.decode("utf-8"), parse_float=_refuse_number, parse_int=_small_integer, parse_constant=_refuse_number
        )
        written = canonical_json(value)
    except NotStrictError:
        raise
    except (ValueError, RecursionError) as error:
        raise NotStrictError(f"is no JSON: {shown(str(error))}") from error
    if written != content:
        at = next(
            (at for at, (a, b) in enumerate(zip(written, content, strict=False)) if a != b), min(len(written), len(content))
        )
        raise NotStrictError(f"is not in canonical form (RFC 8785): it differs from byte {at} on")
    return value


def shown(value: object) -> str:
    """A foreign value as a message may show it: short, and without control characters."""
    text = value if isinstance(value, str) else repr(value)
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= SHOWN_CHARS_MAX else f"{text[:SHOWN_CHARS_MAX]}…"


def _refuse_number(text: str) -> NoReturn:
    raise NotStrictError(f"{shown(text)} is no whole number")


def _small_integer(text: str) -> int:
    # Longer texts are refused before they are converted: Python takes time for it that grows with the square of the length.
    if len(text) > len(str(-INTEGER_MAX)) or not -INTEGER_MAX <= int(text) <= INTEGER_MAX:
        raise NotStrictError(f"{shown(text)} is beyond 2^53 - 1")
    return int(text)


@dataclass(frozen=True, slots=True)
class Members:
    """A JSON object whose members are taken by name; what is missing or of another form is a deviation at `place`."""

    value: Mapping[str, Any]
    place: str
    code: DeviationCode

    @staticmethod
    def of(value: object, place: str, code: DeviationCode) -> Members:
        """The members of what must be an object."""
        if not isinstance(value, dict):
            raise Deviation(code, place, f"is {shown(value)}, where an object is expected")
        return Members(value, place, code)

    def text(self, name: str) -> str:
        """A text."""
        return str(self._take(name, lambda value: isinstance(value, str), "a text"))

    def text_or_none(self, name: str) -> str | None:
        """A text, or null, or no such member."""
        value = self.value.get(name)
        return None if value is None else self.text(name)

    def matching(self, name: str, pattern: re.Pattern[str], what: str) -> str:
        """A text of a form."""
        return str(self._take(name, lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None, what))

    def count(self, name: str, *, at_least: int = 0) -> int:
        """A whole number."""
        value = self._take(name, lambda value: type(value) is int and value >= at_least, f"a whole number from {at_least} on")
        return int(value)

    def flag(self, name: str) -> bool:
        """True or false."""
        return bool(self._take(name, lambda value: isinstance(value, bool), "true or false"))

    def day(self, name: str) -> date:
        """A day of the calendar, written YYYY-MM-DD."""
        return date.fromisoformat(str(self._take(name, _is_day, "a day, YYYY-MM-DD")))

    def member(self, name: str) -> Members:
        """An object within this one."""
        return Members.of(
            self._take(name, lambda value: isinstance(value, dict), "an object"), f"{self.place}, {name}", self.code
        )

    def items(self, name: str) -> list[Any]:
        """A list; empty if there is no such member."""
        value = self.value.get(name, [])
        if not isinstance(value, list):
            self.refuse(f"{name} is {shown(value)}, where a list is expected")
        return value

    def objects(self, name: str) -> list[Members]:
        """A list of objects; empty if there is no such member."""
        return [
            Members.of(value, f"{self.place}, {name} {number}", self.code)
            for number, value in enumerate(self.items(name), start=1)
        ]

    def only(self, *names: str) -> None:
        """Refuse members of other names: what nobody reads could say anything."""
        for name in self.value:
            if name not in names:
                self.refuse(f"has a member {shown(name)} that does not belong there")

    def refuse(self, message: str) -> NoReturn:
        """Raise a deviation here."""
        raise Deviation(self.code, self.place, message)

    def _take(self, name: str, fits: Callable[[Any], bool], what: str) -> Any:
        if name not in self.value:
            self.refuse(f"has no {name}")
        value = self.value[name]
        if not fits(value):
            self.refuse(f"{name} is {shown(value)}, where {what} is expected")
        return value


def _is_day(value: object) -> bool:
    if not isinstance(value, str) or len(value) != len("YYYY-MM-DD"):
        return False
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
