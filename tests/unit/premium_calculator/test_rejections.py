"""Every rejection code, its field, its limits, and which of several reasons counts."""

from __future__ import annotations

from datetime import date
from itertools import combinations_with_replacement
from typing import Any

import pytest

from schemas.rejection_code import RejectionCode
from services.premium_calculator.adapters.sale_decision import preview
from services.premium_calculator.domain.calculate import Rejection
from tests.unit.premium_calculator.programme import (
    PUBLISHED_ON,
    USD_BENCHMARK,
    assays,
    calculated,
    encoded,
    grams,
    registry,
    rejected,
    sale,
    sources,
)


def test_sale_of_the_day_of_publication_counts_and_of_the_next_day_is_future_dated() -> None:
    assert calculated(sale(), published_on=date(2025, 3, 14))
    assert rejected(sale(), published_on=date(2025, 3, 13)) == ("FUTURE_DATED", "sold_on")


@pytest.mark.parametrize("field", ["refiner_id", "exporter_id", "payer_id"])
@pytest.mark.parametrize("id_", ["NOBODY", "ORG-A"])
def test_party_that_is_unknown_or_of_another_kind_is_refused(field: str, id_: str) -> None:
    assert rejected(sale(**{field: id_})) == ("UNKNOWN_ORGANIZATION", field)


@pytest.mark.parametrize("id_", ["NOBODY", "PAY"])
def test_source_that_is_unknown_or_no_producer_is_named_by_its_row(id_: str) -> None:
    rows = sources(("ORG-A", "2000.60"), (id_, "450"))
    assert rejected(sale(sources=rows)) == ("UNKNOWN_ORGANIZATION", "sources.1.organization_id")


def test_community_fund_is_needed_for_eligible_sources_of_a_scheme_that_pays_one() -> None:
    with_unknown_fund = sale(sources=sources(("ORG-A", "2000.60"), ("ORG-E", "450")), schemes=["fund"])
    assert rejected(with_unknown_fund) == ("UNKNOWN_ORGANIZATION", "sources.1.organization_id")
    # ORG-Ñ has no fund at all, but no status under this scheme either, so none is needed.
    assert calculated(sale(sources=sources(("ORG-A", "2000.60"), ("ORG-Ñ", "450")), schemes=["fund"]))
    # gram pays no fund.
    assert calculated(sale(sources=sources(("ORG-E", "2450.60")), schemes=["gram"]))


def test_unknown_fund_comes_before_an_unknown_scheme() -> None:
    doubtful = sale(sources=sources(("ORG-E", "2450.60")), schemes=["nothing", "fund"])
    assert rejected(doubtful) == ("UNKNOWN_ORGANIZATION", "sources.0.organization_id")


def test_unknown_scheme_is_named_by_its_row_and_comes_before_a_missing_version() -> None:
    assert rejected(sale(schemes=["gram", "nothing"])) == ("UNKNOWN_SCHEME", "schemes.1")
    assert rejected(sale(schemes=["strict", "nothing"], sold_on="2019-12-31")) == ("UNKNOWN_SCHEME", "schemes.1")


@pytest.mark.parametrize(("sold_on", "in_force"), [("2019-12-31", False), ("2020-01-01", True), ("2025-12-31", True)])
def test_version_is_in_force_from_its_first_day(sold_on: str, in_force: bool) -> None:
    fields = sale(schemes=["strict"], sold_on=sold_on)
    if in_force:
        assert calculated(fields, published_on=date(2026, 6, 1))
    else:
        assert rejected(fields) == ("NO_SCHEME_VERSION", "schemes.0")


def test_version_is_no_longer_in_force_on_its_last_boundary() -> None:
    fields = sale(schemes=["strict"], sold_on="2026-01-01")
    assert rejected(fields, published_on=date(2026, 6, 1)) == ("NO_SCHEME_VERSION", "schemes.0")


@pytest.mark.parametrize(("melt", "fits"), [("2450.61", True), ("2450.59", True), ("2450.610000000001", False)])
def test_sources_may_differ_from_the_lot_by_exactly_the_tolerance(melt: str, fits: bool) -> None:
    fields = sale(sources=sources(("ORG-A", melt)))
    if fits:
        assert calculated(fields)
    else:
        assert rejected(fields) == ("SOURCE_MASS_MISMATCH", "sources")


@pytest.mark.parametrize(
    ("units", "told"),
    [
        (("APZ", "APZ"), "sources add up to 20.1 APZ, the lot is 20.576 APZ (difference -0.476 APZ)"),
        (("KGM", "KGM"), "sources add up to 20.1 KGM, the lot is 20.576 KGM (difference -0.476 KGM)"),
        (("KGM", "GRM"), "sources add up to 20.1 GRM, the lot is 20576 GRM (difference -20555.9 GRM)"),
    ],
)
def test_weights_that_do_not_add_up_are_told_as_they_were_stated(units: tuple[str, str], told: str) -> None:
    lot, source = ({"value": value, "unit": unit} for value, unit in zip(("20.576", "20.1"), units, strict=True))
    fields = sale(melt_weight=lot, sources=[{"organization_id": "ORG-A", "melt_weight": source}])
    result = preview(encoded(fields), registry(), PUBLISHED_ON)
    assert isinstance(result, Rejection)
    assert result.message == f"{told}: give each source's share of the weight after melt"


def test_strictest_of_several_tolerances_rules_the_lot() -> None:
    fields = sale(sources=sources(("ORG-A", "2450.61")), schemes=["gram", "strict"])
    assert rejected(fields) == ("SOURCE_MASS_MISMATCH", "sources")


@pytest.mark.parametrize(
    ("stage", "given"),
    [
        ("provisional", {"agreed": "873.5"}),
        ("provisional", {"buyer": "873.5"}),
        ("final", {}),
        ("final", {"seller": "873.5"}),
        ("final", {"buyer": "873.5", "umpire": "873.5"}),
        ("umpire", {"seller": "873.5", "buyer": "871.8"}),
        ("umpire", {"umpire": "873.5", "buyer": "871.8"}),
        ("umpire", {"umpire": "873.5", "seller": "871.8"}),
        ("umpire", {"agreed": "873.5"}),
    ],
)
def test_assay_that_the_stage_needs_must_be_there(stage: str, given: dict[str, str]) -> None:
    assert rejected(sale(stage=stage, assays=assays(**given))) == ("ASSAY_MISSING", "assays")


@pytest.mark.parametrize("fineness", ["0", "-873.5", "0.8735", "87.35", "99.999999999999", "1000.000000000001", "8735"])
def test_fineness_out_of_range_is_refused(fineness: str) -> None:
    assert rejected(sale(assays=assays(agreed=fineness))) == ("FINENESS_OUT_OF_RANGE", "assays.0.fineness_permille")


@pytest.mark.parametrize("fineness", ["100", "1000", "999.999999999999"])
def test_fineness_at_the_ends_of_its_range_counts(fineness: str) -> None:
    assert calculated(sale(assays=assays(agreed=fineness)))


def test_all_given_assays_are_checked_also_those_that_do_not_count() -> None:
    fields = sale(stage="provisional", assays=assays(seller="873.5", buyer="-1"))
    assert rejected(fields) == ("FINENESS_OUT_OF_RANGE", "assays.1.fineness_permille")


def test_fineness_of_a_source_is_checked_too_because_it_shares_the_weight() -> None:
    rows = sources(("ORG-A", "2000.60"), ("ORG-B", "450"))
    rows[0]["fineness_permille"], rows[1]["fineness_permille"] = "870", "0.871"
    assert rejected(sale(sources=rows)) == ("FINENESS_OUT_OF_RANGE", "sources.1.fineness_permille")


@pytest.mark.parametrize(("stated", "fits"), [("2136.383", True), ("2136.483", True), ("2136.4831", False)])
def test_stated_fine_weight_may_differ_from_the_rounded_one_by_the_tolerance(stated: str, fits: bool) -> None:
    fields = sale(stated_fine_weight=grams(stated))
    if fits:
        assert calculated(fields)
    else:
        assert rejected(fields) == ("FINE_WEIGHT_MISMATCH", "stated_fine_weight")


def test_strictest_fine_weight_tolerance_rules_the_lot() -> None:
    fields = sale(stated_fine_weight=grams("2136.45"), schemes=["gram", "strict"])
    assert rejected(fields) == ("FINE_WEIGHT_MISMATCH", "stated_fine_weight")


def test_stated_fine_weight_is_not_compared_while_an_umpire_decides() -> None:
    disputed = assays(seller="873.5", buyer="871.8")
    assert calculated(sale(assays=disputed, stated_fine_weight=grams("1")))["status"] == "umpire_pending"


EUR_BENCHMARK = USD_BENCHMARK | {"currency": "EUR"}


@pytest.mark.parametrize("benchmark", [None, EUR_BENCHMARK])
def test_percentage_needs_a_benchmark_in_the_scheme_s_currency(benchmark: dict[str, str] | None) -> None:
    assert rejected(sale(schemes=["share"], benchmark=benchmark)) == ("BENCHMARK_REQUIRED", "benchmark")
    # Also if nobody is eligible.
    nobody = sale(schemes=["share"], benchmark=benchmark, sources=sources(("ORG-D", "2450.60")))
    assert rejected(nobody) == ("BENCHMARK_REQUIRED", "benchmark")


@pytest.mark.parametrize("benchmark", [None, EUR_BENCHMARK])
@pytest.mark.parametrize("price_share", ["0.935", "0.99"])
def test_floor_needs_a_benchmark_once_a_price_share_is_stated_even_for_no_top_up(
    benchmark: dict[str, str] | None, price_share: str
) -> None:
    fields = sale(schemes=["kilo"], benchmark=benchmark, price_share_of_benchmark=price_share)
    assert rejected(fields) == ("BENCHMARK_REQUIRED", "benchmark")


def test_no_benchmark_is_needed_without_a_stated_price_share_or_without_a_floor() -> None:
    assert calculated(sale(schemes=["kilo"]))
    assert calculated(sale(schemes=["gram"], price_share_of_benchmark="0.935"))


# Wrong in every way at once. Mending the sale one reason after the other must bring up the codes in their order.
MENDINGS: list[tuple[str, dict[str, Any]]] = [
    ("SCHEMA_INVALID", {"payer_id": "PAY"}),
    ("FUTURE_DATED", {"sold_on": "2019-06-01"}),
    ("UNKNOWN_ORGANIZATION", {"exporter_id": "EXP"}),
    ("UNKNOWN_SCHEME", {"schemes": ["share", "strict"]}),
    ("NO_SCHEME_VERSION", {"sold_on": "2025-03-14"}),
    ("SOURCE_MASS_MISMATCH", {"sources": sources(("ORG-A", "2450.60"))}),
    ("ASSAY_MISSING", {"assays": assays(agreed="8718")}),
    ("FINENESS_OUT_OF_RANGE", {"assays": assays(agreed="871.8")}),
    ("FINE_WEIGHT_MISMATCH", {"stated_fine_weight": grams("2136.433")}),
    ("BENCHMARK_REQUIRED", {"benchmark": USD_BENCHMARK}),
]


def test_first_reason_in_the_order_of_the_codes_counts() -> None:
    fields = sale(
        payer_id="a/b",
        sold_on="2025-03-21",
        exporter_id="NOBODY",
        schemes=["share", "nothing", "strict"],
        sources=sources(("ORG-A", "1")),
        assays=[],
        stated_fine_weight=grams("1"),
    )
    for code, mending in MENDINGS:
        assert rejected(fields)[0] == code
        fields |= mending
    assert calculated(fields)["status"] == "settleable"


def test_every_code_of_the_calculation_was_seen_above() -> None:
    others = {RejectionCode.SIGNATURE_INVALID, RejectionCode.CONFLICTING_PAYLOAD}  # found elsewhere
    assert [code for code, _ in MENDINGS] == [code for code in RejectionCode if code not in others]


# What brings up each code alone. Two of them at once: the schemes that both name are joined.
SPOILS: dict[str, dict[str, Any]] = {
    "SCHEMA_INVALID": {"revision": 0},
    "FUTURE_DATED": {},  # by the day of publication
    "UNKNOWN_ORGANIZATION": {"payer_id": "NOBODY"},
    "UNKNOWN_SCHEME": {"schemes": ["nothing"]},
    "NO_SCHEME_VERSION": {"schemes": ["strict"], "sold_on": "2019-06-01"},
    "SOURCE_MASS_MISMATCH": {"sources": sources(("ORG-A", "1"))},
    "ASSAY_MISSING": {"stage": "umpire"},
    "FINENESS_OUT_OF_RANGE": {"assays": assays(agreed="8718")},
    "FINE_WEIGHT_MISMATCH": {"stated_fine_weight": grams("1")},
    "BENCHMARK_REQUIRED": {"schemes": ["share"]},
}


@pytest.mark.parametrize(("first", "second"), list(combinations_with_replacement(SPOILS, 2)))
def test_of_any_two_reasons_the_first_in_the_order_of_the_codes_counts(first: str, second: str) -> None:
    both = SPOILS[first], SPOILS[second]
    schemes = list(dict.fromkeys(["gram", *(scheme for spoil in both for scheme in spoil.get("schemes", ()))]))
    fields = sale(**both[0] | both[1] | {"schemes": schemes})
    published_on = date(2010, 1, 1) if "FUTURE_DATED" in (first, second) else PUBLISHED_ON
    assert rejected(fields, published_on)[0] == first


def test_every_code_of_the_calculation_was_paired_with_every_other() -> None:
    assert list(SPOILS) == [code for code, _ in MENDINGS]


def test_cancelled_revision_is_checked_up_to_the_scheme_version_only() -> None:
    hopeless = sale(stage="cancelled", sources=sources(("ORG-A", "1")), assays=assays(agreed="8735"), schemes=["share"])
    entitlement = calculated(hopeless)
    assert entitlement["status"] == "cancelled"
    assert rejected(sale(stage="cancelled", schemes=["nothing"])) == ("UNKNOWN_SCHEME", "schemes.0")
    assert rejected(sale(stage="cancelled", payer_id="NOBODY")) == ("UNKNOWN_ORGANIZATION", "payer_id")
    without_version = sale(stage="cancelled", schemes=["strict"], sold_on="2019-01-01")
    assert rejected(without_version) == ("NO_SCHEME_VERSION", "schemes.0")
