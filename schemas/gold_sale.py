"""A sale of one lot of gold: the event `gold.sales.v1`.

Goal: a refiner states all that a lot's premium depends on, one whole revision at a time, never a difference.
Method: the hash that tells a repeat from a conflict is over what was sent, without `sequence`, which counts messages.
Refuses: more than 256 KiB or 200 sources; bytes that are not one JSON object in UTF-8; a name that is there twice in one
object, because parsers differ on which of the two counts, and money must not depend on the parser (RFC 7493 forbids it).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import Field, ValidationError, field_validator

from schemas.canonical_json import payload_hash, payload_hash_of_checked
from schemas.contract import Contract, FieldFault, first_fault, refuse_member
from schemas.currencies import Currency
from schemas.decimals import PositiveDecimal, PriceShare, SignedDecimal
from schemas.identifiers import Counting, CountingFromZero, Id, IsoDate, Sha256, Text
from schemas.topics import SALE_BYTES_MAX
from schemas.units import MassUnit

SALE_TYPE: Final = "gold.sales.v1"
SOURCES_MAX: Final = 200  # A dealer's daily lot has some dozens.
SCHEMES_MAX: Final = 16  # Nobody certifies under more; bounds the entitlement, which has lines for each scheme.
PARTIES: Final = 4

Stage = Literal["provisional", "final", "umpire", "cancelled"]
Party = Literal["seller", "buyer", "umpire", "agreed"]


class Weight(Contract):
    """A weight above zero in one of three units; the text is kept as sent."""

    value: PositiveDecimal
    unit: MassUnit


class Assay(Contract):
    """A fineness in parts per thousand, as one party found it. Its range is checked with a code of its own."""

    party: Party
    fineness_permille: SignedDecimal


class Source(Contract):
    """What one organization delivered into the lot."""

    organization_id: Id
    melt_weight: Weight
    fineness_permille: SignedDecimal | None = None
    parent_lot_id: Id | None = None


class Benchmark(Contract):
    """A published gold price: so much currency per unit of fine gold."""

    price: PositiveDecimal
    currency: Currency
    per: MassUnit
    fixing: Text
    on: IsoDate


class Document(Contract):
    """A paper that goes with the lot, such as an export declaration."""

    kind: Text
    number: Text
    issuer: Text | None = None
    sha256: Sha256 | None = None


class Sale(Contract):
    """One revision of a lot."""

    refiner_id: Id
    lot_id: Id
    revision: Counting
    sequence: CountingFromZero
    stage: Stage
    exporter_id: Id
    payer_id: Id
    sold_on: IsoDate
    melt_weight: Weight
    assays: Annotated[tuple[Assay, ...], Field(max_length=PARTIES)]
    sources: Annotated[tuple[Source, ...], Field(min_length=1, max_length=SOURCES_MAX)]
    schemes: Annotated[tuple[Id, ...], Field(min_length=1, max_length=SCHEMES_MAX, json_schema_extra={"uniqueItems": True})]
    stated_fine_weight: Weight | None = None
    benchmark: Benchmark | None = None
    price_share_of_benchmark: PriceShare | None = None
    documents: tuple[Document, ...] = ()
    refiner_reference: Text | None = None

    @field_validator("assays")
    @classmethod
    def _one_assay_a_party(cls, assays: tuple[Assay, ...]) -> tuple[Assay, ...]:
        seen = set()
        for row, assay in enumerate(assays):
            if assay.party in seen:
                refuse_member("duplicate", f"is the second assay of the {assay.party}: send one", row, "party")
            seen.add(assay.party)
        return assays

    @field_validator("schemes")
    @classmethod
    def _each_scheme_once(cls, schemes: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(schemes)) != len(schemes):
            row = next(row for row, scheme in enumerate(schemes) if scheme in schemes[:row])
            refuse_member("duplicate", "names a scheme for the second time: name each once", row)
        return schemes


@dataclass(frozen=True, slots=True)
class ParsedSale:
    """A valid sale, the JSON object it was sent as, and the hash of that."""

    sale: Sale
    sent: Mapping[str, object]
    sale_hash: str


def sale_hash(sent: Mapping[str, object]) -> str:
    """Hash of a sale as it was sent (the parsed JSON object), without `sequence`."""
    return payload_hash(_without_sequence(sent))


def _without_sequence(sent: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in sent.items() if name != "sequence"}


def parse_sale(value: bytes | None) -> ParsedSale | FieldFault:
    """Read a sale from bytes of any origin. Never raises; whatever is wrong with the whole is told of field `value`."""
    sent = sent_object(value)
    if isinstance(sent, FieldFault):
        return sent
    try:
        sale = Sale.model_validate(sent)
    except ValidationError as error:
        return first_fault(error, sent)
    return ParsedSale(sale, sent, payload_hash_of_checked(_without_sequence(sent)))


def sent_object(value: bytes | None) -> dict[str, object] | FieldFault:
    """The JSON object of a record's value, or what is wrong with the bytes."""
    if not value:
        return _whole("is empty: send the sale as JSON")
    if len(value) > SALE_BYTES_MAX:
        return _whole(f"is larger than {SALE_BYTES_MAX:,} bytes: split the lot")
    try:
        sent = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        return _whole(f"is not JSON in UTF-8: {error.msg}, line {error.lineno} column {error.colno}")
    if type(sent) is not dict:
        return _whole("must be a JSON object")
    return _repeated_name(value, sent) or sent


def _whole(message: str) -> FieldFault:
    return FieldFault(("value",), message)


def _repeated_name(value: bytes, sent: dict[str, object]) -> FieldFault | None:
    # A parser drops all but one of two equal names, so what it read is shorter than what was sent. Compact senders
    # pass this comparison, in a microsecond; others take the slow way. (Written again, text never grows; a number
    # with a fraction might, but no field takes one.)
    try:
        if len(orjson.dumps(sent)) == len(value):
            return None
        pairs = json.loads(value, object_pairs_hook=_Pairs, parse_int=str, parse_float=str)
        path = _path_of_repeated_name(pairs)
    except (orjson.JSONEncodeError, RecursionError):
        return _whole("is nested too deeply for a sale")
    return None if path is None else FieldFault(path, "is there twice in one object: parsers disagree on which counts")


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with all its names, also those that are there twice."""


def _path_of_repeated_name(value: object) -> tuple[str | int, ...] | None:
    if isinstance(value, _Pairs):
        seen = set()
        for name, member in value:
            if name in seen:
                return (name,)
            seen.add(name)
            below = _path_of_repeated_name(member)
            if below is not None:
                return (name, *below)
    elif isinstance(value, list):
        for row, member in enumerate(value):
            below = _path_of_repeated_name(member)
            if below is not None:
                return (row, *below)
    return None
