"""Recalculations (`recalculations.v1`): lots to be calculated again under another registry, and what two persons decided.

Goal: what a changed registry or scheme changes in the past is prepared by one person, approved by another, and published once.
Method: the lots in parts, each with the recalculation's id, and then the step `prepared`; later `approved` or `withdrawn`,
and `published` when the ledger can read all entitlements. The id derives from the registry's version and the lots, so that
preparing the same again is the same recalculation. No amounts: what a lot had is the entitlement that is replaced, and what
it gets the one whose id is named; whoever approves computes both, and need not believe anybody.
Refuses: an empty list, a lot twice, more lots than one recalculation takes.
Source: design, sections 4 and 6; docs/adr/0011.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, TypeAdapter, field_validator

from schemas.canonical_json import payload_hash
from schemas.contract import Contract, refuse_member
from schemas.dead_letter import ORIGIN_PATTERN
from schemas.entitlement import Replaced
from schemas.identifiers import CountingFromZero, Id, PayloadHash
from schemas.identity import derived_id
from schemas.topics import DERIVED_MESSAGE_BYTES_MAX

RECALCULATION_LOTS_TYPE: Final = "recalculation.lots.v1"
RECALCULATION_STEP_TYPE: Final = "recalculation.step.v1"

LOTS_MAX: Final = 10_000  # all lots of twelve years of the sample are 8,200. What is more is the next recalculation's.
LOTS_IN_PART_MAX: Final = 1_000
LOT_BYTES_MAX: Final = 2_500  # two ids of 256 characters of four bytes, and 400 for the rest; usually 300 in all.
assert LOTS_IN_PART_MAX * LOT_BYTES_MAX < DERIVED_MESSAGE_BYTES_MAX, "a part of the longest lots fits its topic"
REFUSED_LOTS_NAMED_MAX: Final = 100  # a screen or two; above it counts by code say more.
MESSAGE_CHARS_MAX: Final = 1_000


class LotToRecalculate(Contract):
    """A lot whose latest entitlement is calculated again from the same sale."""

    refiner_id: Id
    lot_id: Id
    replaces: Replaced
    """The (revision, calculation) that counts now; the lot is left alone if another one counts by then."""
    origin: Annotated[str, StringConstraints(pattern=ORIGIN_PATTERN)]
    entitlement_id: UUID
    """Id of the entitlement that comes out; a calculation with another result is not published."""


class RecalculationLots(Contract):
    """A part of the lots of a recalculation, in the order of refiner and lot. Parts count from 0."""

    recalculation_id: UUID
    part: CountingFromZero
    lots: Annotated[tuple[LotToRecalculate, ...], Field(min_length=1, max_length=LOTS_IN_PART_MAX)]


class RefusedLot(Contract):
    """A lot that was not published, and why."""

    refiner_id: Id
    lot_id: Id
    code: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{1,63}$")]
    message: Annotated[str, Field(max_length=MESSAGE_CHARS_MAX)]


class _Step(Contract):
    recalculation_id: UUID


class _Decision(_Step):
    actor: Id


class Prepared(_Decision):
    """All parts are there: `count` lots, to be calculated under the registry of this version."""

    kind: Literal["prepared"] = "prepared"
    registry_version: PayloadHash
    count: CountingFromZero
    """Number of lots."""


class Approved(_Decision):
    """Another person agreed: it is published from here on."""

    kind: Literal["approved"] = "approved"


class Withdrawn(_Decision):
    """It will not be published, unless somebody prepares it again."""

    kind: Literal["withdrawn"] = "withdrawn"


class Published(_Step):
    """Every entitlement is on its topic. `refused` counts the lots that were left out; the first of them are named."""

    kind: Literal["published"] = "published"
    published: CountingFromZero
    refused: CountingFromZero
    refused_lots: Annotated[tuple[RefusedLot, ...], Field(max_length=REFUSED_LOTS_NAMED_MAX)] = ()


RecalculationStep = Annotated[Prepared | Approved | Withdrawn | Published, Field(discriminator="kind")]
RECALCULATION_STEP: Final[TypeAdapter[Prepared | Approved | Withdrawn | Published]] = TypeAdapter(RecalculationStep)


class RecalculationRequest(Contract):
    """What is sent to the calculator to prepare a recalculation."""

    registry_version: PayloadHash
    lots: Annotated[tuple[LotToRecalculate, ...], Field(min_length=1, max_length=LOTS_MAX)]

    @field_validator("lots")
    @classmethod
    def _each_lot_once(cls, lots: tuple[LotToRecalculate, ...]) -> tuple[LotToRecalculate, ...]:
        seen = set()
        for row, lot in enumerate(lots):
            if (lot.refiner_id, lot.lot_id) in seen:
                refuse_member("duplicate", "is a lot before", row, "lot_id")
            seen.add((lot.refiner_id, lot.lot_id))
        return lots


def recalculation_id(registry_version: str, lots: Sequence[LotToRecalculate]) -> UUID:
    """Id of the recalculation of these lots, in the order of refiner and lot."""
    content = [
        [lot.refiner_id, lot.lot_id, lot.replaces.revision, lot.replaces.calculation, lot.origin, str(lot.entitlement_id)]
        for lot in lots
    ]
    return derived_id("recalculation", registry_version, payload_hash(content))
