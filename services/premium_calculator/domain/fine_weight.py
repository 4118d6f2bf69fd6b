"""Fine weight of a lot and of its sources.

Goal: how much pure gold is in the lot, and how much of it came from whom, in whole milligrams that add up.
Method: melt x fineness / 1000, rounded half-even to 0.001 g, once per lot; then shared by largest remainder over
organizations in the order of their ids (several rows of one organization count as one).
Source: design section 5, steps 3 and 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from schemas.fixed_point import quotient_half_even
from services.premium_calculator.domain.largest_remainder import split_by_largest_remainder
from services.premium_calculator.domain.sale import Source

# 1e-19 g times 1e-13 permille, in milligrams: 10^-19 x 10^-13 / 1000 x 1000.
_PRODUCTS_PER_MG: Final = 10**32


@dataclass(frozen=True, slots=True)
class Shares:
    """Fine weight of each organization in the lot, in the order of ids."""

    rule: str
    organization_ids: list[str]
    fine_weights_mg: list[int]


def lot_fine_weight_mg(melt_weight_g_e19: int, fineness_permille_e13: int) -> int:
    """Fine weight of the lot in milligrams, rounded half-even."""
    return quotient_half_even(melt_weight_g_e19 * fineness_permille_e13, _PRODUCTS_PER_MG)


def shared_fine_weight(fine_weight_mg: int, sources: Sequence[Source]) -> Shares:
    """Share the lot's fine weight over its organizations: by melt x fineness if every row states its fineness."""
    if len(sources) == 1:
        return Shares("by_melt_weight", [sources[0].organization_id], [fine_weight_mg])
    by_fine_weight = all(source.fineness_permille_e12 is not None for source in sources)
    weights: dict[str, int] = {}
    for source in sources:
        weight = source.melt_weight.grams_e19
        if by_fine_weight:
            weight *= source.fineness_permille_e12 or 0
        weights[source.organization_id] = weights.get(source.organization_id, 0) + weight
    ids = sorted(weights)  # Python compares texts by code point, as the contract says
    rule = "by_fine_weight" if by_fine_weight else "by_melt_weight"
    return Shares(rule, ids, split_by_largest_remainder(fine_weight_mg, [weights[id_] for id_ in ids]))
