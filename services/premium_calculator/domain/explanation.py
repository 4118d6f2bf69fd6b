"""The calculation's steps as data, so that others can put them in words in any language.

Goal: every figure of an entitlement can be followed from what was stated to what is paid.
Method: one step each for melt weight, assay, fine weight, sharing (several sources), documents and each premium. All
values are texts. Figures are the whole lot's: every source's proof carries the explanation, and shows no other's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from schemas.fixed_point import FRACTION_DIGITS_MAX, fixed_text, quotient_half_even, shortest_text
from schemas.units import GRAM_DIGITS
from services.premium_calculator.domain.assay import FINENESS_DIGITS, DecidedFineness
from services.premium_calculator.domain.fine_weight import Shares
from services.premium_calculator.domain.premium import Premium
from services.premium_calculator.domain.sale import Document, Sale

# A leaf of the ledger has at most 60,000 bytes and carries the explanation; a lot's papers take a few hundred.
DOCUMENTS_CHARS_MAX: Final = 4_000
# Parts of an amount are shown with four digits more than the currency has; only their sum is rounded, once.
SHOWN_DIGITS_MORE: Final = 4


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what was done, by which rule, with which values."""

    step: str
    rule: str
    values: dict[str, str]


def weight_text(milligrams: int) -> str:
    """Grams with three decimals."""
    return f"{milligrams // 1000}.{milligrams % 1000:03d}"


def melt_weight_step(sale: Sale) -> Step:
    """The melt weight as stated and in grams."""
    weight = sale.melt_weight
    grams = shortest_text(weight.grams_e19, GRAM_DIGITS)
    rule = "stated" if weight.unit == "GRM" else "converted"
    return Step("melt_weight", rule, {"value": weight.value, "unit": weight.unit, "melt_weight_g": grams})


def assay_step(sale: Sale, decided: DecidedFineness, splitting_limit_permille_e12: int) -> Step:
    """All assays as stated, the limit where it was compared, and what counts."""
    values = {assay.party: assay.fineness_permille for assay in sale.assays}
    if decided.rule in {"mean", "lower"}:
        values["limit_permille"] = shortest_text(splitting_limit_permille_e12, FRACTION_DIGITS_MAX)
    values["fineness_permille"] = shortest_text(decided.fineness_permille_e13, FINENESS_DIGITS)
    return Step("assay", decided.rule, values)


def fine_weight_step(melt_weight_g: str, fineness_permille: str, fine_weight_mg: int) -> Step:
    """Melt times fineness."""
    return Step(
        "fine_weight",
        "half_even_mg",
        {
            "melt_weight_g": melt_weight_g,
            "fineness_permille": fineness_permille,
            "fine_weight_g": weight_text(fine_weight_mg),
        },
    )


def sharing_step(shares: Shares, fine_weight_mg: int) -> Step:
    """By which rule the fine weight was shared, over how many organizations."""
    values = {"organizations": str(len(shares.organization_ids)), "fine_weight_g": weight_text(fine_weight_mg)}
    return Step("sharing", shares.rule, values)


def documents_step(documents: Sequence[Document]) -> Step:
    """The sale's papers in their order: all of them, or as many as fit (rule stated_in_part), with their number."""
    values = {"count": str(len(documents))}
    chars_left = DOCUMENTS_CHARS_MAX
    for row, document in enumerate(documents):
        chars_left -= len(document.kind) + len(document.number) + len(document.issuer or "")
        if chars_left < 0:
            return Step("documents", "stated_in_part", values)
        values[f"kind.{row}"] = document.kind
        values[f"number.{row}"] = document.number
        if document.issuer is not None:
            values[f"issuer.{row}"] = document.issuer
    return Step("documents", "stated", values)


def premium_step(sale: Sale, premium: Premium) -> Step:
    """Rate, eligible weight, floor and shares of one scheme."""
    scheme, rate = premium.scheme, premium.scheme.rate
    digits = scheme.minor_digits
    values = {"scheme_id": scheme.id, "scheme_version": scheme.version, "currency": scheme.currency}
    if rate.percent is not None:
        values["percent"] = rate.percent
    else:
        values["amount"] = rate.amount or ""
        values["unit"] = rate.unit or ""
    values["eligible_fine_weight_g"] = weight_text(premium.eligible_fine_weight_mg)
    top_up = premium.exact.top_up
    if sale.benchmark is not None and (rate.percent is not None or top_up is not None):
        values["benchmark_price"] = sale.benchmark.price
        values["benchmark_unit"] = sale.benchmark.unit
    if top_up is not None:
        values["floor"] = scheme.floor or ""
        values["price_share_of_benchmark"] = sale.price_share or ""
        values["top_up_share"] = shortest_text(premium.exact.top_up_share_e12, FRACTION_DIGITS_MAX)
        values["rate_part"] = _shown(premium.exact.rate_part, digits)
        values["top_up"] = _shown(top_up, digits)
    values["full_amount"] = fixed_text(premium.full_minor, digits)
    if sale.stage == "provisional":
        values["provisional_share"] = scheme.provisional_share
    values["total"] = fixed_text(premium.total_minor, digits)
    return Step("premium", rate.kind, values)


def _shown(part: tuple[int, int], minor_digits: int) -> str:
    scaled = quotient_half_even(part[0] * 10**SHOWN_DIGITS_MORE, part[1])
    return fixed_text(scaled, minor_digits + SHOWN_DIGITS_MORE)
