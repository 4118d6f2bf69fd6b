"""Decimals as they cross wires: JSON strings.

Goal: a weight, a fineness or an amount means the same number to every reader.
Method: the fields keep the text as it was sent (hashes are over what was sent, and statements quote it); patterns that
also stand in the published JSON Schema check it; `schemas.fixed_point` makes exact numbers of it.
Refuses: JSON numbers (many parsers read them as binary floats), signs other than a leading minus, exponents,
non-ASCII digits, more than 18 digits before or 12 after the point.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from schemas.fixed_point import scaled_e12

# Written out, not composed: the patterns are part of the published contract.
SIGNED_PATTERN: Final = r"^-?[0-9]{1,18}(\.[0-9]{1,12})?$"
UNSIGNED_PATTERN: Final = r"^[0-9]{1,18}(\.[0-9]{1,12})?$"
FINENESS_PATTERN: Final = r"^[0-9]{1,4}(\.[0-9]{1,13})?$"
WEIGHT_G_PATTERN: Final = r"^[0-9]{1,25}\.[0-9]{3}$"
AMOUNT_PATTERN: Final = r"^-?[0-9]{1,60}(\.[0-9]{1,4})?$"
# Rules of arithmetic as patterns, for readers of the published schema; the validators below tell them in words.
NOT_ZERO_PATTERN: Final = "[1-9]"
SHARE_PATTERN: Final = r"^(0{1,18}(\.[0-9]{1,12})?|0{0,17}1(\.0{1,12})?)$"
PRICE_SHARE_PATTERN: Final = r"^(0{0,17}[01](\.[0-9]{1,12})?|0{0,17}2(\.0{1,12})?)$"

_ONE_E12: Final = 10**12


def _above_zero(text: str) -> str:
    if not text.strip("0."):
        raise PydanticCustomError("above_zero", "must be above zero")
    return text


def _share(text: str) -> str:
    if scaled_e12(text) > _ONE_E12:
        raise PydanticCustomError("share", "must be a share from 0 to 1, such as 0.90 for 90 %")
    return text


def _price_share(text: str) -> str:
    if scaled_e12(text) > 2 * _ONE_E12:
        raise PydanticCustomError("price_share", "must be a share of the benchmark, at most 2: write 0.935 for 93.5 %")
    return text


# Any sign: range checks that have a code of their own (fineness) come after the schema's.
SignedDecimal = Annotated[str, StringConstraints(pattern=SIGNED_PATTERN)]
NonNegativeDecimal = Annotated[str, StringConstraints(pattern=UNSIGNED_PATTERN)]
PositiveDecimal = Annotated[
    str,
    StringConstraints(pattern=UNSIGNED_PATTERN),
    AfterValidator(_above_zero),
    WithJsonSchema({"type": "string", "pattern": UNSIGNED_PATTERN, "allOf": [{"pattern": NOT_ZERO_PATTERN}]}),
]
Share = Annotated[
    str,
    StringConstraints(pattern=UNSIGNED_PATTERN),
    AfterValidator(_share),
    WithJsonSchema({"type": "string", "pattern": SHARE_PATTERN}),
]
PriceShare = Annotated[
    str,
    StringConstraints(pattern=UNSIGNED_PATTERN),
    AfterValidator(_above_zero),
    AfterValidator(_price_share),
    WithJsonSchema({"type": "string", "pattern": PRICE_SHARE_PATTERN, "allOf": [{"pattern": NOT_ZERO_PATTERN}]}),
]

# What we compute. A fineness may be the exact mean of two decimals of 12 digits, so it has one digit more.
ComputedFineness = Annotated[str, StringConstraints(pattern=FINENESS_PATTERN)]
WeightGrams = Annotated[str, StringConstraints(pattern=WEIGHT_G_PATTERN)]
Amount = Annotated[str, StringConstraints(pattern=AMOUNT_PATTERN)]
