"""The sample's totals brought to the published ones.

Goal: 16.8 t of fine gold in the last final and umpire revisions, and USD 13.6 million of premiums.
Method: the ordinary lots of each scheme are scaled by one factor; two factors and two totals make two linear equations,
solved exactly and solved again once, because rounding to a scale's digits moves the totals by some grams.
Refuses: factors that would make implausible lots: then the cast must change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from samples.lot import Lot
from samples.ordinary_lots import ordinary_lot
from samples.premium import expectation
from samples.slots import Slot, World

FINE_MG: Final = 16_800_000_000
PREMIUMS_MINOR: Final = 1_360_000_000
SCHEMES: Final = ("sbg", "fairmined")
FACTOR_MIN: Final = Fraction(80, 100)
FACTOR_MAX: Final = Fraction(125, 100)
FACTOR_DIGITS: Final = 10**9
ROUNDS: Final = 2


@dataclass(frozen=True, slots=True)
class Totals:
    """Fine weight of final and umpire revisions, and premiums of all latest revisions."""

    fine_mg: int
    premiums_minor: int


def totals(lots: Iterable[Lot], world: World) -> Totals:
    """Add up what the latest revisions of some lots come to."""
    fine_mg = premiums_minor = 0
    for lot in lots:
        expected = expectation(lot, lot.latest, world.status_on)
        premiums_minor += expected.premium_minor
        if lot.latest.stage in ("final", "umpire"):
            fine_mg += expected.fine_mg
    return Totals(fine_mg, premiums_minor)


def calibrated(slots: Sequence[Slot], told: Sequence[Lot], world: World) -> list[Lot]:
    """Return the ordinary lots with weights such that all lots together come to the published totals."""
    told_totals = totals(told, world)
    for _ in range(ROUNDS):
        lots = [ordinary_lot(slot, world) for slot in slots]
        sbg, fairmined = (totals((lot for lot in lots if lot.scheme == scheme), world) for scheme in SCHEMES)
        factors = _solved(sbg, fairmined, FINE_MG - told_totals.fine_mg, PREMIUMS_MINOR - told_totals.premiums_minor)
        scale = {
            scheme: (world.scale.get(scheme, Fraction(1)) * factor).limit_denominator(FACTOR_DIGITS)
            for scheme, factor in zip(SCHEMES, factors, strict=True)
        }
        assert all(FACTOR_MIN <= factor <= FACTOR_MAX for factor in scale.values()), f"implausible: {scale}"
        world = replace(world, scale=scale)
    return [ordinary_lot(slot, world) for slot in slots]


def _solved(first: Totals, second: Totals, fine_mg: int, premiums_minor: int) -> tuple[Fraction, Fraction]:
    determinant = first.fine_mg * second.premiums_minor - second.fine_mg * first.premiums_minor
    assert determinant, "the two schemes pay differently per gram"
    return (
        Fraction(fine_mg * second.premiums_minor - second.fine_mg * premiums_minor, determinant),
        Fraction(first.fine_mg * premiums_minor - fine_mg * first.premiums_minor, determinant),
    )
