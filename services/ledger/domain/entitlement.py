"""An entitlement as the ledger needs it: whole minor units and milligrams beside the texts that leaves quote.

Goal: everything a lot is entitled to as of one revision, with where its sale came from.
Method: made by adapters/entitlement_topic.py out of the contract; nothing in here is checked again. Keys are named tuples; what
is no key is a structure of msgspec, which is made in a quarter of the time.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from schemas.ledger_words import FINE_GOLD
from services.ledger.domain.account import KEPT_KEYS_MAX

SOURCE_ROLE: Final = "source"  # the role of fine gold's lines


class Cause(StrEnum):
    """Why it was calculated."""

    SALE = "sale"
    RECALCULATION = "recalculation"


class LotKey(NamedTuple):
    """A lot is its refiner's."""

    refiner_id: str
    lot_id: str


class Position(NamedTuple):
    """Orders the entitlements of one lot."""

    revision: int
    calculation: int

    def recalculated(self) -> Position:
        """The next calculation of the same revision."""
        return Position(self.revision, self.calculation + 1)


class SaleKey(NamedTuple):
    """What identifies a sale event."""

    source: str
    id: str


class LineKey(NamedTuple):
    """What a lot's cumulative lines are kept by. Fine gold: role "source", without scheme and payer."""

    organization_id: str
    role: str
    unit: str
    scheme_id: str
    payer_id: str


@lru_cache(KEPT_KEYS_MAX)
def gold_line(organization_id: str) -> LineKey:
    """The key of fine gold of one organization."""
    return LineKey(organization_id, SOURCE_ROLE, FINE_GOLD, "", "")


class PremiumLine(msgspec.Struct, frozen=True, gc=False):
    """What one organization or fund earns under one scheme in one role. `amount_minor` is `amount` in minor units."""

    key: LineKey
    scheme_version: str
    fine_weight_g: str
    amount: str
    amount_minor: int
    eligible: bool
    reason: str | None


class SourceWeight(msgspec.Struct, frozen=True, gc=False):
    """Fine gold of one organization in the lot."""

    key: LineKey
    fine_weight_mg: int


class Entitlement(msgspec.Struct, frozen=True, gc=False):
    """One entitlement event. `value` are its bytes; `effective_on` is the UTC day of the sale's time.

    `explanation` is canonical JSON and `entitlement_id` the text of a UUID, ready for leaves: nothing in here looks into them.
    """

    entitlement_id: str
    lot: LotKey
    position: Position
    cause: Cause
    replaces: Position | None
    sale: SaleKey
    sale_hash: str
    origin: str
    sequence: int | None
    effective_on: date
    stage: str
    status: str
    sold_on: date
    registry_version: str
    fineness_permille: str | None
    fine_weight_g: str | None
    fine_weight_mg: int
    lines: tuple[PremiumLine, ...]
    sources: tuple[SourceWeight, ...]
    explanation: bytes
    value: bytes
