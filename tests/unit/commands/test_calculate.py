"""`premia calculate` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from premia.__main__ import main
from schemas.topics import SALE_BYTES_MAX

REGISTRY = """\
organizations:
  - {id: REF, name: Refiner, country: CH, kind: refiner}
  - {id: EXP, name: Exporter, country: PE, kind: exporter}
  - {id: PAY, name: Payer, country: CH, kind: payer}
  - {id: ORG-A, name: Ñusta, country: PE, kind: producer, statuses: [{scheme: sbg, status: step_2, from: 2020-01-01}]}
"""
SCHEMES = Path(__file__).parents[3] / "schemes"


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    file = tmp_path / "registry.yaml"
    file.write_text(REGISTRY, encoding="utf-8")
    return file


def sale(**fields: object) -> str:
    weight = {"value": "2450.60", "unit": "GRM"}
    return json.dumps(
        {
            "refiner_id": "REF",
            "lot_id": "LOT-1",
            "revision": 1,
            "sequence": 1,
            "stage": "final",
            "exporter_id": "EXP",
            "payer_id": "PAY",
            "sold_on": "2025-03-14",
            "melt_weight": weight,
            "assays": [{"party": "agreed", "fineness_permille": "871.8"}],
            "sources": [{"organization_id": "ORG-A", "melt_weight": weight}],
            "schemes": ["sbg"],
        }
        | fields
    )


def run(registry: Path, *arguments: str, stdin: str | bytes = "", schemes: Path = SCHEMES) -> Result:
    return CliRunner().invoke(
        main, ["calculate", "--registry", str(registry), "--schemes", str(schemes), *arguments], input=stdin
    )


def test_valid_sale_is_one_line_and_exit_0(registry: Path, tmp_path: Path) -> None:
    (tmp_path / "sale.json").write_text(sale(), encoding="utf-8")
    result = run(registry, "--now", "2025-03-14", str(tmp_path / "sale.json"))
    assert result.exit_code == 0
    (line,) = result.stdout.splitlines()
    entitlement = json.loads(line)
    assert entitlement["premiums"][0]["total"] == "1495.50"
    assert (entitlement["entitlement_id"], entitlement["sale"]["id"]) == (None, None)
    assert entitlement["sale"]["source"] == "/refiners/REF"
    assert result.stderr == ""


def test_rejected_sale_says_code_field_and_message_and_exits_4(registry: Path, tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text(sale(), encoding="utf-8")
    (tmp_path / "bad.json").write_text(sale(payer_id="NOBODY"), encoding="utf-8")
    result = run(registry, str(tmp_path / "bad.json"), str(tmp_path / "good.json"))
    assert result.exit_code == 4
    rejected, accepted = (json.loads(line) for line in result.stdout.splitlines())
    assert rejected["rejected"].keys() == {"code", "field", "message"}
    assert rejected["rejected"]["code"] == "UNKNOWN_ORGANIZATION"
    assert accepted["status"] == "settleable"


def test_lines_of_standard_input_are_sales_and_blank_ones_are_not(registry: Path) -> None:
    too_large = '{"a":"' + "x" * (3 * SALE_BYTES_MAX) + '"}'
    result = run(registry, "-", stdin="\n".join([sale(), "", "  ", too_large, "nonsense", sale(lot_id="LOT-2")]))
    assert result.exit_code == 4
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line.get("lot_id") or line["rejected"]["field"] for line in lines] == ["LOT-1", "value", "value", "LOT-2"]


def test_without_now_today_counts(registry: Path) -> None:
    result = run(registry, "-", stdin=sale(sold_on="9999-12-31"))
    assert json.loads(result.stdout)["rejected"]["code"] == "FUTURE_DATED"


@pytest.mark.parametrize("wrong", ["registry", "schemes", "sale"])
def test_file_that_cannot_be_read_is_one_line_and_exit_2(registry: Path, tmp_path: Path, wrong: str) -> None:
    (tmp_path / "sale.json").write_text(sale(), encoding="utf-8")
    nowhere = tmp_path / "nowhere"
    result = run(
        nowhere if wrong == "registry" else registry,
        str(nowhere if wrong == "sale" else tmp_path / "sale.json"),
        schemes=nowhere if wrong == "schemes" else SCHEMES,
    )
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"{nowhere}: cannot be read")


def test_mistake_in_a_file_names_file_line_and_field(registry: Path) -> None:
    registry.write_text(REGISTRY.replace("kind: payer", "kind: bank"), encoding="utf-8")
    result = run(registry, "-")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{registry}:4: organizations.2.kind: must be one of")


@pytest.mark.parametrize("arguments", [[], ["--now", "14.3.2025", "-"], ["--now", "20250314", "-"]])
def test_wrong_use_exits_2(registry: Path, arguments: list[str]) -> None:
    assert run(registry, *arguments).exit_code == 2
