"""What a valid sale is entitled to: rules and settled points of the calculation, example by example."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.entitlement import Entitlement
from tests.unit.premium_calculator.programme import USD_BENCHMARK, assays, calculated, grams, sale, sources


def premium(entitlement: dict[str, Any], row: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = entitlement["premiums"][row]
    return found


def amounts(entitlement: dict[str, Any], row: int = 0) -> list[tuple[str, str, str]]:
    return [(line["organization_id"], line["role"], line["amount"]) for line in premium(entitlement, row)["lines"]]


def step(entitlement: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [found for found in entitlement["explanation"] if found["step"] == name]
    values: dict[str, Any] = found
    return values


def test_agreed_assay_counts_at_the_final_stage_only() -> None:
    given = assays(seller="873.5", buyer="873.3", umpire="872", agreed="871.8")
    rules = {stage: step(calculated(sale(stage=stage, assays=given)), "assay") for stage in ("provisional", "final", "umpire")}
    assert {stage: found["rule"] for stage, found in rules.items()} == {
        "provisional": "seller",
        "final": "agreed",
        "umpire": "umpire_clamped",
    }
    assert {stage: found["values"]["fineness_permille"] for stage, found in rules.items()} == {
        "provisional": "873.5",
        "final": "871.8",
        "umpire": "873.3",
    }


@pytest.mark.parametrize(
    ("buyer", "rule", "fineness"), [("873", "mean", "873.25"), ("872.999999999999", "lower", "872.999999999999")]
)
def test_parties_exactly_at_the_limit_meet_in_the_middle(buyer: str, rule: str, fineness: str) -> None:
    entitlement = calculated(sale(assays=assays(seller="873.5", buyer=buyer)))
    assert (step(entitlement, "assay")["rule"], entitlement["fineness_permille"]) == (rule, fineness)
    assert entitlement["status"] == ("settleable" if rule == "mean" else "umpire_pending")


def test_mean_of_two_longest_decimals_is_exact() -> None:
    entitlement = calculated(sale(assays=assays(seller="873.500000000001", buyer="873.5")))
    assert entitlement["fineness_permille"] == "873.5000000000005"


def test_strictest_splitting_limit_of_several_schemes_rules_the_lot() -> None:
    given = assays(seller="873.5", buyer="873.1")
    assert calculated(sale(assays=given, schemes=["gram"]))["status"] == "settleable"
    assert calculated(sale(assays=given, schemes=["gram", "strict"]))["status"] == "umpire_pending"


@pytest.mark.parametrize(("umpire", "counts"), [("870", "871.8"), ("872", "872"), ("880", "873.5")])
def test_umpire_is_clamped_to_the_range_of_the_parties(umpire: str, counts: str) -> None:
    given = assays(seller="871.8", buyer="873.5", umpire=umpire)
    assert calculated(sale(stage="umpire", assays=given))["fineness_permille"] == counts


def test_weights_in_kilograms_and_troy_ounces_are_exact() -> None:
    ounces = {"value": "10", "unit": "APZ"}
    entitlement = calculated(
        sale(
            melt_weight=grams("311.034768"),
            sources=[{"organization_id": "ORG-A", "melt_weight": ounces}],
            assays=assays(agreed="1000"),
            schemes=["strict"],  # tolerates no difference at all
        )
    )
    assert entitlement["fine_weight_g"] == "311.035"
    assert step(entitlement, "melt_weight") == {
        "step": "melt_weight",
        "rule": "stated",
        "values": {"value": "311.034768", "unit": "GRM", "melt_weight_g": "311.034768"},
    }
    kilograms = calculated(sale(melt_weight={"value": "2.45060", "unit": "KGM"}))
    assert step(kilograms, "melt_weight")["rule"] == "converted"
    assert kilograms["fine_weight_g"] == "2136.433"


def test_longest_decimals_are_multiplied_without_rounding() -> None:
    heavy = "999999999999999999.999999999999"
    entitlement = calculated(
        sale(melt_weight=grams(heavy), sources=sources(("ORG-A", heavy)), assays=assays(agreed="999.999999999999"))
    )
    # 10^18 - 10^-12 grams times 1 - 10^-15: 10^18 - 1000.000000000001 (and less) grams.
    assert entitlement["fine_weight_g"] == "999999999999999000.000"
    assert premium(entitlement)["total"] == "699999999999999300.00"


def test_rows_of_one_organization_are_added_up_before_sharing() -> None:
    apart = calculated(sale(sources=sources(("ORG-B", "1000"), ("ORG-A", "450.60"), ("ORG-B", "1000"))))
    together = calculated(sale(sources=sources(("ORG-A", "450.60"), ("ORG-B", "2000"))))
    assert apart["sources"] == together["sources"]
    assert apart["premiums"] == together["premiums"]
    assert [source["organization_id"] for source in apart["sources"]] == ["ORG-A", "ORG-B"]


def test_fine_weight_is_shared_by_melt_times_fineness_only_if_every_source_states_its_fineness() -> None:
    rows = sources(("ORG-A", "1000"), ("ORG-B", "1000"))
    rows[0]["fineness_permille"], rows[1]["fineness_permille"] = "900", "800"
    fields = sale(melt_weight=grams("2000"), assays=assays(agreed="850"), sources=rows)
    by_fine = calculated(fields)
    assert [source["fine_weight_g"] for source in by_fine["sources"]] == ["900.000", "800.000"]
    assert step(by_fine, "sharing")["rule"] == "by_fine_weight"
    del rows[0]["fineness_permille"]
    by_melt = calculated(fields)
    assert [source["fine_weight_g"] for source in by_melt["sources"]] == ["850.000", "850.000"]
    assert step(by_melt, "sharing")["rule"] == "by_melt_weight"


def test_explanation_shows_no_figure_of_a_single_source() -> None:
    entitlement = calculated(sale(sources=sources(("ORG-A", "1000.60"), ("ORG-B", "1450"))))
    told = {value for found in entitlement["explanation"] for value in found["values"].values()}
    own = {source["fine_weight_g"] for source in entitlement["sources"]} | {"ORG-A", "ORG-B", "1000.60", "1450"}
    assert not told & own


def test_ineligible_sources_keep_a_line_with_their_reason() -> None:
    rows = sources(("ORG-D", "1000"), ("ORG-E", "1000"), ("ORG-A", "450.60"))
    lines = premium(calculated(sale(sources=rows)))["lines"]
    assert [(line["organization_id"], line["eligible"], line["reason"]) for line in lines] == [
        ("ORG-A", True, None),
        ("ORG-D", False, "status:out"),
        ("ORG-E", False, "no_status"),
    ]
    assert [line["amount"] for line in lines[1:]] == ["0.00", "0.00"]


@pytest.mark.parametrize(
    ("sold_on", "reason"),
    [("2014-12-31", "no_status"), ("2015-01-01", None), ("2024-12-31", None), ("2025-01-01", "no_status")],
)
def test_a_status_counts_from_its_first_day_to_before_its_last_boundary(sold_on: str, reason: str | None) -> None:
    (line,) = premium(calculated(sale(sold_on=sold_on, sources=sources(("ORG-E", "2450.60")))))["lines"]
    assert (line["eligible"], line["reason"]) == (reason is None, reason)


def test_lot_without_any_eligible_source_is_ineligible_also_while_disputed() -> None:
    fields = sale(sources=sources(("ORG-D", "2450.60")), assays=assays(seller="873.5", buyer="871.8"))
    entitlement = calculated(fields)
    assert (entitlement["status"], premium(entitlement)["total"]) == ("ineligible", "0.00")


def test_eligible_under_one_scheme_is_enough_to_be_settleable() -> None:
    entitlement = calculated(sale(sources=sources(("ORG-Ñ", "2450.60")), schemes=["fund", "gram"]))
    assert entitlement["status"] == "settleable"
    assert [found["scheme_id"] for found in entitlement["premiums"]] == ["fund", "gram"]
    assert premium(entitlement, 0)["total"] == "0.00"


def test_sources_with_one_fund_share_one_line_of_it() -> None:
    rows = sources(("ORG-A", "1000"), ("ORG-B", "1000"), ("ORG-C", "450.60"))
    entitlement = calculated(sale(sources=rows, schemes=["fund"], assays=assays(agreed="1000")))
    # 2450.60 g at 31.25 USD per 31.1034768 g = 2462.144; shared 1004.71, 1004.71, 452.72; each 70 : 30.
    assert premium(entitlement)["total"] == "2462.14"
    assert amounts(entitlement) == [
        ("FUND-1", "community_fund", "602.82"),
        ("FUND-2", "community_fund", "135.82"),
        ("ORG-A", "producer", "703.30"),
        ("ORG-B", "producer", "703.30"),
        ("ORG-C", "producer", "316.90"),
    ]
    assert premium(entitlement)["lines"][0]["fine_weight_g"] == "2000.000"


def test_fund_line_is_there_even_at_nothing() -> None:
    fields = sale(melt_weight=grams("0.001"), sources=sources(("ORG-A", "0.001")), schemes=["fund"])
    assert amounts(calculated(fields)) == [("FUND-1", "community_fund", "0.00"), ("ORG-A", "producer", "0.00")]


def test_lot_that_rounds_to_nothing_stays_eligible() -> None:
    rows = sources(("ORG-A", "0.0004"), ("ORG-B", "0.0004"))
    entitlement = calculated(sale(melt_weight=grams("0.0008"), sources=rows, assays=assays(agreed="500")))
    assert (entitlement["status"], entitlement["fine_weight_g"]) == ("settleable", "0.000")
    assert amounts(entitlement) == [("ORG-A", "producer", "0.00"), ("ORG-B", "producer", "0.00")]


def test_floor_tops_up_what_is_missing_and_takes_nothing_off() -> None:
    fields = sale(schemes=["kilo"], benchmark=USD_BENCHMARK)
    totals = {
        share: premium(calculated(fields | {"price_share_of_benchmark": share}))["total"] for share in ("0.935", "0.95", "1.2")
    }
    assert totals == {"0.935": "11276.08", "0.95": "8545.73", "1.2": "8545.73"}
    values = step(calculated(fields | {"price_share_of_benchmark": "0.935"}), "premium")["values"]
    assert (values["rate_part"], values["top_up"], values["top_up_share"]) == ("8545.732000", "2730.344659", "0.015")


@pytest.mark.parametrize(("price", "unit"), [("2650.00", "APZ"), ("85.199478406864", "GRM"), ("85199.478406864", "KGM")])
def test_benchmark_may_be_per_any_unit(price: str, unit: str) -> None:
    benchmark = USD_BENCHMARK | {"price": price, "per": unit}
    assert premium(calculated(sale(schemes=["share"], benchmark=benchmark)))["total"] == "27303.45"


@pytest.mark.parametrize(("scheme", "total"), [("peso", "1388681"), ("dinar", "459.333"), ("gram", "1495.50")])
def test_amounts_have_the_digits_of_their_currency(scheme: str, total: str) -> None:
    assert premium(calculated(sale(schemes=[scheme])))["total"] == total


def test_provisional_share_of_nothing_and_of_all() -> None:
    provisional = {"stage": "provisional", "assays": assays(seller="871.8")}
    assert premium(calculated(sale(schemes=["dinar"], **provisional)))["total"] == "0.000"
    assert premium(calculated(sale(schemes=["peso"], **provisional)))["total"] == "1388681"
    values = step(calculated(sale(schemes=["gram"], **provisional)), "premium")["values"]
    assert (values["full_amount"], values["provisional_share"], values["total"]) == ("1495.50", "0.90", "1345.95")


def test_cancelled_lot_has_totals_of_nothing_no_lines_and_no_weights() -> None:
    entitlement = calculated(sale(stage="cancelled", schemes=["gram", "peso"]))
    assert [(found["total"], found["lines"]) for found in entitlement["premiums"]] == [("0.00", []), ("0", [])]
    assert entitlement["fine_weight_g"] is None
    assert entitlement["fineness_permille"] is None
    assert entitlement["sources"] == []


def test_documents_are_named_for_the_statement() -> None:
    documents = [{"kind": "export_declaration", "number": "118-2025", "issuer": "SUNAT"}, {"kind": "waybill", "number": "7"}]
    found = step(calculated(sale(documents=documents)), "documents")
    assert (found["rule"], found["values"]) == (
        "stated",
        {
            "count": "2",
            "kind.0": "export_declaration",
            "number.0": "118-2025",
            "issuer.0": "SUNAT",
            "kind.1": "waybill",
            "number.1": "7",
        },
    )


def test_documents_beyond_what_a_leaf_of_the_ledger_holds_are_counted_and_not_named() -> None:
    documents = [{"kind": "waybill", "number": "9" * 250}] * 300
    found = step(calculated(sale(documents=documents)), "documents")
    assert (found["rule"], found["values"]["count"]) == ("stated_in_part", "300")
    assert sum(map(len, found["values"].values())) < 5_000


def test_entitlement_keeps_its_contract_once_its_ids_are_known() -> None:
    rows = sources(("ORG-A", "1000"), ("ORG-D", "1450.60"))
    for fields in (sale(sources=rows, schemes=["fund", "gram"]), sale(stage="cancelled")):
        entitlement = calculated(fields)
        assert (entitlement["entitlement_id"], entitlement["sale"]["id"]) == (None, None)
        entitlement["entitlement_id"] = "3dcbfdfe-b580-5c76-816a-656309d61178"
        entitlement["sale"]["id"] = "event-1"
        Entitlement.model_validate(entitlement)
