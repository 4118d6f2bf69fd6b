"""What all public messages have in common, and how their faults are told.

Goal: a sender whose message is refused learns which field is wrong and what to write instead.
Method: frozen pydantic models that forbid unknown fields. Of all faults pydantic finds, the first counts: in the order
of the fields in the contract, then unknown fields in the order sent, then rules over several fields; so the same
message is always refused for the same field.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NoReturn

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import PydanticCustomError

from schemas import decimals, identifiers, verifying_key
from schemas.currencies import CURRENCY_PATTERN

FIELD_CHARS_MAX: Final = 300  # A path of ours is far shorter; the name of an unknown field may be anything.

_DECIMAL_HINT: Final = "with a point, without exponent, at most 18 digits before and 12 after the point"
_HINT_BY_PATTERN: Final = {
    decimals.SIGNED_PATTERN: f"must be a decimal such as 873.5, {_DECIMAL_HINT}",
    decimals.UNSIGNED_PATTERN: f"must be a decimal such as 2450.60, not negative, {_DECIMAL_HINT}",
    identifiers.ID_PATTERN: "must be an id of 1 to 256 characters without '/' and without control characters",
    identifiers.VERSION_PATTERN: "must be a version of 1 to 64 characters without '/', '@' and control characters",
    identifiers.TEXT_PATTERN: "must be a text of 1 to 256 characters without control characters",
    identifiers.COUNTRY_PATTERN: "must be a country of ISO 3166 in two capital letters, such as PE",
    identifiers.LANGUAGE_PATTERN: "must be a language of ISO 639 such as es, or with its country such as es_PE",
    identifiers.SHA256_PATTERN: "must be a SHA-256 hash: 64 digits 0-9 and a-f",
    verifying_key.KEY_ID_PATTERN: "must be the id of a key: 1 to 64 letters, digits, '.', '_' or '-'",
    verifying_key.PUBLIC_KEY_PATTERN: "must be an Ed25519 key: 32 bytes in base64url, 43 characters without padding",
    CURRENCY_PATTERN: "must be a currency of ISO 4217 in three capital letters, such as USD",
}


class Contract(BaseModel):
    """A public message or a part of one."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, hide_input_in_errors=True, regex_engine="rust-regex"
    )


@dataclass(frozen=True, slots=True)
class FieldFault:
    """The first thing wrong with a message: the path of the field (`sources.1.melt_weight.value`) and what to do."""

    path: tuple[str | int, ...]
    message: str

    @property
    def field(self) -> str:
        """The path joined by dots, printable and bounded: it ends up in headers and logs."""
        joined = ".".join(str(step) or '""' for step in self.path)
        printable = "".join(sign if sign.isprintable() else "?" for sign in joined)
        return printable[:FIELD_CHARS_MAX]


def refuse_member(kind: str, message: str, *path: str | int) -> NoReturn:
    """Raise the fault of a member below the field that is being validated, such as row 2 of a list."""
    raise PydanticCustomError("member", "{reason}", {"reason": message, "path": path, "kind": kind})


def first_fault(error: ValidationError, sent: object = None) -> FieldFault:
    """The first fault of a failed validation, in words. With the JSON value that was sent, the path is the sender's."""
    return _fault(error.errors(include_url=False)[0], sent)


def all_faults(error: ValidationError, sent: object = None) -> list[FieldFault]:
    """Every fault, for who checks files and mends them all at once."""
    return [_fault(details, sent) for details in error.errors(include_url=False)]


def _fault(details: Any, sent: object) -> FieldFault:
    context = details.get("ctx") or {}
    below = context.get("path", ())
    if details["type"].startswith("union_tag"):
        below = (context["discriminator"].strip("'"),)
    return FieldFault((*_without_tags(details["loc"], sent), *below), _message(details, context))


def _without_tags(path: tuple[str | int, ...], sent: object) -> list[str | int]:
    """The path as the sender knows it: pydantic also names the kind of a variant, which is no field."""
    steps: list[str | int] = []
    for number, step in enumerate(path, start=1):
        if isinstance(sent, dict) and step not in sent and number < len(path):
            continue
        steps.append(step)
        if isinstance(sent, dict):
            sent = sent.get(step)
        elif isinstance(sent, list) and isinstance(step, int):
            sent = sent[step]
    return steps


_MESSAGES: Final = {
    "missing": "is required and missing: add it",
    "union_tag_not_found": "is required and missing: add it",
    "extra_forbidden": "is not a field of this format: remove it or correct its name",
    "string_type": "must be a text",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number, without quotes",
    "model_type": "must be an object with named fields",
    "dict_type": "must be an object with named fields",
    "model_attributes_type": "must be an object with named fields",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "too_short": "must have at least {min_length} entry",
    "too_long": "must have at most {max_length} entries",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be one of {expected}",
    "union_tag_invalid": "must be one of {expected_tags}",
}
_NUMBER: Final = "must be a text in quotes: numbers are sent as strings, since many readers make binary floats of them"


def _message(details: Any, context: dict[str, Any]) -> str:
    kind = details["type"]
    if kind == "string_type" and type(details.get("input")) in {int, float}:  # a bool is an int too, and no number to anybody
        return _NUMBER
    if kind == "string_pattern_mismatch":
        return _HINT_BY_PATTERN.get(context["pattern"], f"must match {context['pattern']}")
    if kind in _MESSAGES:
        return _MESSAGES[kind].format_map(context)
    message: str = details["msg"]
    return message[:1].lower() + message[1:]
