"""What must hold for every sale: against an independent calculation, and against itself."""

from __future__ import annotations

import json
from copy import deepcopy
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.registry_snapshot import registry_snapshot
from schemas.rejection_code import RejectionCode
from schemas.scheme import Scheme
from services.premium_calculator.adapters.calculating_registry import calculating_registry
from services.premium_calculator.adapters.sale_decision import preview
from services.premium_calculator.domain.calculate import Rejection
from services.premium_calculator.domain.registry import Registry
from tests.soak import examples
from tests.unit.premium_calculator.broken_json import WHOLE, broken
from tests.unit.premium_calculator.programme import (
    PUBLISHED_ON,
    SCHEMES,
    USD_BENCHMARK,
    assays,
    calculated,
    encoded,
    registry,
    sale,
    snapshot,
)
from tests.unit.premium_calculator.reference import expected, weight

IDS = [scheme["id"] for scheme in SCHEMES]
ELIGIBLE_ANYWHERE = ["ORG-A", "ORG-B", "ORG-C", "ORG-D"]  # the others lack the fund that `fund` needs


def decimals(least: str, most: str, places: int) -> st.SearchStrategy[str]:
    numbers = st.decimals(Decimal(least), Decimal(most), places=places, allow_nan=False, allow_infinity=False)
    return numbers.map(lambda number: f"{number:f}")


finenesses = decimals("100", "1000", 1) | decimals("870", "875", 12)
weights = st.one_of(
    st.builds(lambda value: {"value": value, "unit": "GRM"}, decimals("0.001", "30000", 3)),
    st.builds(lambda value: {"value": value, "unit": "KGM"}, decimals("0.001", "30", 4)),
    st.builds(lambda value: {"value": value, "unit": "APZ"}, decimals("0.001", "1000", 3)),
    st.builds(lambda value: {"value": value, "unit": "GRM"}, decimals("1", "999999999999", 12)),
)


def total_weight(stated: list[dict[str, str]]) -> dict[str, str]:
    """Their exact sum in grams, or (beyond 12 digits) in the form they all have anyway."""
    exact = sum((weight(part) for part in stated), Fraction(0))
    scaled = exact * 10**12
    assert scaled.denominator == 1
    digits = str(scaled.numerator).rjust(13, "0")
    return {"value": f"{digits[:-12]}.{digits[-12:]}", "unit": "GRM"}


@st.composite
def valid_sales(draw: st.DrawFn) -> dict[str, Any]:
    rows = draw(st.lists(st.tuples(st.sampled_from(ELIGIBLE_ANYWHERE), weights), min_size=1, max_size=6))
    sources: list[dict[str, Any]] = [{"organization_id": id_, "melt_weight": stated} for id_, stated in rows]
    for source in sources:
        if draw(st.integers(0, 4)) > 0:
            source["fineness_permille"] = draw(finenesses)
    stage = draw(st.sampled_from(["provisional", "final", "umpire"]))
    permille = {"seller": draw(finenesses), "buyer": draw(finenesses), "umpire": draw(finenesses)}
    if draw(st.booleans()):
        permille["agreed"] = draw(finenesses)
    fields = sale(
        stage=stage,
        melt_weight=total_weight([source["melt_weight"] for source in sources]),
        sources=sources,
        assays=assays(**permille),
        schemes=draw(st.lists(st.sampled_from(IDS), min_size=1, max_size=4, unique=True)),
        benchmark=USD_BENCHMARK
        | {"price": draw(decimals("0.01", "99999", 2)), "per": draw(st.sampled_from(["GRM", "KGM", "APZ"]))},
    )
    if draw(st.booleans()):
        fields["price_share_of_benchmark"] = draw(decimals("0.5", "1.5", 4))
    return fields


@settings(max_examples=examples(150), deadline=None)
@given(fields=valid_sales())
def test_engine_agrees_with_an_independent_calculation(fields: dict[str, Any]) -> None:
    entitlement, wanted = calculated(fields), expected(fields)
    assert Fraction(entitlement["fineness_permille"]) == wanted.pop("fineness_permille")
    for premium, wanted_premium in zip(entitlement["premiums"], wanted.pop("premiums"), strict=True):
        assert {name: premium[name] for name in wanted_premium} == wanted_premium
    assert {name: entitlement[name] for name in wanted} == wanted


@settings(max_examples=examples(100), deadline=None)
@given(fields=valid_sales())
def test_lines_sum_to_totals_and_weights_to_the_lot(fields: dict[str, Any]) -> None:
    entitlement = calculated(fields)
    lot = Decimal(entitlement["fine_weight_g"])
    assert sum(Decimal(source["fine_weight_g"]) for source in entitlement["sources"]) == lot
    for premium in entitlement["premiums"]:
        assert sum(Decimal(line["amount"]) for line in premium["lines"]) == Decimal(premium["total"])
        producers = [line for line in premium["lines"] if line["role"] == "producer"]
        assert sum(Decimal(line["fine_weight_g"]) for line in producers) == lot
        assert all(Decimal(line["amount"]) >= 0 for line in premium["lines"])


@settings(max_examples=examples(60), deadline=None)
@given(fields=valid_sales(), data=st.data())
def test_order_of_sources_and_assays_changes_nothing(fields: dict[str, Any], data: st.DataObject) -> None:
    shuffled = fields | {name: data.draw(st.permutations(fields[name])) for name in ("sources", "assays")}
    one, other = calculated(fields), calculated(shuffled)
    for name in ("status", "fineness_permille", "fine_weight_g", "sources", "premiums"):
        assert one[name] == other[name]


@settings(max_examples=examples(60), deadline=None)
@given(fields=valid_sales())
def test_unit_in_which_a_weight_is_stated_changes_nothing(fields: dict[str, Any]) -> None:
    converted = deepcopy(fields)
    for stated in [converted["melt_weight"], *(source["melt_weight"] for source in converted["sources"])]:
        exact = weight(stated) / 1000 * 10**12
        if exact.denominator == 1:
            digits = str(exact.numerator).rjust(13, "0")
            stated["value"], stated["unit"] = f"{digits[:-12]}.{digits[-12:]}", "KGM"
    assert calculated(converted)["premiums"] == calculated(fields)["premiums"]


@settings(max_examples=examples(60), deadline=None)
@given(fields=valid_sales(), more=decimals("0.001", "5000", 3))
def test_more_gold_never_earns_less(fields: dict[str, Any], more: str) -> None:
    heavier = deepcopy(fields)
    for source in heavier["sources"]:
        source.pop("fineness_permille", None)
    lighter = deepcopy(heavier)
    added = {"value": more, "unit": "GRM"}
    heavier["sources"].append({"organization_id": "ORG-A", "melt_weight": added})
    heavier["melt_weight"] = total_weight([heavier["melt_weight"], added])
    # Only lots of which everything is eligible: a part that is not dilutes the others' share of whole milligrams.
    for lot in (lighter, heavier):
        for source in lot["sources"]:
            source["organization_id"] = "ORG-A"
    for less, not_less in zip(calculated(lighter)["premiums"], calculated(heavier)["premiums"], strict=True):
        assert Decimal(less["total"]) <= Decimal(not_less["total"])


@settings(max_examples=examples(60), deadline=None)
@given(fields=valid_sales(), more=decimals("0", "10", 3))
def test_a_higher_rate_never_pays_anybody_less(fields: dict[str, Any], more: str) -> None:
    lower, higher = calculated(fields), calculated(fields, used=with_rates_raised_by(more))
    for less, not_less in zip(lower["premiums"], higher["premiums"], strict=True):
        assert Decimal(less["total"]) <= Decimal(not_less["total"])


def with_rates_raised_by(more: str) -> Registry:
    base = snapshot()
    raised = {}
    for id_, version in base.schemes.items():
        sent = version.model_dump(mode="json", by_alias=True, exclude_none=True)
        member = "amount" if "amount" in sent["rate"] else "percent"
        sent["rate"][member] = f"{Decimal(sent['rate'][member]) + Decimal(more):f}"
        raised[id_] = Scheme.model_validate(sent)
    return calculating_registry(registry_snapshot(None, base.organizations, raised))


@settings(max_examples=examples(40), deadline=None)
@given(fields=valid_sales())
def test_cancelled_lot_earns_nothing(fields: dict[str, Any]) -> None:
    entitlement = calculated(fields | {"stage": "cancelled"})
    assert all(Decimal(premium["total"]) == 0 and not premium["lines"] for premium in entitlement["premiums"])


@settings(max_examples=examples(40), deadline=None)
@given(fields=valid_sales())
def test_same_sale_gives_the_same_bytes(fields: dict[str, Any]) -> None:
    assert preview(encoded(fields), registry(), PUBLISHED_ON) == preview(encoded(fields), registry(), PUBLISHED_ON)


@settings(max_examples=examples(400), deadline=None)
@given(data=st.data())
def test_broken_sale_is_calculated_or_rejected_by_a_listed_code(data: st.DataObject) -> None:
    sent = broken(data.draw, deepcopy(WHOLE))
    result = preview(json.dumps(sent).encode(), registry(), PUBLISHED_ON)
    assert isinstance(result, bytes) or (result.code in RejectionCode and result.field and result.message)


@settings(max_examples=examples(400), deadline=None)
@given(value=st.binary(max_size=200) | st.text(alphabet='{}[]",:0123456789eE.-+ntfal\\u \ud7ff', max_size=80).map(str.encode))
def test_any_bytes_are_rejected_and_never_raise(value: bytes) -> None:
    result = preview(value, registry(), PUBLISHED_ON)
    assert isinstance(result, Rejection)
    assert result.code is RejectionCode.SCHEMA_INVALID


def test_sale_that_the_fuzzing_starts_from_is_valid() -> None:
    assert calculated(WHOLE)["status"] == "settleable"
