"""The worker's life: waiting for the registry, switching it, stopping, and what it cannot go on with."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import Any, Final

import pytest
from aiokafka import AIOKafkaProducer

from premia.local.stack import LocalStack
from schemas.message import Message
from schemas.registry_snapshot import RegistrySnapshot, registry_snapshot
from schemas.topics import ENTITLEMENTS, REGISTRY, SALES, SALES_DEAD
from tests.integration.premium_calculator.programme import (
    Record,
    apply_registry,
    create_topics,
    many_sales,
    read,
    sale_message,
    send,
    unanswered,
)
from tests.integration.premium_calculator.worker_process import WorkerProcess, until
from tests.unit.premium_calculator import programme

STOP_S_MAX: Final = 5.0
EXIT_SETTINGS: Final = 2
EXIT_UNEXPECTED: Final = 70


async def test_sales_wait_for_the_first_registry_and_each_later_one_is_used_at_once(kafka: str) -> None:
    await create_topics(kafka)
    with WorkerProcess(kafka) as worker:
        await send(kafka, many_sales(20))
        await until(lambda: says(worker, "no registry yet"), what="readiness says why")
        assert (await asyncio.to_thread(worker.get, "/healthz/live"))[0] == 200
        first = await apply_registry(kafka)
        await worker.until_drained()
        assert {version_of(record) for record in await read(kafka, ENTITLEMENTS)} == {first}
        assert await read(kafka, SALES_DEAD) == []

        second = await apply_registry(kafka, with_another_rate(), programme.snapshot())
        await until(lambda: has_switched(worker), what="the worker has the second registry")
        await send(kafka, many_sales(20, first=1_000))
        await until(lambda: all_answered(kafka), what="every sale is answered", also=worker.log)
        entitlements = await read(kafka, ENTITLEMENTS)
        assert {version_of(record) for record in entitlements if b"LOT-001" in record.key} == {second}
        assert {json.loads(record.value)["premiums"][0]["rate"]["amount"] for record in entitlements} == {"0.70", "0.80"}
        assert await asyncio.to_thread(worker.terminate) < STOP_S_MAX
    with WorkerProcess(kafka) as worker:
        await worker.until_ready()
        await send(kafka, many_sales(1, first=2_000))
        await until(lambda: all_answered(kafka), what="every sale is answered", also=worker.log)
    assert len(await read(kafka, ENTITLEMENTS)) == len(await read(kafka, SALES)), "a graceful stop repeats nothing"


def with_another_rate() -> RegistrySnapshot:
    base = programme.snapshot()
    scheme = programme.scheme(rate={"kind": "per_mass", "amount": "0.80", "unit": "GRM"})
    return registry_snapshot(None, base.organizations, {**base.schemes, scheme.record_id: scheme})


def version_of(entitlement: Record) -> Any:
    return json.loads(entitlement.value)["registry_version"]


async def says(worker: WorkerProcess, words: str) -> bool:
    return words in (await asyncio.to_thread(worker.get, "/healthz/ready"))[1]


async def has_switched(worker: WorkerProcess) -> bool:
    return await asyncio.to_thread(worker.metric, "premia_calculator_registry_switches_total") == 2


async def all_answered(brokers: str) -> bool:
    return not await unanswered(brokers)


async def test_a_sale_of_an_aborted_transaction_was_never_sent_and_leaves_no_lag(kafka: str) -> None:
    await create_topics(kafka)
    await apply_registry(kafka)
    with WorkerProcess(kafka) as worker:
        await worker.until_ready()
        producer = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id="erp")
        await producer.start()
        try:
            kept, given_up = sale_message(lot_id="KEPT"), sale_message(lot_id="GIVEN-UP")
            async with producer.transaction():
                await producer.send_and_wait(SALES, kept.value, key=kept.key, headers=list(kept.headers))
            await producer.begin_transaction()
            await producer.send_and_wait(SALES, given_up.value, key=given_up.key, headers=list(given_up.headers))
            await producer.abort_transaction()
        finally:
            await producer.stop()
        # What ends a transaction takes an offset too, and is the last that the partition has.
        await worker.until_drained()
        await until(lambda: has_no_lag(worker), what="nothing is left to be answered")
    (entitlement,) = await read(kafka, ENTITLEMENTS)
    assert entitlement.key == b"REF/KEPT"
    assert await read(kafka, SALES_DEAD) == []


async def has_no_lag(worker: WorkerProcess) -> bool:
    return await asyncio.to_thread(worker.metric, "premia_calculator_lag_records") == 0


async def test_a_worker_stops_in_time_while_its_broker_is_halted(servers: LocalStack, kafka: str) -> None:
    if "kafka" not in servers.process_ids():
        pytest.skip("this broker is not ours to halt")
    await create_topics(kafka)
    await apply_registry(kafka)
    await send(kafka, many_sales(2_000))
    with WorkerProcess(kafka) as worker:
        await worker.until_ready()
        broker = servers.process_ids()["kafka"]
        os.kill(broker, signal.SIGSTOP)
        try:
            assert await asyncio.to_thread(worker.terminate) < STOP_S_MAX
        finally:
            os.kill(broker, signal.SIGCONT)
    with WorkerProcess(kafka) as worker:
        await until(lambda: all_answered(kafka), what="every sale is answered", also=worker.log, poll_s=0.5)


async def test_an_event_of_the_registry_that_cannot_be_read_ends_the_worker(kafka: str) -> None:
    await create_topics(kafka)
    await apply_registry(kafka)
    with WorkerProcess(kafka) as worker:
        await worker.until_ready()
        await send(kafka, [Message(REGISTRY, b"organization/X", b"{}", sale_message().headers)])
        assert await worker.exit_code() == EXIT_UNEXPECTED
        assert "UnreadableRegistryError" in worker.log()


async def test_a_missing_setting_is_one_line_and_exit_2() -> None:
    with WorkerProcess("") as worker:
        assert await worker.exit_code() == EXIT_SETTINGS
        assert worker.log() == "premium_calculator: KAFKA_BOOTSTRAP_SERVERS is not set\n"
