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

from schemas import decimals, identifiers
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
        joined = ".".join(str(step) for step in self.path)
        printable = "".join(sign if sign.isprintable() else "?" for sign in joined)
        return printable[:FIELD_CHARS_MAX]


def refuse_member(kind: str, message: str, *path: str | int) -> NoReturn:
    """Raise the fault of a member below the field that is being validated, such as row 2 of a list."""
    raise PydanticCustomError("member", "{reason}", {"reason": message, "path": path, "kind": kind})


def first_fault(error: ValidationError) -> FieldFault:
    """The first fault of a failed validation, in words."""
    details: Any = error.errors(include_url=False)[0]
    context = details.get("ctx") or {}
    return FieldFault((*details["loc"], *context.get("path", ())), _message(details, context))


def _message(details: Any, context: dict[str, Any]) -> str:  # noqa: PLR0911  one line for each kind of fault
    match details["type"]:
        case "missing":
            return "is required and missing: add it"
        case "extra_forbidden":
            return "is not a field of this format: remove it or correct its name"
        case "string_type" if isinstance(details.get("input"), int | float):
            return "must be a text in quotes: numbers are sent as strings, since many readers make binary floats of them"
        case "string_type":
            return "must be a text"
        case "string_pattern_mismatch":
            return _HINT_BY_PATTERN.get(context["pattern"], f"must match {context['pattern']}")
        case "literal_error":
            return f"must be one of {context['expected']}"
        case "int_type":
            return "must be a whole number, without quotes"
        case "bool_type":
            return "must be true or false"
        case "model_type" | "dict_type" | "model_attributes_type":
            return "must be an object with named fields"
        case "tuple_type" | "list_type":
            return "must be a list"
        case "too_short":
            return f"must have at least {context['min_length']} entry"
        case "too_long":
            return f"must have at most {context['max_length']} entries"
    message: str = details["msg"]
    return message[:1].lower() + message[1:]
