"""`premia publish --wait`: what became of each event, from the services that decide it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from schemas.registry import Organization
from schemas.registry_snapshot import registry_snapshot
from tests.integration.command import premia
from tests.integration.premium_calculator.programme import apply_registry
from tests.integration.premium_calculator.worker_process import until
from tests.unit.premium_calculator import programme


def lines(*sales: dict[str, Any]) -> bytes:
    return b"".join(programme.encoded(sale) + b"\n" for sale in sales)


async def test_every_event_is_told_its_outcome_and_a_rejection_its_place_field_and_value(brokers: str, tmp_path: Path) -> None:
    await apply_registry(brokers)
    file = tmp_path / "sales.jsonl"
    file.write_bytes(
        lines(
            programme.sale(lot_id="GOOD"),
            programme.sale(lot_id="SLIP", assays=programme.assays(agreed="0.8718")),
            programme.sale(lot_id="GOOD"),
        )
    )
    first = await premia(brokers, "publish", file, "--wait")
    assert first.exit_code == 4, first
    assert [line.split()[:2] for line in first.lines] == [
        ["accepted", "REF/GOOD"],
        ["rejected", "REF/SLIP"],
        ["duplicate", "REF/GOOD"],
    ]
    assert f'{file}:2, assays.0.fineness_permille = "0.8718": FINENESS_OUT_OF_RANGE, ' in first.lines[1]
    again = await premia(brokers, "publish", file, "--wait", "--json")
    assert [json.loads(line)["outcome"] for line in again.lines] == ["duplicate", "rejected", "duplicate"]
    assert json.loads(again.lines[1])["detail"] == "FINENESS_OUT_OF_RANGE"


async def test_many_events_are_counted_and_only_the_rejected_are_named(brokers: str, tmp_path: Path) -> None:
    await apply_registry(brokers)
    file = tmp_path / "sales.jsonl"
    file.write_bytes(lines(*(programme.sale(lot_id=f"MANY-{n}", payer_id="X" if n == 7 else "PAY") for n in range(40))))
    counted = await premia(brokers, "publish", file, "--wait")
    assert counted.exit_code == 4, counted
    assert counted.lines[0].startswith("rejected REF/MANY-7 ")
    assert counted.lines[1:] == ["accepted 39, duplicate 0, rejected 1"]


async def test_gaps_are_listed_until_a_late_arrival_and_a_mended_resend_close_them(brokers: str, tmp_path: Path) -> None:
    await apply_registry(brokers)

    async def publish(*sales: dict[str, Any]) -> None:
        file = tmp_path / "sales.jsonl"
        file.write_bytes(lines(*sales))
        await premia(brokers, "publish", file, "--wait")

    async def gaps_are(*expected: tuple[str, int, int]) -> bool:
        listed = await premia(brokers, "gaps", "--json", "--refiner", "REF")
        found = [json.loads(line) for line in listed.lines]
        return expected == tuple((gap["kind"], gap["first"], gap["last"]) for gap in found if gap["first"] > 100)

    slip = programme.sale(lot_id="GAP-SLIP", sequence=107, assays=programme.assays(agreed="0.8718"))
    await publish(
        programme.sale(lot_id="GAP-1", sequence=101),
        programme.sale(lot_id="GAP-2", sequence=105),
        slip,
        programme.sale(lot_id="GAP-3", sequence=108),
    )
    await until(
        lambda: gaps_are(("missing", 102, 104), ("missing", 106, 106), ("rejected", 107, 107)), what="the gaps are seen"
    )
    told = await premia(brokers, "gaps")
    assert told.exit_code == 1
    assert any(line.startswith("REF  102 to 104 (3)  missing since ") for line in told.lines)
    await publish(
        programme.sale(lot_id="GAP-4", sequence=103),
        slip | {"sequence": 109, "assays": programme.assays(agreed="871.8")},
        *(programme.sale(lot_id=f"GAP-{number}", sequence=number) for number in (102, 104, 106)),
    )
    await until(gaps_are, what="all are closed")


async def test_a_refiner_that_demands_signatures_is_believed_with_its_key_only(brokers: str, tmp_path: Path) -> None:
    await apply_registry(brokers)
    key_file, file = tmp_path / "ref.pem", tmp_path / "sale.json"
    made = await premia(brokers, "keys", "new", "--id", "ref-1", "--out", key_file)
    lines_of_registry = yaml.safe_load(made.stdout)
    base = programme.snapshot()
    refiner = base.organizations["REF"].model_dump() | lines_of_registry
    demanding = registry_snapshot(None, {**base.organizations, "REF": Organization.model_validate(refiner)}, base.schemes)
    await apply_registry(brokers, demanding, base)
    file.write_bytes(programme.encoded(programme.sale(lot_id="SIGNED")))
    unsigned = await premia(brokers, "publish", file, "--wait")
    assert unsigned.exit_code == 4
    assert "ce_signature: SIGNATURE_INVALID, is missing" in unsigned.stdout
    wrong = await premia(brokers, "publish", file, "--wait", "--key", key_file, "--key-id", "ref-2")
    assert wrong.exit_code == 4
    assert "is by key ref-2, which the registry does not have" in wrong.stdout
    signed = await premia(brokers, "publish", file, "--wait", "--key", key_file, "--key-id", "ref-1")
    assert signed.exit_code == 0, signed
    assert signed.stdout.startswith("accepted REF/SIGNED")
    assert (await premia(brokers, "publish", file, "--key", key_file)).exit_code == 2
    await apply_registry(brokers, base, demanding)


async def test_a_table_with_three_bad_rows_is_told_by_row_and_the_rest_is_taken_once(brokers: str, tmp_path: Path) -> None:
    await apply_registry(brokers)
    columns = "refiner_id;lot_id;revision;sequence;stage;exporter_id;payer_id;sold_on;melt_weight;melt_weight_unit"
    columns += ";assay_agreed;schemes;organization_id"
    good = "REF;CSV-{};1;7;final;EXP;PAY;2025-03-14;2450.60;GRM;871.8;gram;ORG-A"
    rows = [good.format(number) for number in range(6)]
    rows[1] = rows[1].replace("2450.60", "2450,60")
    rows[3] = rows[3].replace("871.8", "0.8718")
    rows[4] = rows[4].replace(";1;7;", ";one;7;")
    file = tmp_path / "march.csv"
    file.write_text("\ufeff" + "\r\n".join([columns, *rows]) + "\r\n", encoding="utf-8")
    published = await premia(brokers, "publish", file, "--wait")
    assert published.exit_code == 4, published
    assert [line.split()[0] for line in published.lines] == ["accepted", "accepted", "rejected", "accepted"]
    assert f'{file}: row 5, assay_agreed = "0.8718": FINENESS_OUT_OF_RANGE, ' in published.lines[2]
    refused = [line for line in published.stderr.splitlines() if line.startswith(str(file))]
    assert refused[0].startswith(f'{file}: row 3, melt_weight = "2450,60": SCHEMA_INVALID, must be a decimal')
    assert refused[1].startswith(f'{file}: row 6, revision = "one": SCHEMA_INVALID, must be a whole number')
    rows[1], rows[3], rows[4] = (good.format(number) for number in (1, 3, 4))
    file.write_text("\n".join([columns, *rows]), encoding="utf-8")
    again = await premia(brokers, "publish", file, "--wait")
    assert again.exit_code == 0, again
    assert [line.split()[0] for line in again.lines] == [
        "duplicate",
        "accepted",
        "duplicate",
        "accepted",
        "accepted",
        "duplicate",
    ]
