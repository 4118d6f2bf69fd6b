"""What the stored bytes of an entitlement say, read with code of our own.

Units: premiums in minor units of their currency, fine gold in milligrams.
Source: design, sections 4 and 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NamedTuple

import orjson
from iso4217 import Currency

FINE_GOLD: Final = "AU-MG"
GRAM_DIGITS: Final = 3
SOURCE_ROLE: Final = "source"  # fine gold is kept as lines of this role, without scheme and payer
# What leaves tell of the explanation: nothing that speaks of the lot's other sources.
EXPLAINED_STEPS: Final = frozenset({"melt_weight", "assay", "fine_weight", "documents", "premium"})


class LineKey(NamedTuple):
    """A cumulative line of a lot."""

    organization_id: str
    role: str
    unit: str
    scheme_id: str
    payer_id: str

    def __str__(self) -> str:
        return ", ".join(part for part in self if part)


@dataclass(frozen=True, slots=True)
class PremiumLine:
    """One premium line as leaves tell it, beside its amount in minor units."""

    amount_minor: int
    told: dict[str, object]


@dataclass(frozen=True, slots=True)
class Entitlement:
    """One entitlement. `premiums` has lines of nothing too, `amounts` has not; `cause` is what leaves tell of it."""

    value: dict[str, Any]
    premiums: dict[LineKey, PremiumLine]
    amounts: dict[LineKey, int]
    cause: dict[str, object]


def read_entitlement(content: bytes) -> Entitlement | str:
    """The entitlement of these bytes, or why they are none."""
    try:
        value = orjson.loads(content)
        premiums = _premiums(value)
        gold = {
            LineKey(source["organization_id"], SOURCE_ROLE, FINE_GOLD, "", ""): whole(source["fine_weight_g"], GRAM_DIGITS)
            for source in value["sources"]
        }
        amounts = {key: line.amount_minor for key, line in premiums.items()} | gold
        kept = {key: amount for key, amount in amounts.items() if amount}
        return Entitlement(value, premiums, kept, _cause(value))
    except (ValueError, ArithmeticError, KeyError, TypeError) as error:
        return repr(error)


def head_of(value: dict[str, Any]) -> dict[str, object]:
    """What a lot's head says while this entitlement counts."""
    weight = value["fine_weight_g"]
    names = ("revision", "calculation", "entitlement_id", "registry_version", "stage", "status", "sold_on")
    return {name: value[name] for name in names} | {"fine_weight_mg": 0 if weight is None else whole(weight, GRAM_DIGITS)}


def whole(text: str, digits: int) -> int:
    """A decimal as a whole number of its smallest unit. Raises ValueError if it has more digits after the point."""
    scaled = Decimal(text).scaleb(digits)
    if scaled != int(scaled):
        raise ValueError(f"{text} has more than {digits} digits after the point")
    return int(scaled)


@lru_cache(maxsize=256)  # there are 180 currencies; looking one up in the standard's table takes 0.1 ms.
def digits_of(currency: str) -> int:
    """Digits after the point of an amount. Raises ValueError for what is no currency with a minor unit."""
    digits = Currency(currency).exponent
    if digits is None:
        raise ValueError(f"{currency} has no minor unit")
    return int(digits)


def _premiums(value: dict[str, Any]) -> dict[LineKey, PremiumLine]:
    lines: dict[LineKey, PremiumLine] = {}
    payer_id = value["payer_id"]
    for premium in value["premiums"]:
        currency, scheme_id = premium["currency"], premium["scheme_id"]
        digits = digits_of(currency)
        for line in premium["lines"]:
            key = LineKey(line["organization_id"], line["role"], currency, scheme_id, payer_id)
            if key in lines:
                raise ValueError(f"two lines for {key}")
            told = {
                "scheme_version": premium["scheme_version"],
                "fine_weight_g": line["fine_weight_g"],
                "amount": line["amount"],
                "eligible": line["eligible"],
                "reason": line["reason"],
            }
            lines[key] = PremiumLine(whole(line["amount"], digits), told)
    return lines


def _cause(value: dict[str, Any]) -> dict[str, object]:
    names = (
        "entitlement_id", "refiner_id", "lot_id", "revision", "calculation", "stage", "status", "sold_on", "sale",
        "registry_version", "fineness_permille", "fine_weight_g",
    )  # fmt: skip
    explanation = [step for step in value["explanation"] if step["step"] in EXPLAINED_STEPS]
    return {name: value[name] for name in names} | {"kind": "entitlement", "explanation": explanation}
