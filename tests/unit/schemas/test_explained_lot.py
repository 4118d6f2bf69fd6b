"""A lot's calculation in words: every step, every line, and where each number comes from."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from schemas.entitlement import Entitlement
from schemas.explained_lot import ExplainedLot, ToldStep, explained_lot
from schemas.locale_figures import LocaleFigures
from schemas.registry_snapshot import RegistrySnapshot
from services.premium_calculator.adapters.sale_decision import preview
from services.premium_calculator.domain.calculate import Rejection
from tests.unit.premium_calculator import programme
from tests.unit.premium_calculator.programme import USD_BENCHMARK, assays, encoded, sale, sources

PERU, BRITAIN, FRANCE = LocaleFigures("es_PE"), LocaleFigures("en_GB"), LocaleFigures("fr_FR")
TEXTS = (PERU, BRITAIN, FRANCE)
BLEND = sources(("ORG-A", "931.75"), ("ORG-B", "804.26"), ("ORG-D", "714.59"))
SHOWN_VERSION = f"{programme.snapshot().version[:19]}…"
RICH = sale(
    stage="provisional",
    schemes=["gram", "fund", "kilo"],
    sources=BLEND,
    assays=assays(seller="873.5"),
    benchmark=USD_BENCHMARK,
    price_share_of_benchmark="0.935",
    documents=[{"kind": "export_declaration", "number": "118", "issuer": "SUNAT"}],
)


def entitlement(sold: dict[str, Any], **changes: Any) -> Entitlement:
    value = preview(encoded(sold), programme.registry(), programme.PUBLISHED_ON)
    assert not isinstance(value, Rejection), value
    sent = json.loads(value) | {"entitlement_id": "00000000-0000-4000-8000-000000000001"} | changes
    sent["sale"]["id"] = "event-1"
    return Entitlement.model_validate(sent)


def explained(
    sold: dict[str, Any], text: LocaleFigures = BRITAIN, registry: RegistrySnapshot | None = None, **changes: Any
) -> ExplainedLot:
    return explained_lot(entitlement(sold, **changes), registry or programme.snapshot(), text)


def lines_of(told: ExplainedLot) -> list[ToldStep]:
    return [step for step in told.steps if step.step == "line"]


def plain(text: str) -> str:
    return re.sub("[\u00a0\u202f]", " ", text)


def test_every_step_is_told_with_its_source() -> None:
    told = explained(sale(stage="final", assays=assays(seller="873.5", buyer="873.1")))
    assert told.head == (
        "Lot REF/LOT-1, revision 1 (final), sold on 14 Mar 2025.",
        f"Calculated from sale event-1 of REF with registry {programme.snapshot().version}.",
        "The lot is payable.",
    )
    assert [(step.step, step.sources) for step in told.steps] == [
        ("melt_weight", ("sale event-1 of REF, field melt_weight",)),
        (
            "assay",
            (
                "assay (seller, buyer) in sale event-1",
                "limit of 0.5 ‰: the general rule, as no scheme of the lot sets another",
            ),
        ),
        ("fine_weight", ("the steps above",)),
        (
            "premium",
            (
                "scheme gram@1, in force from 1 Jan 2010 (rate, eligible statuses): https://example.org/terms "
                "(assumed and not confirmed)",
            ),
        ),
        ("line", ("the steps above", f"status in in scheme gram since 1 Jan 2015, registry {SHOWN_VERSION}")),
    ]
    assert plain(told.steps[-1].sentences[0]) == "ORG-A ORG-A (producer): the whole premium of the lot, USD 1,498.08."


def test_a_limit_of_a_scheme_names_the_scheme() -> None:
    told = explained(sale(schemes=["gram", "strict"], assays=assays(seller="873.5", buyer="873.3")))
    assert "limit of 0.3 ‰: scheme strict@1" in told.steps[1].sources


def test_units_benchmarks_and_price_shares_have_their_sources() -> None:
    told = explained(RICH, PERU)
    kilo = next(step for step in told.steps if step.values.get("scheme_id") == "kilo")
    assert [plain(source) for source in kilo.sources[1:]] == [
        "1 kilogramo = 1,000 g (UN/CEFACT Rec. 20)",
        "precio de referencia de USD 2,650.00 por onza troy: venta event-1, campo benchmark",
        "1 onza troy = 31.1034768 g (UN/CEFACT Rec. 20)",
        "venta event-1 de REF, campo price_share_of_benchmark",
    ]
    ounces = explained(sale(melt_weight={"value": "78.79", "unit": "APZ"}, sources=[ounce_source()]))
    assert ounces.steps[0].sources[1] == "1 troy ounce = 31.1034768 g (UN/CEFACT Rec. 20)"


def ounce_source() -> dict[str, Any]:
    return {"organization_id": "ORG-A", "melt_weight": {"value": "78.79", "unit": "APZ"}}


def test_a_part_is_a_formula_and_a_fund_names_whose_it_is() -> None:
    by_line = {step.values["organization_id"]: step for step in lines_of(explained(RICH)) if step.values["scheme_id"] == "fund"}
    assert plain(by_line["ORG-A"].sentences[0]) == (
        "ORG-A ORG-A (producer, fund): 507.85 \u00d7 813.884 / 1,516.405 \u00d7 70% = 190.80."
    )
    steps, fund, split = by_line["FUND-1"].sources
    assert steps == "the steps above"
    assert fund.startswith("fund of ORG-A, ORG-B, registry sha256:")
    assert "(split)" in split
    assert by_line["ORG-D"].rule == "no_status"
    assert by_line["ORG-D"].sources == (f"no status in scheme fund on 14 Mar 2025, registry {SHOWN_VERSION}",)


def test_a_price_is_told_as_it_was_stated_also_where_its_currency_has_fewer_digits() -> None:
    told = explained(
        sale(schemes=["kilo"], benchmark=USD_BENCHMARK | {"price": "85.1234", "per": "GRM"}, price_share_of_benchmark="0.9")
    )
    premium = next(step for step in told.steps if step.step == "premium")
    assert "benchmark of USD 85.1234 per gram" in " ".join(plain(source) for source in premium.sources)
    assert "85.1234" in premium.sentences[-1]


@pytest.mark.parametrize(
    ("organization_id", "grams", "words"),
    [("ORG-A", "0.0001", "Premium: 0.000 \u00d7 0.70 = 0.00"), ("ORG-D", "2450.60", "Nobody in the lot is eligible")],
)
def test_nobody_is_eligible_is_said_only_where_nobody_is(organization_id: str, grams: str, words: str) -> None:
    weight = {"value": grams, "unit": "GRM"}
    told = explained(sale(melt_weight=weight, sources=[{"organization_id": organization_id, "melt_weight": weight}]))
    premium = next(step for step in told.steps if step.step == "premium")
    assert premium.sentences[1].startswith(words)
    assert ("Nobody" in told.head[-1]) == ("Nobody" in words)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(
    "sold",
    [
        RICH,
        sale(schemes=["share"], benchmark=USD_BENCHMARK, price_share_of_benchmark="0.97"),
        sale(assays=assays(seller="873.5", buyer="871.8")),
        sale(stage="umpire", assays=assays(seller="873.5", buyer="871.8", umpire="880")),
        sale(sources=sources(("ORG-D", "2450.60"))),
        sale(schemes=["peso", "dinar"]),
        sale(stage="cancelled"),
    ],
)
def test_nothing_is_left_unsaid_or_unfilled_in_any_language(sold: dict[str, Any], text: LocaleFigures) -> None:
    told = explained(sold, text)
    for step in told.steps:
        assert step.sentences
        assert not any("{" in words for words in (*step.sentences, *step.sources))
        assert step.sources


@pytest.mark.parametrize("sold", [RICH, sale()])
def test_languages_tell_the_same_steps(sold: dict[str, Any]) -> None:
    told = [explained(sold, text) for text in TEXTS]
    shapes = [[(step.step, len(step.sentences), len(step.sources)) for step in each.steps] for each in told]
    assert shapes[0] == shapes[1] == shapes[2]
    assert len({each.steps[0].sentences for each in told}) == 3


def test_a_cancelled_lot_and_a_recalculated_one_say_so() -> None:
    assert explained(sale(stage="cancelled"), FRANCE).head[-1].startswith("L'affineur a annulé le lot")
    assert "Cálculo 2 de esta revisión" in explained(sale(), PERU, calculation=2).head[2]


def test_without_its_registry_the_same_is_told_by_ids() -> None:
    told = explained_lot(entitlement(RICH), None, BRITAIN)
    assert [step.step for step in told.steps] == [step.step for step in explained(RICH).steps]
    premium = next(step for step in told.steps if step.step == "premium")
    assert premium.sources == ("scheme gram@1",)
    fund = next(step for step in lines_of(told) if step.values["organization_id"] == "FUND-1")
    assert "of 507.85, its part 152.35" in fund.sentences[0]


def test_a_step_of_another_release_is_shown_as_the_data_that_it_is() -> None:
    strange = [
        {"step": "moon_phase", "rule": "full", "values": {"share": "0.5"}},
        {"step": "assay", "rule": "astrology", "values": {}},
        {"step": "premium", "rule": "per_mass", "values": {"scheme_id": "gone"}},
    ]
    told = explained(sale(), explanation=strange)
    assert [step.sentences[0] for step in told.steps[:3]] == [
        "moon_phase (full): share 0.5",
        "assay (astrology): ",
        "premium (per_mass): scheme_id gone",
    ]
