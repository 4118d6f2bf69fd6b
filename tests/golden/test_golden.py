"""The golden cases, in process and through the real command."""

from __future__ import annotations

import json
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from premia.commands.calculate import EXIT_REJECTED, calculate
from schemas.registry_file import load_registry
from services.premium_calculator.adapters.calculating_registry import calculating_registry
from services.premium_calculator.adapters.sale_decision import preview
from services.premium_calculator.domain.calculate import Rejection
from services.premium_calculator.domain.registry import Registry
from tests.shared import SHARED, needs_shared

GOLDEN = SHARED / "golden"
CASES = sorted((GOLDEN / "cases").glob("*.json"))

pytestmark = needs_shared


@cache
def golden_registry() -> Registry:
    return calculating_registry(load_registry(GOLDEN / "registry.yaml", GOLDEN / "schemes").snapshot)


def published_on(case: dict[str, Any]) -> str:
    return str(case["ce_time"][:10])


def compare(expected: dict[str, Any], actual: dict[str, Any]) -> None:
    """By the rules of golden/README.md: only what is named counts, and null means null or absent."""
    assert ("rejected" in expected) == ("rejected" in actual), actual
    for name, value in expected.items():
        if name == "rejected":
            assert {key: actual[name][key] for key in value} == value
        elif name == "premiums":
            assert [premium["scheme_id"] for premium in actual[name]] == [premium["scheme_id"] for premium in value]
            for wanted, got in zip(value, actual[name], strict=True):
                compare_premium(wanted, got)
        else:
            assert actual.get(name) == value, name


def compare_premium(expected: dict[str, Any], actual: dict[str, Any]) -> None:
    for name in expected.keys() - {"lines"}:
        assert actual[name] == expected[name], name
    assert producers(actual["lines"], expected["lines"]) == producers(expected["lines"], expected["lines"])
    assert funds(actual["lines"]) == funds(expected["lines"])


def producers(lines: list[dict[str, Any]], named: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names = {name for line in named for name in line}
    return [{name: line.get(name) for name in names} for line in lines if line["role"] == "producer"]


def funds(lines: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return sorted((line["organization_id"], line["amount"]) for line in lines if line["role"] == "community_fund")


def test_all_cases_are_found() -> None:
    assert len(CASES) >= 48


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_golden_case_in_process(file: Path) -> None:
    case = json.loads(file.read_text(encoding="utf-8"))
    sale = json.dumps(case["sale"], ensure_ascii=False).encode()
    result = preview(sale, golden_registry(), date.fromisoformat(published_on(case)))
    if isinstance(result, Rejection):
        compare(case["expected"], {"rejected": {"code": result.code, "field": result.field}})
    else:
        compare(case["expected"], json.loads(result))


def test_golden_cases_through_the_command(tmp_path: Path) -> None:
    cases = [json.loads(file.read_text(encoding="utf-8")) for file in CASES]
    files = []
    for row, case in enumerate(cases):
        file = tmp_path / f"{row}.json"
        file.write_text(json.dumps(case["sale"], indent=2), encoding="utf-8")
        files.append(str(file))
    (day,) = {published_on(case) for case in cases}
    arguments = ["--registry", str(GOLDEN / "registry.yaml"), "--schemes", str(GOLDEN / "schemes"), "--now", day, *files]
    result = CliRunner().invoke(calculate, arguments)
    assert result.exit_code == EXIT_REJECTED, result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) == len(cases)
    for case, line in zip(cases, lines, strict=True):
        compare(case["expected"], json.loads(line))
