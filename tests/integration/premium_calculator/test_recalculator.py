"""Recalculations over HTTP and Kafka: who may, what is published, and what a crash in between leaves."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import aiohttp
import pytest

from schemas.entitlement import Replaced
from schemas.recalculation import Approved, LotToRecalculate, recalculation_id
from schemas.topics import ENTITLEMENTS, RECALCULATIONS, SALES
from services.premium_calculator.adapters.calculating_registry import calculating_registry
from services.premium_calculator.adapters.recalculation_topic import lots_message, parts_of, step_message
from services.premium_calculator.adapters.sale_decision import Calculated, SaleRecord, recalculate
from services.premium_calculator.domain.registry import Registry
from tests.integration.premium_calculator.programme import (
    ACTORS,
    Record,
    apply_registry,
    create_topics,
    header,
    many_sales,
    place,
    read,
    send,
    token_of,
    with_rate,
)
from tests.integration.premium_calculator.worker_process import WorkerProcess, until

LOTS: Final = 30
NOW: Final = datetime(2025, 4, 1, tzinfo=UTC)
OLD: Final = with_rate("0.70")
NEW: Final = with_rate("0.80")


@dataclass
class Calculator:
    """A programme whose rate was corrected after its sales were calculated, and its workers."""

    brokers: str
    tokens: Path
    session: aiohttp.ClientSession
    worker: WorkerProcess

    async def ask(self, method: str, path: str, actor: str, body: object = None) -> tuple[int, Any]:
        """Status and JSON of one request."""
        headers = {"Authorization": f"Bearer {token_of(actor)}"}
        async with self.session.request(method, f"{self.worker.url}/v1{path}", json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def prepare(self, lots: Sequence[LotToRecalculate], actor: str = "ana", *, version: str = "") -> tuple[int, Any]:
        content = [lot.model_dump(mode="json") for lot in lots]
        return await self.ask("POST", "/recalculations", actor, {"registry_version": version or NEW.version, "lots": content})

    async def decide(self, id_: str, decision: str, actor: str) -> tuple[int, Any]:
        return await self.ask("POST", f"/recalculations/{id_}/{decision}", actor)

    async def published(self, id_: str) -> dict[str, Any]:
        """The recalculation, when it is published."""
        told: dict[str, Any] = {}

        async def is_published() -> bool:
            told.update((await self.ask("GET", f"/recalculations/{id_}", "ana"))[1])
            return bool(told["state"] == "published")

        await until(is_published, what="the recalculation is published", also=self.worker.log)
        return told

    async def recalculated(self) -> list[Record]:
        """All entitlements of recalculations, in the order of their topic."""
        return [record for record in await read(self.brokers, ENTITLEMENTS) if b'"cause":"recalculation"' in record.value]

    async def lots(self) -> list[LotToRecalculate]:
        """Every lot as the new rate would have it."""
        registry = calculating_registry(NEW)
        return sorted((lot_of(record, registry) for record in await read(self.brokers, SALES)), key=lambda lot: lot.lot_id)


def lot_of(record: Record, registry: Registry) -> LotToRecalculate:
    calculated = recalculate(
        SaleRecord(record.key, record.value, record.headers), registry, Replaced(revision=1, calculation=0)
    )
    assert isinstance(calculated, Calculated)
    sale = json.loads(record.value)
    return LotToRecalculate(
        refiner_id=sale["refiner_id"],
        lot_id=sale["lot_id"],
        replaces=Replaced(revision=1, calculation=0),
        origin=place(record),
        entitlement_id=calculated.entitlement_id,
    )


@pytest.fixture
async def calculator(kafka: str, tmp_path: Path) -> AsyncIterator[Calculator]:
    tokens = tmp_path / "tokens.json"
    tokens.write_text(json.dumps({id_: hashlib.sha256(token_of(id_).encode()).hexdigest() for id_ in ACTORS}))
    await create_topics(kafka)
    await apply_registry(kafka, OLD)
    await send(kafka, many_sales(LOTS, revisions=1))
    with WorkerProcess(kafka, tokens=tokens) as worker:
        await worker.until_ready()
        await worker.until_drained()
        await apply_registry(kafka, NEW, OLD)
        await until(lambda: switches_are(worker, 2), what="the worker has the corrected rate", also=worker.log)
        async with aiohttp.ClientSession() as session:
            yield Calculator(kafka, tokens, session, worker)


async def switches_are(worker: WorkerProcess, count: int) -> bool:
    return await asyncio.to_thread(worker.metric, "premia_calculator_registry_switches_total") == count


async def test_what_one_prepares_and_another_approves_is_published_once(calculator: Calculator) -> None:
    lots = await calculator.lots()
    status, prepared = await calculator.prepare(lots)
    id_ = prepared["recalculation_id"]
    assert (status, prepared["state"], prepared["lots"], prepared["prepared_by"]) == (201, "prepared", LOTS, "ana")
    status, again = await calculator.prepare(list(reversed(lots)), actor="diego")
    assert (status, again["recalculation_id"], again["prepared_by"], again["created"]) == (200, id_, "ana", False)
    assert await calculator.recalculated() == [], "nothing is published before it is approved"

    status, approved = await calculator.decide(id_, "approve", "bruno")
    assert (status, approved["decided_by"]) == (200, "bruno")
    told = await calculator.published(id_)
    assert (told["published"], told["refused"], told["refused_lots"]) == (LOTS, 0, [])
    assert told["content"] == [lot.model_dump(mode="json") for lot in lots]
    assert (await calculator.decide(id_, "approve", "bruno"))[0] == 200, "a repeat changes nothing"

    first = {record.key: record for record in await read(calculator.brokers, ENTITLEMENTS) if b'"cause":"sale"' in record.value}
    recalculated = await calculator.recalculated()
    assert {UUID(header(record, "ce_id")) for record in recalculated} == {lot.entitlement_id for lot in lots}
    assert len(recalculated) == LOTS
    for record in recalculated:
        before, value = first[record.key], json.loads(record.value)
        assert (value["calculation"], value["replaces"]) == (1, {"calculation": 0, "revision": 1})
        assert value["premiums"][0]["rate"]["amount"] == "0.80"
        assert record.partition == before.partition
        for name in ("ce_origin", "ce_saletime", "ce_salesource", "ce_salesequence", "ce_time"):
            assert header(record, name) == header(before, name)
    assert await asyncio.to_thread(calculator.worker.metric, "premia_calculator_recalculated_lots_total") == LOTS


async def test_refusals_say_what_to_do_and_change_nothing(calculator: Calculator) -> None:
    lots = await calculator.lots()

    async def refused(answer: tuple[int, Any]) -> tuple[int, str]:
        status, told = answer
        assert told["message"]
        return status, told["code"]

    assert await refused(await calculator.prepare(lots, actor="bruno")) == (403, "ROLE_MISSING")
    assert await refused(await calculator.prepare(lots, actor="nobody")) == (401, "UNKNOWN_ACTOR")
    assert await refused(await calculator.prepare(lots, version=OLD.version)) == (409, "REGISTRY_CHANGED")
    assert await refused(await calculator.prepare([lots[0], lots[0]])) == (400, "SCHEMA_INVALID")
    assert await refused(await calculator.prepare([])) == (400, "SCHEMA_INVALID")
    assert await refused(await calculator.decide(str(UUID(int=7)), "approve", "bruno")) == (404, "RECALCULATION_UNKNOWN")
    assert await refused(await calculator.decide("seven", "approve", "bruno")) == (400, "SCHEMA_INVALID")
    assert await read(calculator.brokers, RECALCULATIONS) == []

    _, prepared = await calculator.prepare(lots, actor="diego")
    id_ = prepared["recalculation_id"]
    assert await refused(await calculator.decide(id_, "approve", "ana")) == (403, "ROLE_MISSING")
    assert await refused(await calculator.decide(id_, "approve", "diego")) == (403, "SAME_ACTOR")
    assert await refused(await calculator.decide(id_, "withdraw", "carla")) == (403, "ROLE_MISSING")
    assert (await calculator.decide(id_, "withdraw", "ana"))[1]["state"] == "withdrawn"
    assert await refused(await calculator.decide(id_, "approve", "bruno")) == (409, "RECALCULATION_CLOSED")

    status, again = await calculator.prepare(lots)
    assert (status, again["recalculation_id"], again["prepared_by"], again["decided_by"]) == (201, id_, "ana", None)
    await apply_registry(calculator.brokers, OLD, NEW)
    await until(lambda: switches_are(calculator.worker, 3), what="the old rate is back")
    assert await refused(await calculator.decide(id_, "approve", "bruno")) == (409, "REGISTRY_CHANGED")
    assert [one["state"] for one in (await calculator.ask("GET", "/recalculations", "carla"))[1]["recalculations"]] == [
        "prepared"
    ]
    assert await calculator.recalculated() == []


async def test_a_lot_that_is_not_what_was_approved_is_left_out_by_name(calculator: Calculator) -> None:
    lots = await calculator.lots()
    topic, partition, _ = lots[0].origin.rsplit("/", 2)
    lots[0] = lots[0].model_copy(update={"origin": f"{topic}/{partition}/{10**18}"})
    lots[1] = lots[1].model_copy(update={"origin": f"{RECALCULATIONS}/0/0"})
    lots[2] = lots[2].model_copy(update={"entitlement_id": UUID(int=7)})
    _, prepared = await calculator.prepare(lots)
    await calculator.decide(prepared["recalculation_id"], "approve", "bruno")
    told = await calculator.published(prepared["recalculation_id"])
    assert (told["published"], told["refused"]) == (LOTS - 3, 3)
    left_out = {lot["lot_id"]: lot["code"] for lot in told["refused_lots"]}
    assert left_out == {lots[0].lot_id: "SALE_MISSING", lots[1].lot_id: "SALE_MISSING", lots[2].lot_id: "RESULT_DIFFERS"}
    assert len(await calculator.recalculated()) == LOTS - 3


async def test_what_was_approved_before_a_crash_is_published_after_it(calculator: Calculator) -> None:
    lots = await calculator.lots()
    _, prepared = await calculator.prepare(lots)
    id_ = prepared["recalculation_id"]
    calculator.worker.kill()
    await send(calculator.brokers, [step_message(Approved(recalculation_id=UUID(id_), actor="bruno"), NOW)])
    calculator.worker.start()
    await calculator.worker.until_ready()
    assert (await calculator.published(id_))["published"] == LOTS


async def test_killed_while_it_publishes_it_repeats_the_same_records(calculator: Calculator) -> None:
    _, prepared = await calculator.prepare(await calculator.lots())
    id_ = prepared["recalculation_id"]
    await calculator.decide(id_, "approve", "bruno")
    calculator.worker.kill()
    # What a kill between the last entitlement and the step `published` leaves behind, whatever this one did.
    before = await calculator.recalculated()
    calculator.worker.start()
    await calculator.worker.until_ready()
    assert (await calculator.published(id_))["published"] == LOTS
    by_id: dict[str, set[Any]] = {}
    for record in (*before, *await calculator.recalculated()):
        content = (record.partition, record.key, record.value, tuple(record.headers))
        by_id.setdefault(header(record, "ce_id"), set()).add(content)
    assert len(by_id) == LOTS
    assert all(len(contents) == 1 for contents in by_id.values())


async def test_a_registry_that_came_into_force_after_the_approval_stops_the_publication(calculator: Calculator) -> None:
    _, prepared = await calculator.prepare(await calculator.lots())
    id_ = prepared["recalculation_id"]
    calculator.worker.kill()
    await apply_registry(calculator.brokers, OLD, NEW)
    await send(calculator.brokers, [step_message(Approved(recalculation_id=UUID(id_), actor="bruno"), NOW)])
    calculator.worker.start()
    await calculator.worker.until_ready()
    told = await calculator.published(id_)
    assert (told["published"], told["refused"]) == (0, LOTS)
    assert {lot["code"] for lot in told["refused_lots"]} == {"REGISTRY_CHANGED"}
    assert await calculator.recalculated() == []

    await apply_registry(calculator.brokers, NEW, OLD)
    await until(lambda: switches_are(calculator.worker, 2), what="the corrected rate is back")
    status, again = await calculator.prepare(await calculator.lots())
    assert (status, again["recalculation_id"], again["state"]) == (201, id_, "prepared"), "the same lots, once more"
    await calculator.decide(id_, "approve", "bruno")
    assert (await calculator.published(id_))["published"] == LOTS


async def test_a_preparation_that_was_torn_is_none_and_can_be_done_again(calculator: Calculator) -> None:
    lots = await calculator.lots()
    torn = parts_of(recalculation_id(NEW.version, lots), lots)
    calculator.worker.kill()
    await send(calculator.brokers, [lots_message(part, NOW) for part in torn])
    calculator.worker.start()
    await calculator.worker.until_ready()
    assert (await calculator.ask("GET", "/recalculations", "ana"))[1]["recalculations"] == []
    status, prepared = await calculator.prepare(lots)
    assert (status, prepared["state"], prepared["lots"]) == (201, "prepared", LOTS)


async def test_of_two_workers_one_publishes_and_both_know(calculator: Calculator) -> None:
    async with another_worker(calculator) as other:
        _, prepared = await calculator.prepare(await calculator.lots())
        id_ = prepared["recalculation_id"]
        asked_other = Calculator(calculator.brokers, calculator.tokens, calculator.session, other)
        assert (await asked_other.decide(id_, "approve", "bruno"))[0] == 200
        for one in (calculator, asked_other):
            assert (await one.published(id_))["published"] == LOTS
        assert len(await calculator.recalculated()) == LOTS


@asynccontextmanager
async def another_worker(calculator: Calculator) -> AsyncIterator[WorkerProcess]:
    with WorkerProcess(calculator.brokers, instance="1", tokens=calculator.tokens) as other:
        await other.until_ready()
        yield other
