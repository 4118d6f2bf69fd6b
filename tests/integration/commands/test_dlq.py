"""`premia dlq` on what calculator and ledger really refuse: listed, shown, exported, redriven."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from schemas.dead_letter import ORIGIN, history_of
from schemas.registry import Organization
from schemas.registry_snapshot import RegistrySnapshot, registry_snapshot
from schemas.topics import ENTITLEMENTS_DEAD, SALES
from tests.integration.command import premia
from tests.integration.premium_calculator.programme import (
    apply_registry,
    header,
    read,
    sale_message,
    send,
)
from tests.integration.premium_calculator.worker_process import until
from tests.unit.premium_calculator import programme


def with_payer(snapshot: RegistrySnapshot, payer_id: str) -> RegistrySnapshot:
    payer = Organization(id=payer_id, name="Payer", country="CH", kind="payer")
    return registry_snapshot(snapshot.programme, {**snapshot.organizations, payer_id: payer}, snapshot.schemes)


async def listed(brokers: str, *options: object) -> list[dict[str, Any]]:
    found = await premia(brokers, "dlq", "list", "--json", *options)
    assert found.exit_code == 0, found
    return [json.loads(line) for line in found.lines]


async def test_a_redrive_after_a_registry_fix_is_accepted_and_one_before_it_comes_back_with_its_history(brokers: str) -> None:
    await apply_registry(brokers)
    waiting = [sale_message(lot_id=f"LATE-{number}", payer_id="PAY-NEW") for number in range(3)]
    await send(brokers, [*waiting, sale_message(lot_id="OTHER", schemes=["none-such"])])

    async def all_refused() -> bool:
        return len(await listed(brokers)) == 4

    await until(all_refused, what="four sales are refused")
    unknown = await listed(brokers, "--code", "UNKNOWN_ORGANIZATION", "--refiner", "REF", "--since", "2020-01-01")
    assert [(letter["state"], letter["field"], len(letter["failures"])) for letter in unknown] == [
        ("waiting", "payer_id", 1)
    ] * 3
    assert await listed(brokers, "--refiner", "REF-2") == await listed(brokers, "--until", "2020-01-01") == []

    slip = await premia(brokers, "dlq", "list", "--code", "UNKNOWN_ORGANISATION")
    assert (slip.exit_code, slip.stdout) == (0, "")
    assert "none of 4 events in dead letters is meant: " in slip.stderr
    assert "UNKNOWN_ORGANIZATION 3" in slip.stderr

    dry = await premia(brokers, "dlq", "redrive", "--code", "UNKNOWN_ORGANIZATION", "--dry-run")
    assert (dry.exit_code, len(dry.lines)) == (0, 3)
    assert len(await read(brokers, SALES)) == 4

    too_early = await premia(brokers, "dlq", "redrive", unknown[0]["origin"], "--wait")
    assert too_early.exit_code == 4, too_early
    assert "UNKNOWN_ORGANIZATION payer_id" in too_early.stdout
    (again,) = await listed(brokers, "--state", "failed_again")
    assert (again["origin"], [failure["code"] for failure in again["failures"]]) == (
        unknown[0]["origin"],
        ["UNKNOWN_ORGANIZATION"] * 2,
    )
    assert again["failures"][0]["at"] < again["failures"][1]["at"]

    await apply_registry(brokers, with_payer(programme.snapshot(), "PAY-NEW"), programme.snapshot())
    redriven = await premia(brokers, "dlq", "redrive", "--code", "UNKNOWN_ORGANIZATION", "--wait")
    assert redriven.exit_code == 0, redriven
    assert [line.split()[0] for line in redriven.lines] == ["accepted"] * 3
    assert [letter["state"] for letter in await listed(brokers, "--code", "UNKNOWN_ORGANIZATION")] == ["accepted"] * 3
    assert len(await listed(brokers)) == 4

    copies = [record for record in await read(brokers, SALES) if any(name == ORIGIN for name, _ in record.headers)]
    assert len(copies) == 4
    originals = {message.key: message for message in waiting}
    for copy in copies:
        original = originals[copy.key]
        assert copy.value == original.value
        assert header(copy, "ce_id") == dict(original.headers)["ce_id"].decode()
        assert [attempt.code for attempt in history_of(tuple(copy.headers))] in (
            ["UNKNOWN_ORGANIZATION"],
            ["UNKNOWN_ORGANIZATION"] * 2,
        )

    settled = await premia(brokers, "dlq", "redrive", unknown[1]["origin"])
    assert settled.exit_code == 4
    assert "was accepted; left alone" in settled.stderr


async def test_a_conflict_that_is_redriven_fails_again_and_says_so(brokers: str) -> None:
    first = sale_message(lot_id="TWICE")
    other = sale_message(lot_id="TWICE", melt_weight=programme.grams("1"), sources=programme.sources(("ORG-A", "1")))
    await send(brokers, [first, other])

    async def conflict() -> list[dict[str, Any]]:
        return [letter for letter in await listed(brokers) if letter["lot"] == "REF/TWICE"]

    await until(lambda: _is_there(conflict), what="the conflict is refused")
    (letter,) = await conflict()
    assert (letter["code"], letter["topic"], letter["state"]) == ("CONFLICTING_PAYLOAD", ENTITLEMENTS_DEAD, "waiting")
    again = await premia(brokers, "dlq", "redrive", letter["origin"], "--wait")
    assert again.exit_code == 4, again
    assert again.lines[0].startswith(f"rejected REF/TWICE {letter['origin']} CONFLICTING_PAYLOAD")

    async def failed_again() -> bool:
        (now,) = await conflict()
        return bool(now["state"] == "failed_again")

    await until(failed_again, what="the list knows")
    shown = await premia(brokers, "dlq", "show", letter["origin"])
    assert "redriven, failed again 1 time" in shown.stdout
    assert shown.stdout.count("CONFLICTING_PAYLOAD") == 3  # the reason and both failures


async def _is_there(found: Any) -> bool:
    return bool(await found())


async def test_an_exported_event_can_be_corrected_and_published(brokers: str, tmp_path: Path) -> None:
    bad = sale_message(lot_id="MENDED", assays=programme.assays(agreed="0.8718"))
    await send(brokers, [bad])

    async def refused() -> list[dict[str, Any]]:
        return [letter for letter in await listed(brokers) if letter["lot"] == "REF/MENDED"]

    await until(lambda: _is_there(refused), what="it is refused")
    exported = await premia(brokers, "dlq", "export", "--code", "FINENESS_OUT_OF_RANGE")
    (event,) = [json.loads(line) for line in exported.lines]
    assert event["dead_letter"]["field"] == "assays.0.fineness_permille"
    (letter,) = await refused()
    raw = await premia(brokers, "dlq", "show", "--raw", letter["origin"])
    assert raw.stdout.encode() == bad.value

    sale = json.loads(raw.stdout)
    sale["assays"][0]["fineness_permille"] = "871.8"
    del event["raw"]
    (tmp_path / "mended.jsonl").write_text(json.dumps(event | {"value": sale}), encoding="utf-8")
    mended = await premia(brokers, "publish", tmp_path / "mended.jsonl", "--wait")
    assert mended.exit_code == 0, mended
    assert event["id"] in mended.stdout
    (letter,) = await refused()
    assert letter["state"] == "mended"
    assert letter in await listed(brokers, "--state", "mended")
    again = await premia(brokers, "dlq", "redrive", letter["origin"])
    assert again.exit_code == 4
    assert "was sent anew, and this or a later revision of the lot was accepted; left alone" in again.stderr
