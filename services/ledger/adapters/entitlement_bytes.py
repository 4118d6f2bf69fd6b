"""Bytes of an entitlement, checked as the contract checks them, in half of its time.

Goal: posting spends its time on posting: the contract's own models took a quarter of it.
Method: msgspec checks the shape (names, types, choices, lengths) while it decodes; then texts are held against the contract's
own types, those that come again and again only once. Fields have the contract's names, so both are read alike.
Refuses: nothing by itself. What it does not take, the contract decides: it names the field at fault, or takes it after all
(an id in another notation). A test makes sure that the contract takes whatever is taken here, and reads the same from it.
Source: schemas/entitlement.py, which stays the contract.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Annotated, Any, Final

import msgspec
from pydantic import TypeAdapter

from schemas.currencies import Currency
from schemas.decimals import Amount, ComputedFineness, PositiveDecimal, WeightGrams
from schemas.entitlement import LINES_MAX, Cause, EntitlementStatus, Role
from schemas.gold_sale import SCHEMES_MAX, SOURCES_MAX, Stage
from schemas.identifiers import INTEGER_MAX, Id, PayloadHash, SchemeVersion, Text
from schemas.units import MassUnit

KEPT_TEXTS_MAX: Final = 20_000  # some thousand organizations, and the lots of a few batches; at 150 bytes 3 MB for each kind.

_Counting = Annotated[int, msgspec.Meta(ge=1, le=INTEGER_MAX)]
_CountingFromZero = Annotated[int, msgspec.Meta(ge=0, le=INTEGER_MAX)]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """As `schemas.contract.Contract`."""


class _SaleReference(_Part, frozen=True):
    source: str
    id: str
    hash: str


class _SourceWeight(_Part, frozen=True):
    organization_id: str
    fine_weight_g: str


class _Line(_Part, frozen=True):
    organization_id: str
    role: Role
    fine_weight_g: str
    amount: str
    eligible: bool
    reason: str | None


class _PerMass(_Part, frozen=True, tag_field="kind", tag="per_mass"):
    amount: str
    unit: MassUnit


class _PercentOfBenchmark(_Part, frozen=True, tag_field="kind", tag="percent_of_benchmark"):
    percent: str


class _Premium(_Part, frozen=True):
    scheme_id: str
    scheme_version: str
    currency: str
    rate: _PerMass | _PercentOfBenchmark
    total: str
    lines: Annotated[tuple[_Line, ...], msgspec.Meta(max_length=LINES_MAX)]


class _Step(_Part, frozen=True):
    step: str
    rule: str
    values: dict[str, str]


class _Replaced(_Part, frozen=True):
    revision: _Counting
    calculation: _CountingFromZero


class DecodedEntitlement(_Part, frozen=True):
    """What `schemas.entitlement.Entitlement` says, field by field."""

    entitlement_id: str
    refiner_id: str
    lot_id: str
    revision: _Counting
    calculation: _CountingFromZero
    cause: Cause
    sale: _SaleReference
    stage: Stage
    sold_on: date
    exporter_id: str
    payer_id: str
    registry_version: str
    status: EntitlementStatus
    fineness_permille: str | None
    fine_weight_g: str | None
    sources: Annotated[tuple[_SourceWeight, ...], msgspec.Meta(max_length=SOURCES_MAX)]
    premiums: Annotated[tuple[_Premium, ...], msgspec.Meta(max_length=SCHEMES_MAX)]
    explanation: tuple[_Step, ...]
    replaces: _Replaced | None = None


_decoder: Final = msgspec.json.Decoder(DecodedEntitlement)


def decode_entitlement(value: bytes) -> DecodedEntitlement | None:
    """Decode and check; None if the contract has to decide."""
    try:
        entitlement = _decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):  # ValidationError is a DecodeError
        return None
    return entitlement if _texts_are_right(entitlement) else None


def _texts_are_right(entitlement: DecodedEntitlement) -> bool:
    sale, fineness, weight = entitlement.sale, entitlement.fineness_permille, entitlement.fine_weight_g
    ids = [entitlement.refiner_id, entitlement.lot_id, entitlement.exporter_id, entitlement.payer_id]
    weights = [] if weight is None else [weight]
    amounts = []
    for source in entitlement.sources:
        ids.append(source.organization_id)
        weights.append(source.fine_weight_g)
    for premium in entitlement.premiums:
        ids.append(premium.scheme_id)
        amounts.append(premium.total)
        for line in premium.lines:
            ids.append(line.organization_id)
            weights.append(line.fine_weight_g)
            amounts.append(line.amount)
    return (
        all(map(_is_id, ids))
        and all(map(_is_weight, weights))
        and all(map(_is_amount, amounts))
        and all(map(_has_right_terms, entitlement.premiums))
        and _is_canonical_uuid(entitlement.entitlement_id) is not None
        and _is_text(sale.source)
        and _is_text(sale.id)
        and _is_hash(sale.hash)
        and _is_hash(entitlement.registry_version)
        and (fineness is None or _is_fineness(fineness))
    )


def _has_right_terms(premium: _Premium) -> bool:
    rate = premium.rate
    return (
        _is_version(premium.scheme_version)
        and _is_currency(premium.currency)
        and _is_above_zero(rate.amount if isinstance(rate, _PerMass) else rate.percent)
    )


def _check(kind: Any) -> Callable[[str], bool]:
    """Whether the contract takes a text as of this kind."""
    return TypeAdapter(kind).validator.isinstance_python


# The one notation that is written, of those that the contract takes.
_is_canonical_uuid: Final = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
# These have rules in Python, and mostly come again: organizations, schemes.
_is_id: Final = lru_cache(KEPT_TEXTS_MAX)(_check(Id))
_is_version: Final = lru_cache(KEPT_TEXTS_MAX)(_check(SchemeVersion))
_is_currency: Final = lru_cache(KEPT_TEXTS_MAX)(_check(Currency))
_is_above_zero: Final = lru_cache(KEPT_TEXTS_MAX)(_check(PositiveDecimal))
_is_text: Final = _check(Text)
_is_hash: Final = _check(PayloadHash)
_is_fineness: Final = _check(ComputedFineness)
_is_weight: Final = _check(WeightGrams)
_is_amount: Final = _check(Amount)
