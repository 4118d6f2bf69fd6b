"""`premia recalculate`, from the withdrawn status to the ledger's postings, with real services and two persons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.registry import Organization
from schemas.registry_snapshot import RegistrySnapshot, registry_snapshot
from tests.integration.command import Finished, premia
from tests.integration.premium_calculator.programme import PROGRAMME, apply_registry, token_of, with_rate
from tests.unit.premium_calculator import programme

BLEND = programme.sources(("ORG-A", "931.75"), ("ORG-B", "804.26"), ("ORG-D", "714.59"))
NO_CHANGES = "0 lots would change"


def suspended(organization_id: str, day: str) -> RegistrySnapshot:
    """ORG is suspended from a day: entered late, as an accident is found out."""
    base = programme.snapshot()
    changed = base.organizations[organization_id].model_dump(mode="json", by_alias=True)
    changed["statuses"] = [
        *({**status, "to": day} for status in changed["statuses"]),
        *({**status, "status": "suspended", "from": day} for status in changed["statuses"]),
    ]
    organizations = {**base.organizations, organization_id: Organization.model_validate(changed)}
    return registry_snapshot(PROGRAMME, organizations, base.schemes)


class Programme:
    """The programme as its people use it."""

    def __init__(self, brokers: str, folder: Path) -> None:
        self.brokers = brokers
        self._folder = folder

    async def apply(self, wanted: RegistrySnapshot, current: RegistrySnapshot | None) -> None:
        await apply_registry(self.brokers, wanted, current)

    async def run(self, *arguments: object, actor: str = "carla") -> Finished:
        return await premia(self.brokers, *arguments, token=token_of(actor))

    async def done(self, *arguments: object, actor: str = "carla") -> Finished:
        finished = await self.run(*arguments, actor=actor)
        assert finished.exit_code == 0, finished
        return finished

    async def publish(self, *sales: dict[str, Any]) -> None:
        file = self._folder / "sales.jsonl"
        file.write_bytes(b"".join(programme.encoded(sale) + b"\n" for sale in sales))
        await self.done("publish", file, "--wait")

    async def changes(self) -> dict[str, Any]:
        """What a recalculation would change now."""
        listed: dict[str, Any] = json.loads((await self.done("recalculate", "--dry-run", "--json")).stdout)
        return listed

    async def payable(self) -> dict[str, str]:
        """What is owed, in dollars, by organization or fund."""
        lines = (await self.done("balances", "--json")).stdout.splitlines()
        balances = [json.loads(line) for line in lines]
        return {one["owner_id"]: one["balance"] for one in balances if (one["purpose"], one["unit"]) == ("payable", "USD")}

    async def prepared(self, actor: str = "ana") -> str:
        made = await self.done("recalculate", "--as", actor, "--json", actor=actor)
        id_: str = json.loads(made.stdout)["recalculation_id"]
        return id_


@pytest.fixture
async def sold(brokers: str, tmp_path: Path) -> Programme:
    return Programme(brokers, tmp_path)


async def test_a_status_withdrawn_from_an_earlier_day_posts_exactly_the_listed_differences(sold: Programme) -> None:
    first = registry_snapshot(PROGRAMME, programme.snapshot().organizations, programme.snapshot().schemes)
    await sold.apply(first, None)
    await sold.publish(
        programme.sale(lot_id="BEFORE", sold_on="2025-03-01"),
        programme.sale(lot_id="AFTER"),
        programme.sale(lot_id="BLEND", sources=BLEND),
        programme.sale(lot_id="FUND", schemes=["fund"]),
        programme.sale(lot_id="OTHERS", sources=programme.sources(("ORG-B", "2450.60"))),
        programme.sale(lot_id="AFTER", revision=2, assays=programme.assays(agreed="872.0")),
    )
    nothing = await sold.done("recalculate", "--dry-run")
    assert (nothing.stdout.strip(), NO_CHANGES in nothing.stderr) == ("", True)
    assert NO_CHANGES in (await sold.done("recalculate", actor="ana")).stderr
    as_json = await sold.done("recalculate", "--json", actor="ana")
    assert json.loads(as_json.stdout) == {"recalculation_id": None, "lots": 0}

    await sold.apply(suspended("ORG-A", "2025-03-10"), first)
    listed = await sold.changes()
    assert [lot["lot_id"] for lot in listed["lots"]] == ["AFTER", "BLEND", "FUND"]
    assert listed["compared"] == 5
    after = listed["lots"][0]
    assert after["replaces"] == {"revision": 2, "calculation": 0}
    assert after["organizations"] == [
        {
            "organization_id": "ORG-A",
            "currency": "USD",
            "lots": 1,
            "now": "1495.85",
            "proposed": "0.00",
            "difference": "-1495.85",
        }
    ]
    table = (await sold.done("recalculate", "--dry-run")).lines
    assert table[1].split() == ["REF/AFTER", "2", "USD", "1,495.85", "0.00", "-1,495.85", "ORG-A"]
    assert table[-1].split()[:3] == ["total", "3", "USD"]
    before = await sold.payable()

    prepared = await sold.done("recalculate", actor="ana")
    id_ = prepared.stderr.split("Recalculation ")[1].split()[0]
    assert f"premia recalculate show {id_}" in prepared.stderr
    assert await sold.payable() == before, "nothing is posted before somebody else agrees"
    shown = json.loads((await sold.done("recalculate", "show", id_[:8], "--json")).stdout)
    assert (shown["state"], shown["as_prepared"], shown["moved_on"], shown["not_in_it"]) == ("prepared", 3, 0, 0)
    assert shown["organizations"] == listed["organizations"]
    assert (await sold.run("recalculate", "approve", id_, actor="ana")).exit_code == 4
    approved = await sold.done("recalculate", "approve", id_, "--wait", actor="bruno")
    assert "Published 3. The ledger accepted 3.\nNo lot on an older registry version would change any more." in approved.stderr

    posted = await sold.payable()
    expected = {one["organization_id"]: one["difference"] for one in listed["organizations"]}
    assert {id_: difference_of(before, posted, id_) for id_ in {*before, *posted}} == {
        id_: expected.get(id_, "0.00") for id_ in {*before, *posted}
    }
    assert (await sold.changes())["lots"] == []
    settled = json.loads((await sold.done("recalculate", "show", id_, "--json")).stdout)
    assert (settled["state"], settled["ledger"]) == ("published", {"accepted": 3, "refused": {}})
    assert settled["organizations"] == listed["organizations"]
    assert id_ in (await sold.done("recalculate", "list")).lines[0]

    lot = (await sold.done("lot", "REF/AFTER")).stdout
    assert "Revision 2, calculation 1 · final · ineligible · posted, counts now\n  recalculated from sale " in lot
    (line,) = [line for line in (await sold.done("trace", "REF/AFTER")).lines if "recalculation " in line.split("; ")[0]]
    assert f"; recalculation {id_}, prepared by ana at 20" in line
    assert ", approved by bruno at 20" in line
    (told,) = await recalculated(sold, "AFTER")
    assert (told["recalculation_id"], told["prepared_by"], told["approved_by"]) == (id_, "ana", "bruno")
    assert told["prepared_at"] < told["approved_at"]
    explained = (await sold.done("explain", "REF/AFTER")).stdout
    assert "Calculation 1 of this revision" in explained
    assert (await sold.done("fsck")).exit_code == 0


async def recalculated(sold: Programme, lot_id: str) -> list[dict[str, Any]]:
    """What the story of a lot says of each time that it was calculated again."""
    story = json.loads((await sold.done("trace", f"REF/{lot_id}", "--json")).stdout)
    return [event["details"] for event in story["events"] if event["what"] == "recalculation"]


def difference_of(before: dict[str, str], after: dict[str, str], id_: str) -> str:
    """What the programme owes more (above zero) or less; balances are debit positive."""
    cents = [int(balances.get(id_, "0.00").replace(".", "")) for balances in (before, after)]
    return f"{(cents[0] - cents[1]) / 100:.2f}"


async def test_a_lot_that_moved_on_is_left_alone_and_found_again_if_it_would_still_change(sold: Programme) -> None:
    base = suspended("ORG-A", "2025-03-10")
    await sold.publish(
        programme.sale(lot_id="MOVES", sources=programme.sources(("ORG-B", "2450.60"))),
        programme.sale(lot_id="STAYS", sources=programme.sources(("ORG-B", "2450.60"))),
    )
    raised = with_rate("0.80")
    changed = registry_snapshot(PROGRAMME, base.organizations, raised.schemes)
    await sold.apply(changed, base)
    id_ = await sold.prepared()
    await sold.publish(
        programme.sale(
            lot_id="MOVES", revision=2, sources=programme.sources(("ORG-B", "2450.60")), assays=programme.assays(agreed="872.0")
        )
    )
    shown = json.loads((await sold.done("recalculate", "show", id_, "--json")).stdout)
    assert (shown["moved_on"], shown["not_in_it"]) == (1, 0)
    assert "1 lot moved on since" in (await sold.done("recalculate", "show", id_)).stderr
    approved = await sold.run("recalculate", "approve", id_, "--wait", "--json", actor="bruno")
    assert approved.exit_code == 4, approved
    assert "refused 1 (STALE_RECALCULATION)" in approved.stderr
    assert "No lot on an older registry version would change any more" in approved.stderr
    told = json.loads(approved.stdout)
    assert (told["refused"], told["ledger"]["refused"]) == (0, {"STALE_RECALCULATION": 1})
    (letter,) = (await sold.done("dlq", "list", "--code", "STALE_RECALCULATION", "--json")).lines
    assert (json.loads(letter)["lot"], json.loads(letter)["state"]) == ("REF/MOVES", "never_redriven")
    await sold.apply(base, changed)
    assert (await sold.changes())["lots"] != []


async def test_a_lot_that_the_registry_would_reject_by_now_is_named_and_stays(sold: Programme) -> None:
    base = suspended("ORG-A", "2025-03-10")
    without = {id_: organization for id_, organization in base.organizations.items() if id_ != "ORG-B"}
    gone = registry_snapshot(PROGRAMME, without, base.schemes)
    await sold.apply(gone, base)
    listed = await sold.run("recalculate", "--dry-run")
    assert "REF/OTHERS cannot be calculated again and stays: UNKNOWN_ORGANIZATION sources.0.organization_id" in listed.stderr
    assert {lot["code"] for lot in (await sold.changes())["not_calculated"]} == {"UNKNOWN_ORGANIZATION"}
    await sold.apply(base, gone)


async def test_two_recalculations_at_once_post_each_difference_once(sold: Programme) -> None:
    base = suspended("ORG-A", "2025-03-10")
    source = programme.sources(("ORG-C", "2450.60"))
    await sold.publish(programme.sale(lot_id="TWICE-1", sources=source), programme.sale(lot_id="TWICE-2", sources=source))
    changed = registry_snapshot(PROGRAMME, base.organizations, with_rate("0.90").schemes)
    await sold.apply(changed, base)
    one = await sold.prepared()
    assert await sold.prepared("diego") == one, "the same lots are the same recalculation"
    await sold.publish(programme.sale(lot_id="TWICE-2", sources=source, revision=2))
    listed = await sold.changes()
    assert "TWICE-2" not in {lot["lot_id"] for lot in listed["lots"]}, "its newest revision has the new rate already"
    other = await sold.prepared("diego")
    assert other != one

    before = await sold.payable()
    first = await sold.run("recalculate", "approve", other, "--wait", actor="bruno")
    second = await sold.run("recalculate", "approve", one, "--wait", actor="bruno")
    assert (first.exit_code, second.exit_code, "refused 1 (STALE_RECALCULATION)" in second.stderr) == (0, 4, True)
    expected = {party["organization_id"]: party["difference"] for party in listed["organizations"]}
    assert difference_of(before, await sold.payable(), "ORG-C") == expected["ORG-C"]
    (told,) = await recalculated(sold, "TWICE-1")
    assert (told["recalculation_id"], told["prepared_by"]) == (other, "diego"), "the first that was published counts"
    closed = await sold.run("recalculate", "withdraw", one, actor="ana")
    assert (closed.exit_code, "RECALCULATION_CLOSED" in closed.stderr) == (4, True)


async def test_without_kafka_a_story_is_told_without_who_approved(sold: Programme) -> None:
    away = await premia("127.0.0.1:1", "trace", "REF/AFTER", "--json")
    assert (away.exit_code, "who approved a recalculation is not told: Kafka at 127.0.0.1:1" in away.stderr) == (0, True)
    told = [event["details"] for event in json.loads(away.stdout)["events"] if event["what"] == "recalculation"]
    assert told
    assert not any("approved_by" in one for one in told)


async def test_what_is_wrong_is_said_in_one_line(sold: Programme) -> None:
    assert (await premia(sold.brokers, "recalculate", "show", "nothing")).exit_code == 3, "nobody's token"
    assert (await premia(sold.brokers, "recalculate")).exit_code == 2, "who acts?"
    unknown = await sold.run("recalculate", "show", "nothing", actor="ana")
    assert (unknown.exit_code, unknown.stderr) == (
        4,
        "Error: there is no recalculation nothing: premia recalculate list shows them all\n",
    )
    wrong = await sold.run("recalculate", "--days", "3")
    assert (wrong.exit_code, "No such option" in wrong.stderr) == (2, True)
