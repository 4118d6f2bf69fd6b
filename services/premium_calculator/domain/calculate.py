"""From a sale to an entitlement, or to the first reason against it.

Goal: the same sale under the same registry always gives the same answer, on any machine.
Method: a pure function. Checks run in the order of the rejection codes (`schemas.rejection_code`), and the first that
fails is the answer; then the steps of design section 5. A cancelled revision is checked up to NO_SCHEME_VERSION only.
Where several schemes rule one lot, the strictest limit and the strictest tolerance count.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from schemas.fixed_point import FRACTION_DIGITS_MAX, shortest_text
from schemas.rejection_code import RejectionCode
from schemas.units import GRAM_DIGITS, GRAMS_E7, MILLIGRAM_E19
from services.premium_calculator.domain import explanation
from services.premium_calculator.domain.assay import FINENESS_DIGITS, DecidedFineness, decided_fineness
from services.premium_calculator.domain.explanation import Step
from services.premium_calculator.domain.fine_weight import lot_fine_weight_mg, shared_fine_weight
from services.premium_calculator.domain.premium import (
    ExactAmount,
    Premium,
    benchmark_missing,
    ineligible_because,
    premium_of_lot,
)
from services.premium_calculator.domain.registry import Organization, Registry, Scheme
from services.premium_calculator.domain.sale import Sale

_FINENESS_LEAST_E12: Final = 100 * 10**12  # below are percentages (87.35) and fractions (0.8735)
_FINENESS_MOST_E12: Final = 1000 * 10**12
_E7: Final = 10**7  # from 1e-12 g to 1e-19 g
_NOTHING: Final = ExactAmount((0, 1), None, 0)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a sale is not calculated: stable code, field at fault, and what to do about it."""

    code: RejectionCode
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What a lot is entitled to. Without fineness and weights where the revision is cancelled."""

    status: str
    fineness_permille: str | None
    fine_weight_mg: int | None
    organization_ids: list[str]
    fine_weights_mg: list[int]
    premiums: list[Premium]
    explanation: list[Step]


def calculate(sale: Sale, registry: Registry, published_on: date) -> Entitlement | Rejection:
    """Calculate one sale. `published_on` is the UTC day on which the event was published."""
    schemes = [registry.scheme_on(scheme_id, sale.sold_on) for scheme_id in sale.schemes]
    in_force = [scheme for scheme in schemes if scheme is not None]
    sources = [registry.organization(source.organization_id, "producer") for source in sale.sources]
    rejection = (
        _future_dated(sale, published_on)
        or _party_unknown(sale, registry)
        or _source_unknown(sale, sources)
        or _fund_unknown(sale, registry, in_force, sources)
        or _scheme_unknown(sale, registry)
        or _scheme_not_in_force(sale, schemes)
    )
    if rejection is not None:
        return rejection
    if sale.stage == "cancelled":
        nothing = [Premium(scheme, 0, _NOTHING, 0, 0, any_eligible=False, lines=[]) for scheme in in_force]
        return Entitlement("cancelled", None, None, [], [], nothing, [])
    return _calculated(sale, registry, in_force)


def _calculated(sale: Sale, registry: Registry, schemes: list[Scheme]) -> Entitlement | Rejection:
    limit_e12 = min([scheme.splitting_limit_permille_e12 for scheme in schemes])
    by_party = {assay.party: assay.fineness_permille_e12 for assay in sale.assays}
    decided = decided_fineness(sale.stage, by_party, limit_e12)
    if decided is None:
        return _mass_mismatch(sale, schemes) or _assay_missing(sale)
    fine_weight_mg = lot_fine_weight_mg(sale.melt_weight.grams_e19, decided.fineness_permille_e13)
    rejection = (
        _mass_mismatch(sale, schemes)
        or _fineness_out_of_range(sale)
        or _fine_weight_mismatch(sale, schemes, decided, fine_weight_mg)
        or _benchmark_required(sale, schemes)
    )
    if rejection is not None:
        return rejection
    shares = shared_fine_weight(fine_weight_mg, sale.sources)
    premiums = [
        premium_of_lot(sale, scheme, registry.organizations, shares.organization_ids, shares.fine_weights_mg)
        for scheme in schemes
    ]
    fineness_permille = shortest_text(decided.fineness_permille_e13, FINENESS_DIGITS)
    melt = explanation.melt_weight_step(sale)
    steps = [
        melt,
        explanation.assay_step(sale, decided, limit_e12),
        explanation.fine_weight_step(melt.values["melt_weight_g"], fineness_permille, fine_weight_mg),
    ]
    if len(shares.organization_ids) > 1:
        steps.append(explanation.sharing_step(shares, fine_weight_mg))
    if sale.documents:
        steps.append(explanation.documents_step(sale.documents))
    steps += [explanation.premium_step(sale, premium) for premium in premiums]
    return Entitlement(
        status=_status(decided, premiums),
        fineness_permille=fineness_permille,
        fine_weight_mg=fine_weight_mg,
        organization_ids=shares.organization_ids,
        fine_weights_mg=shares.fine_weights_mg,
        premiums=premiums,
        explanation=steps,
    )


def _status(decided: DecidedFineness, premiums: list[Premium]) -> str:
    if not any(premium.any_eligible for premium in premiums):
        return "ineligible"
    return "umpire_pending" if decided.disputed else "settleable"


# --- checks, in the order of their codes ------------------------------------------------------------------------------


def _future_dated(sale: Sale, published_on: date) -> Rejection | None:
    if sale.sold_on <= published_on:
        return None
    message = f"{sale.sold_on} is after the day of publication, {published_on}: send the day on which the lot was sold"
    return Rejection(RejectionCode.FUTURE_DATED, "sold_on", message)


def _party_unknown(sale: Sale, registry: Registry) -> Rejection | None:
    if registry.organization(sale.refiner_id, "refiner") is None:
        return _unknown("refiner_id", sale.refiner_id, "refiner")
    if registry.organization(sale.exporter_id, "exporter") is None:
        return _unknown("exporter_id", sale.exporter_id, "exporter")
    if registry.organization(sale.payer_id, "payer") is None:
        return _unknown("payer_id", sale.payer_id, "payer")
    return None


def _source_unknown(sale: Sale, sources: list[Organization | None]) -> Rejection | None:
    for row, source in enumerate(sources):
        if source is None:
            return _unknown(f"sources.{row}.organization_id", sale.sources[row].organization_id, "producer")
    return None


def _unknown(field: str, organization_id: str, kind: str) -> Rejection:
    message = f"{organization_id} is no {kind} in the registry: correct the id, or have it entered there and send again"
    return Rejection(RejectionCode.UNKNOWN_ORGANIZATION, field, message)


def _fund_unknown(
    sale: Sale, registry: Registry, in_force: list[Scheme], sources: list[Organization | None]
) -> Rejection | None:
    with_fund = [scheme for scheme in in_force if scheme.fund_part_e12 is not None]
    if not with_fund:
        return None
    for row, source in enumerate(sources):
        if source is None or registry.organization(source.community_fund_id or "", "community_fund") is not None:
            continue
        for scheme in with_fund:
            if ineligible_because(scheme, source, sale.sold_on) is None:
                return Rejection(
                    RejectionCode.UNKNOWN_ORGANIZATION,
                    f"sources.{row}.organization_id",
                    f"{scheme.id} pays a part to the community fund of {source.id}, and "
                    f"{source.community_fund_id or 'none'} is no community fund in the registry: have it entered there",
                )
    return None


def _scheme_unknown(sale: Sale, registry: Registry) -> Rejection | None:
    for row, scheme_id in enumerate(sale.schemes):
        if scheme_id not in registry.schemes:
            known = ", ".join(sorted(registry.schemes)[:10])
            message = f"no scheme has the id {scheme_id}: correct it; known are {known}"
            return Rejection(RejectionCode.UNKNOWN_SCHEME, f"schemes.{row}", message)
    return None


def _scheme_not_in_force(sale: Sale, schemes: list[Scheme | None]) -> Rejection | None:
    for row, scheme in enumerate(schemes):
        if scheme is None:
            message = f"no version of {sale.schemes[row]} is in force on {sale.sold_on}: check sold_on and the scheme"
            return Rejection(RejectionCode.NO_SCHEME_VERSION, f"schemes.{row}", message)
    return None


def _mass_mismatch(sale: Sale, schemes: list[Scheme]) -> Rejection | None:
    sum_e19 = sum([source.melt_weight.grams_e19 for source in sale.sources])
    difference_e19 = sum_e19 - sale.melt_weight.grams_e19
    tolerance_e12 = min([scheme.source_mass_tolerance_g_e12 for scheme in schemes])
    if abs(difference_e19) <= tolerance_e12 * _E7:
        return None
    lot, total, difference = (
        _weight_in_words(grams_e19, sale) for grams_e19 in (sale.melt_weight.grams_e19, sum_e19, difference_e19)
    )
    message = (
        f"sources add up to {total}, the lot is {lot} (difference {difference}): "
        "give each source's share of the weight after melt"
    )
    return Rejection(RejectionCode.SOURCE_MASS_MISMATCH, "sources", message)


def _weight_in_words(grams_e19: int, sale: Sale) -> str:
    """A sum or difference of the sale's weights, in the unit that all of them are stated in, else in grams."""
    units = {weight.unit for weight in (sale.melt_weight, *(source.melt_weight for source in sale.sources))}
    if len(units) > 1:
        return f"{shortest_text(grams_e19, GRAM_DIGITS)} GRM"
    (unit,) = units
    return f"{shortest_text(grams_e19 // GRAMS_E7[unit], FRACTION_DIGITS_MAX)} {unit}"  # leaves no remainder


def _assay_missing(sale: Sale) -> Rejection:
    needed = {
        "provisional": "the seller's assay",
        "final": "an agreed assay, or the seller's and the buyer's",
        "umpire": "the umpire's assay, the seller's and the buyer's",
    }[sale.stage]
    return Rejection(RejectionCode.ASSAY_MISSING, "assays", f"stage {sale.stage} needs {needed}: add what is missing")


def _fineness_out_of_range(sale: Sale) -> Rejection | None:
    for row, assay in enumerate(sale.assays):
        if not _FINENESS_LEAST_E12 <= assay.fineness_permille_e12 <= _FINENESS_MOST_E12:
            return _out_of_range(f"assays.{row}.fineness_permille", assay.fineness_permille_e12)
    for row, source in enumerate(sale.sources):
        stated_e12 = source.fineness_permille_e12
        if stated_e12 is not None and not _FINENESS_LEAST_E12 <= stated_e12 <= _FINENESS_MOST_E12:
            return _out_of_range(f"sources.{row}.fineness_permille", stated_e12)
    return None


def _out_of_range(field: str, stated_e12: int) -> Rejection:
    stated = shortest_text(stated_e12, FRACTION_DIGITS_MAX)
    for factor, slip in ((1000, "a fraction"), (10, "a percentage")):
        meant_e12 = stated_e12 * factor
        if _FINENESS_LEAST_E12 <= meant_e12 <= _FINENESS_MOST_E12:
            meant = shortest_text(meant_e12, FRACTION_DIGITS_MAX)
            message = f"{stated} looks like {slip}: give parts per thousand, {meant}"
            break
    else:
        message = f"{stated} is not between 100 and 1000: give parts per thousand, such as 873.5"
    return Rejection(RejectionCode.FINENESS_OUT_OF_RANGE, field, message)


def _fine_weight_mismatch(sale: Sale, schemes: list[Scheme], decided: DecidedFineness, fine_weight_mg: int) -> Rejection | None:
    stated = sale.stated_fine_weight
    if stated is None or decided.disputed:
        return None
    tolerance_e12 = min([scheme.fine_weight_tolerance_g_e12 for scheme in schemes])
    if abs(stated.grams_e19 - fine_weight_mg * MILLIGRAM_E19) <= tolerance_e12 * _E7:
        return None
    message = (
        f"stated {shortest_text(stated.grams_e19, GRAM_DIGITS)} g, computed {explanation.weight_text(fine_weight_mg)} g "
        f"(melt x {shortest_text(decided.fineness_permille_e13, FINENESS_DIGITS)} permille): correct weight or assay"
    )
    return Rejection(RejectionCode.FINE_WEIGHT_MISMATCH, "stated_fine_weight", message)


def _benchmark_required(sale: Sale, schemes: list[Scheme]) -> Rejection | None:
    for scheme in schemes:
        if benchmark_missing(scheme, sale):
            message = f"{scheme.id} is computed from a benchmark in {scheme.currency}: state its price, unit, fixing and day"
            return Rejection(RejectionCode.BENCHMARK_REQUIRED, "benchmark", message)
    return None
