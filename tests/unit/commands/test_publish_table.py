"""Tables of sales: read, checked, and told of by row and column."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from premia.__main__ import main
from premia.publishing.sale_event import Cell, Fault, SaleEvent
from premia.publishing.sales_table import COLUMNS, REQUIRED_COLUMNS, UnreadableTableError, sales_of_table
from schemas.gold_sale import ParsedSale, parse_sale

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "publishing.md").read_text(encoding="utf-8")
NOW = datetime(2025, 3, 20, tzinfo=UTC)
ROW = {
    "refiner_id": "REF",
    "lot_id": "LOT-1",
    "revision": "1",
    "sequence": "7",
    "stage": "final",
    "exporter_id": "EXP",
    "payer_id": "PAY",
    "sold_on": "2025-03-14",
    "melt_weight": "2450.60",
    "melt_weight_unit": "GRM",
    "assay_agreed": "871.8",
    "schemes": "gram|kilo",
    "organization_id": "ORG-A",
}


def table(*rows: dict[str, str], delimiter: str = ";", encoding: str = "utf-8") -> bytes:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [columns, *([row.get(column, "") for column in columns] for row in rows)]
    return "".join(delimiter.join(line) + "\r\n" for line in lines).encode(encoding)


def read(content: bytes) -> list[SaleEvent | Fault]:
    return list(sales_of_table("t.csv", BytesIO(content), NOW))


def sale(content: bytes) -> dict[str, Any]:
    (event,) = read(content)
    assert isinstance(event, SaleEvent), event
    assert isinstance(parse_sale(event.value), ParsedSale)
    sent: dict[str, Any] = orjson.loads(event.value)
    return sent


def fault(content: bytes) -> tuple[str, str]:
    (found,) = [found for found in read(content) if isinstance(found, Fault)]
    return str(found).split(": ", 2)[1].split(" =")[0], str(found)


@pytest.mark.parametrize(("delimiter", "encoding"), [(";", "utf-8"), (",", "utf-8"), (";", "utf-8-sig"), (",", "utf-8-sig")])
def test_a_row_is_a_sale_whatever_program_saved_it(delimiter: str, encoding: str) -> None:
    sent = sale(table(ROW, delimiter=delimiter, encoding=encoding))
    assert sent["melt_weight"] == {"value": "2450.60", "unit": "GRM"}
    assert sent["sources"] == [{"organization_id": "ORG-A", "melt_weight": {"value": "2450.60", "unit": "GRM"}}]
    assert (sent["revision"], sent["schemes"], sent["assays"]) == (
        1,
        ["gram", "kilo"],
        [{"party": "agreed", "fineness_permille": "871.8"}],
    )


def test_rows_of_one_lot_are_its_sources_also_when_others_stand_between_them() -> None:
    first = ROW | {"source_melt_weight": "1000.60", "document_kind": "invoice", "document_number": "1"}
    second = {name: ROW[name] for name in ("refiner_id", "lot_id", "revision")}
    second |= {"organization_id": "ORG-B", "source_melt_weight": "1450", "document_kind": "invoice", "document_number": "2"}
    one, other = read(table(first, ROW | {"lot_id": "LOT-2"}, second))
    assert isinstance(one, SaleEvent)
    assert isinstance(other, SaleEvent)
    sent = orjson.loads(one.value)
    assert [source["organization_id"] for source in sent["sources"]] == ["ORG-A", "ORG-B"]
    assert [source["melt_weight"]["value"] for source in sent["sources"]] == ["1000.60", "1450"]
    assert [document["number"] for document in sent["documents"]] == ["1", "2"]
    assert one.cells["sources.1.melt_weight.value"] == Cell(4, "source_melt_weight")


def test_every_column_has_its_place_in_the_sale_and_a_row_in_the_page() -> None:
    every = ROW | {column: "1" for column in COLUMNS if column not in ROW} | {"assay_agreed": "871.8"}
    every |= {
        "stated_fine_weight_unit": "GRM",
        "benchmark_currency": "USD",
        "benchmark_per": "APZ",
        "benchmark_on": "2025-03-14",
    }
    every |= {"document_sha256": "0" * 64}
    sent = sale(table(every))
    assert len(sent["assays"]) == 4
    assert sent.keys() >= {"benchmark", "stated_fine_weight", "price_share_of_benchmark", "refiner_reference", "documents"}
    assert sorted(re.findall(r"^\| `(\w+)` \|", PAGE, flags=re.MULTILINE)) == sorted(COLUMNS)


@pytest.mark.parametrize(
    ("rows", "cell", "expected"),
    [
        ([ROW, ROW | {"stage": "umpire", "organization_id": "ORG-B"}], "row 3, stage", 'is "final" in row 2 of the same lot'),
        (
            [{name: text for name, text in ROW.items() if name != "refiner_id"} | {"refiner_id": ""}],
            "row 2, refiner_id",
            "is missing",
        ),
    ],
)
def test_what_makes_no_sale_is_told_by_row_and_column(rows: list[dict[str, str]], cell: str, expected: str) -> None:
    place, told = fault(table(*rows))
    assert (place, expected in told) == (cell, True), told


def test_a_row_that_cannot_be_used_spoils_its_lot_and_no_other() -> None:
    content = table(ROW | {"source_melt_weight": "1000"}, ROW | {"lot_id": "LOT-2"})
    content += b"REF;LOT-1;1;too;few\r\n"
    spoiled, good = read(content)
    assert isinstance(spoiled, Fault)
    assert str(spoiled) == "t.csv:4: has 5 cells, and the first row 14"
    assert isinstance(good, SaleEvent)
    nameless = table(ROW, {"organization_id": "ORG-B"})
    above, unknown = read(nameless)
    assert str(above) == "t.csv:2: may have another row: row 3 does not say of which lot"
    assert str(unknown) == "t.csv: row 3, refiner_id: is missing: every row names it"


def test_a_header_with_other_columns_says_which() -> None:
    _, told = fault(b"refiner_id;lot;lot\r\n1;2;3\r\n")
    assert "unknown: 'lot', 'lot'" in told
    assert "'melt_weight_unit'" in told
    assert set(REQUIRED_COLUMNS) < set(COLUMNS)
    assert "missing" in str(read(b"")[0])


@pytest.mark.parametrize("spoiled", [b'"never closed', "Asociación".encode("latin-1")])
def test_a_table_that_cannot_be_read_to_its_end_is_refused_whole(spoiled: bytes) -> None:
    with pytest.raises(UnreadableTableError):
        read(table(ROW) + spoiled)


def check(folder: Path, content: bytes, *options: str) -> Result:
    (folder / "march.csv").write_bytes(content)
    return CliRunner().invoke(main, ["publish", str(folder / "march.csv"), "--check", *options])


def test_check_finds_everything_in_one_go_and_publishes_nothing(tmp_path: Path) -> None:
    rows = [ROW | {"lot_id": f"L-{number}"} for number in range(5)]
    rows[1]["melt_weight"] = "2450,60"
    rows[2]["revision"] = "two"
    rows[4]["sold_on"] = "14.03.2025"
    checked = check(tmp_path, table(*rows))
    assert checked.exit_code == 1
    told = [line.removeprefix(f"{tmp_path}/march.csv: ") for line in checked.stdout.splitlines()]
    assert [line.split(",", 2)[0:2] for line in told] == [
        ["row 3", ' melt_weight = "2450'],
        ["row 4", ' revision = "two": SCHEMA_INVALID'],
        ["row 6", ' sold_on = "14.03.2025": SCHEMA_INVALID'],
    ]
    assert "must be a decimal such as 2450.60" in told[0]
    assert "sales that can be published: 2; that cannot: 3" in checked.stderr
    as_json = check(tmp_path, table(*rows), "--json")
    assert [orjson.loads(line)["column"] for line in as_json.stdout.splitlines()] == ["melt_weight", "revision", "sold_on"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b'{"revision": NaN}', "value: SCHEMA_INVALID, is not JSON"),
        (b"[1]", "value: SCHEMA_INVALID, is no JSON object"),
        (b'{"refiner_id": "REF"}', "lot_id: SCHEMA_INVALID, is required and missing: add it"),
        (b'{"refiner_id": "REF", "lot_id": "a/b"}', 'lot_id = "a/b": SCHEMA_INVALID, must be an id of 1 to 256 characters'),
        (b'{"refiner_id": 7, "lot_id": "a"}', "refiner_id = 7: SCHEMA_INVALID, must be a text in quotes"),
    ],
)
def test_what_has_no_key_is_told_with_the_code_and_the_words_of_the_calculator(tmp_path: Path, line: bytes, told: str) -> None:
    file = tmp_path / "lines.jsonl"
    file.write_bytes(line + b"\n")
    checked = CliRunner().invoke(main, ["publish", "--check", str(file)])
    assert (checked.exit_code, checked.stdout.count("\n")) == (1, 1)
    assert checked.stdout.startswith(f"{file}:1, {told}")
    for options in (["--check", "--json"], ["--json"]):  # nothing of it can be published, so no broker is asked
        as_json = orjson.loads(CliRunner().invoke(main, ["publish", *options, str(file)]).stdout)
        assert (as_json["code"], as_json["place"]) == ("SCHEMA_INVALID", f"{file}:1")


def test_check_finds_one_revision_with_two_contents(tmp_path: Path) -> None:
    lines = b"".join(orjson.dumps(sale(table(ROW | {"melt_weight": weight}))) + b"\n" for weight in ("1", "2", "1"))
    (tmp_path / "sales.jsonl").write_bytes(lines)
    checked = CliRunner().invoke(main, ["publish", str(tmp_path / "sales.jsonl"), "--check"])
    assert checked.exit_code == 1
    (line,) = checked.stdout.splitlines()
    assert line.startswith(f"{tmp_path}/sales.jsonl:2, revision = 1: CONFLICTING_PAYLOAD, is the same lot and revision as ")


@pytest.mark.parametrize("sign", ["\x85", "\x9b2J", "\u202e"])
def test_what_a_terminal_would_obey_is_told_by_its_code_point(tmp_path: Path, sign: str) -> None:
    checked = check(tmp_path, table(ROW | {"assay_agreed": f"87{sign}1.8"}))
    (line,) = checked.stdout.splitlines()
    assert f'assay_agreed = "87\\u{ord(sign[0]):04x}' in line
    assert line.isprintable()


def test_the_example_of_the_page_prints_what_the_page_says(monkeypatch: pytest.MonkeyPatch) -> None:
    example, transcript = re.findall(r"^```\n(.*?)```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert (ROOT / "samples" / "table.csv").read_text(encoding="utf-8") == example
    command, *printed = transcript.splitlines()
    monkeypatch.chdir(ROOT)
    checked = CliRunner().invoke(main, command.removeprefix("$ premia ").split())
    assert checked.exit_code == 1
    assert checked.output.splitlines() == printed


def test_what_is_wrong_with_all_sources_together_is_told_of_their_weights(tmp_path: Path) -> None:
    rows = [ROW | {"source_melt_weight": "1000.60"}, ROW | {"organization_id": "ORG-B", "source_melt_weight": "1450.10"}]
    registry = ("--registry", str(ROOT / "samples" / "programme.yaml"), "--schemes", str(ROOT / "schemes"))
    known = {"refiner_id": "REF-CH-02", "exporter_id": "EXP-PE-07", "payer_id": "PAY-01", "schemes": "sbg"}
    known_rows = [row | known | {"organization_id": id_} for row, id_ in zip(rows, ("ORG-PE-012", "ORG-PE-013"), strict=True)]
    checked = check(tmp_path, table(*known_rows), *registry)
    assert "march.csv: row 2, source_melt_weight: SOURCE_MASS_MISMATCH, sources add up to 2450.7 GRM" in checked.stdout
