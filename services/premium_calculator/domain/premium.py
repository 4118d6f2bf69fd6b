"""The premium of a lot under one scheme, and who gets which part of it.

Goal: one total per lot and scheme, rounded once, and lines that sum to it.
Method: rate x eligible fine weight, plus the floor's top-up, as one exact fraction of minor units, rounded half-even; at
the provisional stage then times the provisional share and rounded once more. The total is shared over eligible sources
by fine weight, then over roles by the scheme's split, each by largest remainder.
Source: design section 5, steps 5 to 7.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from schemas.fixed_point import quotient_half_even
from services.premium_calculator.domain.largest_remainder import split_by_largest_remainder
from services.premium_calculator.domain.registry import Organization, Scheme
from services.premium_calculator.domain.sale import Benchmark, Sale

_ONE_E12: Final = 10**12
_ONE_E14: Final = 10**14
_MG_IN_UNIT: Final = 10**15  # 1e-12 of a currency unit in a price, times 1e3 mg in a gram
_UNIT_E7: Final = 10**7


@dataclass(frozen=True, slots=True)
class Line:
    """What one organization earns in one role. `reason` says why a source is not eligible."""

    organization_id: str
    role: str
    fine_weight_mg: int
    amount_minor: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class ExactAmount:
    """What an eligible fine weight earns before any rounding: two fractions of minor units, (numerator, denominator)."""

    rate_part: tuple[int, int]
    top_up: tuple[int, int] | None
    top_up_share_e12: int

    def rounded_minor(self) -> int:
        """Both parts together in minor units, rounded half-even, once."""
        numerator, denominator = self.rate_part
        if self.top_up is not None:
            numerator = numerator * self.top_up[1] + self.top_up[0] * denominator
            denominator *= self.top_up[1]
        return quotient_half_even(numerator, denominator)


@dataclass(frozen=True, slots=True)
class Premium:
    """What the lot earns under one scheme."""

    scheme: Scheme
    eligible_fine_weight_mg: int
    exact: ExactAmount
    full_minor: int
    total_minor: int
    any_eligible: bool
    lines: list[Line]


def minor_per_mg(price_e12: int, unit_grams_e7: int, minor_digits: int) -> tuple[int, int]:
    """Minor units of currency per milligram at a price per unit of mass, as an exact fraction."""
    return price_e12 * 10**minor_digits * _UNIT_E7, _MG_IN_UNIT * unit_grams_e7


def top_up_applies(scheme: Scheme, sale: Sale) -> bool:
    """Tell whether the scheme's floor is compared: it has one, and the sale states at which share it was sold."""
    return scheme.floor_e12 is not None and sale.price_share_e12 is not None


def benchmark_missing(scheme: Scheme, sale: Sale) -> bool:
    """Tell whether the scheme needs a benchmark in its currency that the sale does not state."""
    if scheme.rate.percent is None and not top_up_applies(scheme, sale):
        return False
    return sale.benchmark is None or sale.benchmark.currency != scheme.currency


def exact_amount(
    scheme: Scheme, eligible_fine_weight_mg: int, benchmark: Benchmark | None, price_share_e12: int | None
) -> ExactAmount:
    """What `eligible_fine_weight_mg` earns, exactly. The benchmark is there wherever the scheme needs it."""
    rate = scheme.rate
    if rate.percent is None:
        rate_part = (rate.minor_per_mg[0] * eligible_fine_weight_mg, rate.minor_per_mg[1])
        if scheme.floor_e12 is None or price_share_e12 is None:
            return ExactAmount(rate_part, None, 0)
    assert benchmark is not None, "the sale was rejected as BENCHMARK_REQUIRED otherwise"
    value_per_mg = minor_per_mg(benchmark.price_e12, benchmark.unit_grams_e7, scheme.minor_digits)
    value, denominator = value_per_mg[0] * eligible_fine_weight_mg, value_per_mg[1]
    if rate.percent is not None:
        rate_part = (value * rate.percent_e12, denominator * _ONE_E14)
    if scheme.floor_e12 is None or price_share_e12 is None:
        return ExactAmount(rate_part, None, 0)
    missing_e12 = max(0, scheme.floor_e12 - price_share_e12)
    return ExactAmount(rate_part, (value * missing_e12, denominator * _ONE_E12), missing_e12)


def premium_of_lot(
    sale: Sale,
    scheme: Scheme,
    organizations: Mapping[str, Organization],
    organization_ids: Sequence[str],
    fine_weights_mg: Sequence[int],
) -> Premium:
    """The premium under one scheme; `organization_ids` in order, each with its fine weight."""
    reasons = [ineligible_because(scheme, organizations[organization_id], sale.sold_on) for organization_id in organization_ids]
    eligible = [member for member, reason in enumerate(reasons) if reason is None]
    eligible_fine_weight_mg = sum([fine_weights_mg[member] for member in eligible])
    exact = exact_amount(scheme, eligible_fine_weight_mg, sale.benchmark, sale.price_share_e12)
    full_minor = total_minor = exact.rounded_minor()
    if sale.stage == "provisional":
        total_minor = quotient_half_even(full_minor * scheme.provisional_share_e12, _ONE_E12)
    amounts_minor = [0] * len(organization_ids)
    if eligible:
        shares = split_by_largest_remainder(total_minor, [fine_weights_mg[member] for member in eligible])
        for member, share in zip(eligible, shares, strict=True):
            amounts_minor[member] = share
    lines = _lines(
        scheme, organizations, organization_ids, weights_mg=fine_weights_mg, amounts_minor=amounts_minor, reasons=reasons
    )
    return Premium(scheme, eligible_fine_weight_mg, exact, full_minor, total_minor, bool(eligible), lines)


def ineligible_because(scheme: Scheme, organization: Organization, sold_on: date) -> str | None:
    """None if the organization's status for the scheme on that day is an eligible one, else the reason."""
    status = organization.status_on(scheme.id, sold_on)
    if status in scheme.eligible_statuses:
        return None
    return "no_status" if status is None else f"status:{status}"


def _lines(
    scheme: Scheme,
    organizations: Mapping[str, Organization],
    organization_ids: Sequence[str],
    *,
    weights_mg: Sequence[int],
    amounts_minor: Sequence[int],
    reasons: Sequence[str | None],
) -> list[Line]:
    if scheme.fund_part_e12 is None:
        return [
            Line(organization_id, "producer", weights_mg[member], amounts_minor[member], reasons[member])
            for member, organization_id in enumerate(organization_ids)
        ]
    lines = []
    funds: dict[str, list[int]] = {}
    for member, organization_id in enumerate(organization_ids):
        fine_weight_mg, amount_minor, reason = weights_mg[member], amounts_minor[member], reasons[member]
        if reason is None:
            amount_minor, fund_minor = split_by_largest_remainder(
                amount_minor, (scheme.producer_part_e12, scheme.fund_part_e12)
            )
            # Every eligible source has its fund: the lot was rejected otherwise. Several may share one.
            fund = funds.setdefault(organizations[organization_id].community_fund_id or "", [0, 0])
            fund[0] += fine_weight_mg
            fund[1] += fund_minor
        lines.append(Line(organization_id, "producer", fine_weight_mg, amount_minor, reason))
    lines += [Line(fund_id, "community_fund", weight_mg, minor, None) for fund_id, (weight_mg, minor) in funds.items()]
    # By organization id; sorting is stable, so a producer line stays before a fund line of the same id.
    lines.sort(key=lambda line: line.organization_id)
    return lines
