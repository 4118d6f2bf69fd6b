"""A lot of the sample and its revisions, in whole steps of the unit that its refiner weighs in.

Goal: one lot as its refiner came to know it, before any of it is written as an event.
Method: weights are counts of a unit's smallest step and finenesses tenths of a permille, so nothing is ever rounded by
accident; texts are made from them when they are written.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Final, Literal

Stage = Literal["provisional", "final", "umpire", "cancelled"]
Party = Literal["seller", "buyer", "umpire", "agreed"]


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of mass and the digits that a refiner's scale shows in it."""

    code: Literal["GRM", "KGM", "APZ"]
    digits: int
    step_mg: Fraction

    def text(self, steps: int) -> str:
        """Write a weight with all its digits."""
        return fixed_point_text(steps, self.digits)


GRAM: Final = Unit("GRM", 2, Fraction(10))
MILLIGRAM: Final = Unit("GRM", 3, Fraction(1))
KILOGRAM: Final = Unit("KGM", 5, Fraction(10))
TROY_OUNCE: Final = Unit("APZ", 3, Fraction(311_034_768, 10_000_000))


@dataclass(frozen=True, slots=True)
class Source:
    """What one organization delivered into the lot."""

    organization_id: str
    melt_steps: int
    fineness_tenths: int | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of a lot, and the day on which its refiner publishes it."""

    number: int
    stage: Stage
    published_on: date
    melt_steps: int
    sources: tuple[Source, ...]
    assays_tenths: tuple[tuple[Party, int], ...]
    payer_id: str
    documents: int
    states_fine_weight: bool = False


@dataclass(frozen=True, slots=True)
class Lot:
    """A lot with all its revisions, in the order of their numbers."""

    lot_id: str
    country: str
    refiner_id: str
    exporter_id: str
    scheme: str
    sold_on: date
    unit: Unit
    revisions: tuple[Revision, ...]
    document_number: str
    benchmark_cents_per_ounce: int | None = None
    price_share: Fraction | None = None
    refiner_reference: str | None = None
    told: bool = False  # Part of a story: nothing else happens to it.

    @property
    def latest(self) -> Revision:
        """The revision that counts in the end."""
        return self.revisions[-1]

    @property
    def organizations(self) -> set[str]:
        """Everybody who is named as a source in any revision."""
        return {source.organization_id for revision in self.revisions for source in revision.sources}


def fixed_point_text(number: int, digits: int) -> str:
    """Write a count of 10^-digits as a decimal with that many digits."""
    whole, rest = divmod(abs(number), 10**digits)
    sign = "-" if number < 0 else ""
    return f"{sign}{whole}.{rest:0{digits}d}" if digits else f"{sign}{whole}"


def tenths_text(tenths: int) -> str:
    """Write tenths of a permille as a fineness."""
    return fixed_point_text(tenths, 1)
