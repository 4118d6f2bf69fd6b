"""What the sample expects the engine to find, computed by other means.

Goal: calibrate the sample to the published totals, and give the tests an expectation that shares no code with the product.
Method: the rules of docs (fine weight, eligibility, rate, floor) over exact fractions of a milligram and of a cent.
Refuses: nothing; it is only fed what the sample makes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Final

from samples.lot import Lot, Revision

# The two schemes that the sample's lots are sold under, as schemes/*.yaml has them (tests compare the results).
RATE_CENTS_PER_GRAM: Final[Mapping[str, int]] = {"sbg": 70, "fairmined": 400}
FLOOR_BY_SCHEME: Final[Mapping[str, Fraction]] = {"fairmined": Fraction(95, 100)}
ELIGIBLE_STATUSES: Final[Mapping[str, frozenset[str]]] = {
    "sbg": frozenset({"step_2", "step_3"}),
    "fairmined": frozenset({"certified"}),
}
PROVISIONAL_SHARE: Final = Fraction(90, 100)
SPLITTING_LIMIT_TENTHS: Final = 5
GRAMS_PER_TROY_OUNCE: Final = Fraction(311_034_768, 10_000_000)

StatusOn = Callable[[str, str, date], str | None]  # organization id, scheme id, day


@dataclass(frozen=True, slots=True)
class Expectation:
    """Fine weight and premium of one revision of a lot."""

    fine_mg: int
    fine_mg_by_organization: Mapping[str, int]
    eligible_fine_mg: int
    premium_minor: int
    lines_minor: Mapping[str, int]
    umpire_pending: bool  # Money is paid for the undisputed part; with nobody eligible there is none.


NOTHING: Final = Expectation(0, {}, 0, 0, {}, umpire_pending=False)


def expectation(lot: Lot, revision: Revision, status_on: StatusOn) -> Expectation:
    """Compute what one revision entitles to, over all its sources."""
    if revision.stage == "cancelled":
        return NOTHING
    fineness, umpire_pending = _fineness_permille(revision)
    fine_mg = round(revision.melt_steps * lot.unit.step_mg * fineness / 1000)
    shares = _fine_mg_by_organization(revision, fine_mg)
    eligible = {
        organization: share
        for organization, share in shares.items()
        if status_on(organization, lot.scheme, lot.sold_on) in ELIGIBLE_STATUSES[lot.scheme]
    }
    eligible_mg = sum(eligible.values())
    premium = round(Fraction(RATE_CENTS_PER_GRAM[lot.scheme] * eligible_mg, 1000) + _top_up(lot, eligible_mg))
    if revision.stage == "provisional":
        premium = round(premium * PROVISIONAL_SHARE)
    return Expectation(
        fine_mg, shares, eligible_mg, premium, largest_remainder(premium, eligible), umpire_pending and bool(eligible)
    )


def largest_remainder(amount: int, weights: Mapping[str, int | Fraction]) -> dict[str, int]:
    """Split a whole amount by weight; what is left over goes to the largest remainders, ties to the lower id."""
    total = sum(weights.values())
    exact = {member: Fraction(amount * weight) / total for member, weight in weights.items()}
    shares = {member: share.numerator // share.denominator for member, share in exact.items()}
    left = amount - sum(shares.values())
    for member in sorted(exact, key=lambda member: (shares[member] - exact[member], member))[:left]:
        shares[member] += 1
    return dict(sorted(shares.items()))


def _fineness_permille(revision: Revision) -> tuple[Fraction, bool]:
    tenths = dict(revision.assays_tenths)
    if revision.stage == "provisional":
        return Fraction(tenths["seller"], 10), False
    if revision.stage == "umpire":
        low, high = sorted((tenths["seller"], tenths["buyer"]))
        return Fraction(min(max(tenths["umpire"], low), high), 10), False
    if "agreed" in tenths:
        return Fraction(tenths["agreed"], 10), False
    if abs(tenths["seller"] - tenths["buyer"]) <= SPLITTING_LIMIT_TENTHS:
        return Fraction(tenths["seller"] + tenths["buyer"], 20), False
    return Fraction(min(tenths["seller"], tenths["buyer"]), 10), True


def _fine_mg_by_organization(revision: Revision, fine_mg: int) -> dict[str, int]:
    by_fineness = all(source.fineness_tenths is not None for source in revision.sources)
    weights: dict[str, int] = {}
    for source in revision.sources:
        weight = source.melt_steps * (source.fineness_tenths if by_fineness and source.fineness_tenths else 1)
        weights[source.organization_id] = weights.get(source.organization_id, 0) + weight
    return largest_remainder(fine_mg, weights)


def _top_up(lot: Lot, eligible_mg: int) -> Fraction:
    floor = FLOOR_BY_SCHEME.get(lot.scheme)
    if floor is None or lot.price_share is None or lot.benchmark_cents_per_ounce is None:
        return Fraction(0)
    value_cents = Fraction(eligible_mg, 1000) / GRAMS_PER_TROY_OUNCE * lot.benchmark_cents_per_ounce
    return max(Fraction(0), floor - lot.price_share) * value_cents
