"""What recorded sales would have earned under other terms: the arithmetic is that of the calculation itself."""

from __future__ import annotations

import csv
import gzip
import json
import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from click.testing import CliRunner, Result

from premia.__main__ import main
from premia.party_outcome import PartyOutcome
from premia.simulation import LatestSales, RecordedSale, Simulation, simulate, with_proposed
from premia.simulation_chart import ROWS_MAX, simulation_chart
from schemas.registry_snapshot import registry_snapshot
from schemas.scheme import Scheme
from services.premium_calculator.adapters.calculating_registry import calculating_registry
from services.premium_calculator.adapters.sale_decision import preview
from services.premium_calculator.domain.calculate import Rejection
from tests.unit.premium_calculator import programme
from tests.unit.premium_calculator.programme import USD_BENCHMARK, assays, encoded, sale, scheme, sources

RECT = "{http://www.w3.org/2000/svg}rect"
FIRST, LAST = date(2025, 3, 1), date(2025, 3, 31)
BLEND = sources(("ORG-A", "931.75"), ("ORG-B", "804.26"), ("ORG-D", "714.59"))
SALES = [
    sale(),
    sale(lot_id="LOT-2", stage="provisional", assays=assays(seller="873.5"), sources=BLEND),
    sale(lot_id="LOT-3", schemes=["gram", "fund"]),
    sale(lot_id="LOT-4", schemes=["fund"], sources=sources(("ORG-C", "2450.60"))),
]


def recorded(*sales: dict[str, Any]) -> list[RecordedSale]:
    return [RecordedSale(encoded(sold), programme.PUBLISHED_ON) for sold in sales]


def latest(*sales: dict[str, Any], first: date = FIRST, last: date = LAST) -> list[RecordedSale]:
    found = LatestSales(programme.registry())
    for sold in recorded(*sales):
        found.take(sold)
    return found.sold_within(first, last)


def simulated(proposed: Scheme, *sales: dict[str, Any]) -> Simulation:
    registry = with_proposed(programme.snapshot(), proposed, FIRST, LAST)
    return simulate(latest(*sales), programme.registry(), registry)


def by_party(simulation: Simulation) -> dict[str, tuple[int, int]]:
    return {party.organization_id: (party.now_minor, party.proposed_minor) for party in simulation.parties}


def calculated_amounts(sold: dict[str, Any], **terms: Any) -> dict[str, Decimal]:
    """What `premia calculate` gives for the sale where `terms` are the scheme gram's."""
    snapshot = programme.snapshot()
    schemes = {**snapshot.schemes, "gram@1": scheme(**terms)}
    registry = calculating_registry(registry_snapshot(None, snapshot.organizations, schemes))
    value = preview(encoded(sold), registry, programme.PUBLISHED_ON)
    assert not isinstance(value, Rejection)
    found: dict[str, Decimal] = {}
    for premium in json.loads(value)["premiums"]:
        for line in premium["lines"]:
            found[line["organization_id"]] = found.get(line["organization_id"], Decimal(0)) + Decimal(line["amount"])
    return found


def test_both_sides_are_exactly_what_calculate_gives_lot_by_lot() -> None:
    terms = {
        "rate": {"kind": "per_mass", "amount": "26.13", "unit": "APZ"},
        "split": {"producer": "0.9", "community_fund": "0.1"},
    }
    expected: dict[str, list[Decimal]] = {}
    for sold in SALES:
        for side, amounts in enumerate((calculated_amounts(sold), calculated_amounts(sold, **terms))):
            for organization, amount in amounts.items():
                expected.setdefault(organization, [Decimal(0), Decimal(0)])[side] += amount
    found = by_party(simulated(scheme(**terms), *SALES))
    assert {party: [Decimal(minor) / 100 for minor in sums] for party, sums in found.items()} == expected


def test_the_same_terms_change_nothing_and_totals_are_sums() -> None:
    simulation = simulated(scheme(version="proposed"), *SALES)
    assert all(party.difference_minor == 0 for party in simulation.parties)
    (total,) = simulation.totals()
    assert (total.lots, total.now_minor) == (4, sum(party.now_minor for party in simulation.parties))


def test_the_latest_accepted_revision_counts_and_of_one_revision_the_first() -> None:
    lots = [
        sale(revision=2, assays=assays(agreed="900")),
        sale(revision=2, assays=assays(agreed="500")),
        sale(revision=1, assays=assays(agreed="600")),
        sale(revision=3, payer_id="NOBODY"),
    ]
    (found,) = latest(*lots)
    assert json.loads(found.value)["assays"] == assays(agreed="900")


def test_only_lots_sold_in_these_days_are_taken_both_ends_included() -> None:
    days = ["2025-02-28", "2025-03-01", "2025-03-15", "2025-03-16"]
    lots = [sale(lot_id=day, sold_on=day) for day in days]
    found = latest(*lots, last=date(2025, 3, 15))
    assert [json.loads(entry.value)["lot_id"] for entry in found] == days[1:3]


def test_a_cancelled_lot_earns_nothing_under_any_terms() -> None:
    simulation = simulated(scheme(version="2"), sale(), sale(revision=2, stage="cancelled"))
    assert (simulation.lots, simulation.parties) == (1, ())


def test_the_days_that_a_proposal_names_do_not_matter() -> None:
    later = scheme(version="2030", valid={"from": "2030-01-01"}, rate={"kind": "per_mass", "amount": "1.40", "unit": "GRM"})
    assert by_party(simulated(later, sale())) == {"ORG-A": (149550, 299101)}


def test_a_lot_that_the_proposed_terms_reject_is_named_and_in_neither_sum() -> None:
    floor = scheme(version="2", rate={"kind": "percent_of_benchmark", "percent": "1"})
    simulation = simulated(floor, sale(), sale(lot_id="LOT-2", benchmark=USD_BENCHMARK))
    (left_out,) = simulation.not_calculated
    assert (left_out.lot_id, left_out.code, left_out.field) == ("LOT-1", "BENCHMARK_REQUIRED", "benchmark")
    assert simulation.lots == 1


def test_a_proposal_in_another_currency_is_a_row_of_its_own() -> None:
    simulation = simulated(
        scheme(version="2", currency="CLP", rate={"kind": "per_mass", "amount": "650", "unit": "GRM"}), sale()
    )
    assert [(party.currency, party.now_minor, party.proposed_minor) for party in simulation.parties] == [
        ("CLP", 0, 1388681),
        ("USD", 149550, 0),
    ]
    assert [total.currency for total in simulation.totals()] == ["CLP", "USD"]


def test_the_chart_is_well_formed_whatever_the_names_and_bars_go_both_ways() -> None:
    others = scheme(version="2", eligible_statuses=["out"])
    chart = simulation_chart(simulated(others, *SALES), 'A & "B" <new>', {"ORG-A": "<b>Mina</b> & Cía"})
    root = ET.fromstring(chart)
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[0] == 'A & "B" <new>'
    assert any("<b>Mina</b> & Cía" in (text or "") for text in texts)
    bars = {element.get("class") for element in root.iter(RECT)}
    assert bars == {"more", "less"}


def test_a_side_that_no_bar_goes_to_takes_no_room() -> None:
    more = tuple(PartyOutcome(f"ORG-{number}", "USD", 1, 0, number) for number in (50, 100))
    mixed = (*more, PartyOutcome("ORG-LESS", "USD", 1, 100, 50))
    less = (PartyOutcome("ORG-LESS", "USD", 1, 100, 50),)
    longest = [
        max(
            int(str(bar.get("width")))
            for bar in ET.fromstring(simulation_chart(Simulation(1, parties, ()), "t", {})).iter(RECT)
        )
        for parties in (more, mixed, less)
    ]
    assert longest[0] == longest[2] > 2 * longest[1] > 0


def test_a_chart_of_very_many_draws_the_largest_and_counts_the_rest() -> None:
    one = simulated(scheme(version="2", rate={"kind": "per_mass", "amount": "0.80", "unit": "GRM"}), sale()).parties[0]
    many = tuple(type(one)(f"ORG-{number}", "USD", 1, 0, number + 1) for number in reversed(range(ROWS_MAX + 5)))
    chart = simulation_chart(Simulation(1, many, ()), "many", {})
    assert f"the {ROWS_MAX} largest of {ROWS_MAX + 5} differences" in chart
    assert chart.count("<rect") == ROWS_MAX
    assert "ORG-0<" not in chart


# --- the command --------------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Registry, schemes and sales of the small programme as files, and a proposal."""
    snapshot = programme.snapshot()
    organizations = [
        found.model_dump(mode="json", by_alias=True, exclude_none=True) for found in snapshot.organizations.values()
    ]
    (tmp_path / "registry.yaml").write_text(yaml.safe_dump({"organizations": organizations}), encoding="utf-8")
    (tmp_path / "schemes").mkdir()
    for found in snapshot.schemes.values():
        terms = found.model_dump_json(by_alias=True, exclude_none=True)
        (tmp_path / "schemes" / f"{found.id}.json").write_text(terms, encoding="utf-8")
    proposal = scheme(
        version="2026", rate={"kind": "per_mass", "amount": "0.80", "unit": "GRM"}, eligible_statuses=["in", "out"]
    )
    (tmp_path / "proposal.json").write_text(proposal.model_dump_json(by_alias=True, exclude_none=True), encoding="utf-8")
    event = json.dumps({"at": "2025-03-20T10:00:00Z", "id": "1", "source": "s", "key": "k", "value": SALES[1]})
    spoiled = json.dumps({"at": "2025-03-20T10:00:00Z", "id": "2", "source": "s", "key": "k", "raw": "!"})
    lines = [json.dumps(SALES[0]), event, spoiled, "no json", "[]"]
    (tmp_path / "sales.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    return [
        "simulate",
        *("--scheme", str(tmp_path / "proposal.json")),
        *("--registry", str(tmp_path / "registry.yaml")),
        *("--schemes", str(tmp_path / "schemes")),
        *("--sales", str(tmp_path / "sales.jsonl.gz")),
        *("--from", "2025-03-01", "--to", "2025-03-31"),
    ]


def premia(*arguments: str) -> Result:
    result = CliRunner().invoke(main, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_table_csv_and_json_tell_the_same_figures(files: list[str], tmp_path: Path) -> None:
    table = premia(*files, "--csv", str(tmp_path / "out.csv"), "--chart", str(tmp_path / "out.svg"))
    assert table.exit_code == 0, table.output
    assert table.stdout.splitlines()[0] == "gram@2026 instead of 1, lots sold 2025-03-01 to 2025-03-31"
    told = json.loads(premia(*files, "--json").stdout)
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()))
    for row, party in zip(rows, told["organizations"], strict=True):
        assert {name: row[name] for name in ("now", "proposed", "difference")} == {
            name: party[name] for name in ("now", "proposed", "difference")
        }
        figures = [f"{Decimal(party[name]):,}" for name in ("now", "proposed")]
        line = next(line for line in table.stdout.splitlines() if line.startswith(party["organization_id"]))
        assert all(figure in line.split() for figure in figures)
    (total,) = told["totals"]
    assert Decimal(total["difference"]) == sum(Decimal(row["difference"]) for row in rows)
    assert (told["lots"], told["scheme"]) == (2, "gram@2026")
    assert ET.fromstring((tmp_path / "out.svg").read_text(encoding="utf-8")).tag.endswith("svg")
    assert "2 lots, 3 organizations: 3 would get more, 0 less, 0 the same." in table.stderr


def test_a_name_that_reads_like_a_formula_is_a_text_in_the_table(files: list[str], tmp_path: Path) -> None:
    registry = tmp_path / "registry.yaml"
    registry.write_text(re.sub("(?<=name: ).*", '"=1+1"', registry.read_text(encoding="utf-8")), encoding="utf-8")
    assert premia(*files, "--csv", str(tmp_path / "out.csv")).exit_code == 0
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()))
    assert {row["name"] for row in rows} == {"'=1+1"}


def test_wrong_days_files_and_schemes_are_one_line_and_exit_2(files: list[str], tmp_path: Path) -> None:
    assert "lies before" in premia(*files, "--to", "2025-01-01").stderr
    other = tmp_path / "other.json"
    other.write_text(scheme(id="grm").model_dump_json(by_alias=True, exclude_none=True), encoding="utf-8")
    unknown = premia(*files, "--scheme", str(other))
    assert (unknown.exit_code, "which the registry does not have" in unknown.stderr) == (2, True)
    for option, value in (("--sales", "none.jsonl"), ("--registry", "none.yaml"), ("--scheme", "none.yaml")):
        assert premia(*files, option, str(tmp_path / value)).exit_code == 2
    assert premia(*files, "--csv", str(tmp_path / "nowhere" / "out.csv")).exit_code == 2


def test_days_without_sales_are_told_as_such(files: list[str]) -> None:
    nothing = premia(*files, "--from", "2010-03-01", "--to", "2010-03-31")
    assert (nothing.exit_code, nothing.stderr) == (0, "no lot was sold in these days: nothing to compare.\n")
