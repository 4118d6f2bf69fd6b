"""What a change of a contract breaks, and how that is told."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsoncompat
import pytest
from click.testing import CliRunner

from premia.commands.schema import schema as schema_command
from schemas.gold_sale import Sale
from schemas.identifiers import Id
from schemas.publish import releases as releases_module
from schemas.publish.__main__ import check
from schemas.publish.contracts import CONTRACTS
from schemas.publish.evolution import UnknownKeywordError, differences
from schemas.publish.releases import present_schemas

SALE, ENTITLEMENT, TRANSACTION = "gold.sales.v1", "premium.entitlements.v1", "ledger.transaction.v1"
Change = Callable[[dict[str, Any]], None]


def told(contract: str, change: Change, *, was: Change | None = None) -> list[str]:
    """What is said of a changed contract, one line for each difference. `was` changes the release first."""
    old = present_schemas()
    if was is not None:
        was(old[contract])
    new = copy.deepcopy(old)
    change(new[contract])
    return [str(difference) for difference in differences(old, new)]


def renamed(field: str, name: str) -> Change:
    def change(schema: dict[str, Any]) -> None:
        schema["properties"][name] = schema["properties"].pop(field)
        schema["required"] = [name if one == field else one for one in schema["required"]]

    return change


def added(field: str, *, required: bool = False) -> Change:
    def change(schema: dict[str, Any]) -> None:
        schema["properties"][field] = {"type": "string", "pattern": "^[a-z]{1,9}$"}
        if required:
            schema["required"].append(field)

    return change


def with_value(value: str) -> Change:
    return lambda schema: schema["properties"]["stage"]["enum"].append(value)


def without_value(value: str) -> Change:
    return lambda schema: schema["properties"]["stage"]["enum"].remove(value)


def with_weight_pattern(pattern: str) -> Change:
    return lambda schema: schema["$defs"]["Weight"]["properties"]["value"].update(pattern=pattern)


def test_the_same_contracts_differ_in_nothing() -> None:
    assert differences(present_schemas(), present_schemas()) == []


@pytest.mark.parametrize(
    ("contract", "change", "verdict"),
    [
        (SALE, renamed("lot_id", "lot_code"), "lot_id: is gone, and lot_code is new: a field is never renamed"),
        (SALE, without_value("umpire"), "stage: the value umpire is no longer taken (breaks old writers)"),
        (SALE, added("mine", required=True), "mine: is new and required: messages without it are refused (breaks old writers)"),
        (SALE, lambda schema: schema["properties"].pop("benchmark"), "benchmark: is gone"),
        (SALE, lambda schema: schema["required"].append("benchmark"), "benchmark: is required now"),
        (SALE, lambda schema: schema["properties"]["sources"].update(maxItems=100), "sources: maxItems was 200 and is 100"),
        (SALE, lambda schema: schema["properties"]["revision"].update(minimum=2), "revision: minimum was 1 and is 2"),
        (SALE, lambda schema: schema["properties"]["lot_id"].update(type="integer"), "lot_id: string is no longer taken"),
        (SALE, lambda schema: schema["x-premia"].update(topic="gold.sales"), "the topic was 'gold.sales.v1'"),
        (ENTITLEMENT, renamed("lot_id", "lot_code"), "(breaks old writers and old readers)"),
        (ENTITLEMENT, with_value("estimated"), "stage: the value estimated is possible now (breaks old readers)"),
        (ENTITLEMENT, without_value("umpire"), "stage: the value umpire is no longer taken (breaks old writers)"),
        (ENTITLEMENT, lambda schema: schema["required"].remove("payer_id"), "payer_id: is optional now: readers that rely"),
        (ENTITLEMENT, lambda schema: schema["x-premia"]["headers"].clear(), "header ce_origin is no longer promised"),
        (TRANSACTION, lambda schema: schema["$defs"]["TransactionKind"]["x-extensible-enum"].remove("settled"),
         "kind: the value settled is no longer taken (breaks old writers)"),
    ],
)  # fmt: skip
def test_a_change_that_breaks_somebody_is_found(contract: str, change: Change, verdict: str) -> None:
    lines = told(contract, change)
    assert any(verdict in line and "(breaks " in line for line in lines), lines


def test_a_narrowed_pattern_is_found_and_jsoncompat_alone_would_not_find_it() -> None:
    lines = told(SALE, with_weight_pattern(r"^[0-9]{1,17}(\.[0-9]{1,12})?$"))
    assert [line.split(": the pattern was")[0] for line in lines if "breaks old writers" in line] == [
        f"{SALE} {field}" for field in ("melt_weight.value", "sources[].melt_weight.value", "stated_fine_weight.value")
    ]
    old, new = ({"type": "string", "pattern": pattern} for pattern in ("^[0-9]{1,18}$", "^[0-9]{1,17}$"))
    assert jsoncompat.check_compat(json.dumps(old), json.dumps(new), "both"), "else schemas.publish needs greenery no more"


@pytest.mark.parametrize(
    ("contract", "change"),
    [
        (SALE, added("mine")),
        (SALE, with_value("estimated")),
        (SALE, lambda schema: schema["required"].remove("sequence")),
        (SALE, lambda schema: schema["properties"]["sources"].update(maxItems=300)),
        (SALE, with_weight_pattern(r"^[0-9]{1,20}(\.[0-9]{1,12})?$")),
        (ENTITLEMENT, added("mine")),
        (TRANSACTION, lambda schema: schema["$defs"]["TransactionKind"]["x-extensible-enum"].append("exchanged")),
        (TRANSACTION, lambda schema: schema["$defs"]["Transfer"].update(description="In other words.")),
    ],
)
def test_a_change_that_breaks_nobody_is_harmless(contract: str, change: Change) -> None:
    assert [line for line in told(contract, change) if "(breaks " in line] == []


def test_a_pattern_too_large_to_compare_counts_as_breaking() -> None:
    lines = told(SALE, lambda schema: schema["properties"]["lot_id"].update(pattern="^[^/]{1,300}$"))
    assert len(lines) == 1
    assert "breaks old writers" in lines[0]


def test_a_contract_that_is_gone_breaks_everybody_and_a_new_one_nobody() -> None:
    old = present_schemas()
    new = {name: schema for name, schema in old.items() if name != SALE}
    assert [str(one) for one in differences(old, new)] == [f"{SALE}: the contract is gone (breaks old writers and old readers)"]
    assert [str(one) for one in differences(new, old)] == [f"{SALE}: a new contract (harmless)"]


def test_a_variant_that_is_gone_breaks_who_writes_it() -> None:
    lines = told("ledger.command.v1", lambda schema: schema["oneOf"].pop())
    assert lines == ["ledger.command.v1: kind attest is no longer taken (breaks old writers)"]


def test_a_keyword_that_nobody_compares_is_refused() -> None:
    with pytest.raises(UnknownKeywordError, match="multipleOf"):
        told(SALE, lambda schema: schema["properties"]["revision"].update(multipleOf=2))


def released(folder: Path, change: Change) -> None:
    """A release v1 that is as the models are, but for one contract."""
    old = present_schemas()
    change(old[SALE])
    (folder / "v1").mkdir()
    for name, schema in old.items():
        (folder / "v1" / f"{name}.schema.json").write_text(json.dumps(schema), encoding="utf-8")
    (folder / "v1" / "release.json").write_text('{"files": {}}', encoding="utf-8")


def test_premia_schema_diff_says_in_words_what_a_renamed_field_breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released(tmp_path, renamed("lot_id", "lot_code"))
    monkeypatch.setattr(releases_module, "PUBLISHED", tmp_path)
    result = CliRunner().invoke(schema_command, ["diff"])
    assert (result.exit_code, result.stdout) == (
        1,
        f"{SALE} lot_code: is gone, and lot_id is new: a field is never renamed; add the new one and keep both"
        " (breaks old writers)\n",
    )
    assert "differences from v1: 1; that break it: 1" in result.stderr
    assert CliRunner().invoke(schema_command, ["diff", "--release", "7"]).exit_code == 2


class _Renamed(Sale):
    """The sale of a developer who has only just begun: a field has another name, and nobody said yet what it means."""

    payor_id: Id


def test_a_field_that_nobody_described_yet_is_compared_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    released(tmp_path, lambda _: None)
    contracts = tuple(replace(one, model=_Renamed) if one.name == SALE else one for one in CONTRACTS)
    monkeypatch.setattr(releases_module, "CONTRACTS", contracts)
    monkeypatch.setattr(releases_module, "PUBLISHED", tmp_path)
    told_of_it = f"{SALE} payor_id: is new and required: messages without it are refused (breaks old writers)"
    result = CliRunner().invoke(schema_command, ["diff"])
    assert (result.exit_code, result.stdout) == (1, f"{told_of_it}\n")
    assert check(tmp_path) == 1
    told = capsys.readouterr().err
    assert "payor_id: say what it means" in told
    assert f"against v1: {told_of_it}" in told


def test_premia_schema_diff_is_content_with_an_added_optional_field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released(tmp_path, lambda schema: schema["properties"].pop("refiner_reference"))
    monkeypatch.setattr(releases_module, "PUBLISHED", tmp_path)
    result = CliRunner().invoke(schema_command, ["diff"])
    assert (result.exit_code, result.stdout) == (0, f"{SALE} refiner_reference: is new and optional (harmless)\n")


def test_premia_schema_diff_says_that_nothing_is_released_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases_module, "PUBLISHED", tmp_path)
    result = CliRunner().invoke(schema_command, ["diff"])
    assert (result.exit_code, result.stdout) == (0, "")
    assert "nothing is released yet" in result.stderr


def test_the_check_of_make_check_refuses_a_field_that_was_renamed_since_a_release(tmp_path: Path) -> None:
    released(tmp_path, renamed("lot_id", "lot_code"))
    ((release, difference),) = releases_module.breaking_differences(tmp_path)
    assert release.folder.name == "v1"
    assert str(difference).startswith(f"{SALE} lot_code: is gone, and lot_id is new: a field is never renamed")
    released_as_it_is = tmp_path / "same"
    released_as_it_is.mkdir()
    released(released_as_it_is, lambda _: None)
    assert releases_module.breaking_differences(released_as_it_is) == []
