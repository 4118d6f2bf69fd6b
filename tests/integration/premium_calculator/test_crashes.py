"""Killed worker, killed broker, workers that come and go: every sale has its answer, and a repeated answer is the same.

Method: each sale is counted by its origin (topic, partition, offset), against what was really published. The control, which
commits before delivery, must be seen to lose under the same kills.
"""

from __future__ import annotations

import asyncio
import os
import random
from typing import Final

import pytest

from premia.local.stack import LocalStack
from schemas.topics import ENTITLEMENTS, SALES
from tests.integration.premium_calculator.programme import (
    apply_registry,
    assert_revisions_in_order,
    assert_same_again,
    count,
    create_topics,
    many_sales,
    read,
    send,
    unanswered,
)
from tests.integration.premium_calculator.worker_process import CALCULATOR, CONTROL, WorkerProcess, until

SOAK: Final = bool(os.environ.get("PREMIA_SOAK"))
KILLS: Final = 20 if SOAK else 3
LOTS: Final = 3_000 if SOAK else 700  # of each round, with three revisions each
CONTROL_KILLS: Final = 2
SHARE_MAX: Final = 0.7  # of a round's sales that may be answered when the kill comes: there is work left
DELAY_S_MAX: Final = 0.1  # more than a batch: the kill hits fetching, calculating, delivering or committing
JOINED_SALES: Final = 500  # that the second worker shall have answered before it is killed


async def killed_in_the_middle(brokers: str, module: str, kills: int, chance: random.Random) -> None:
    """Publish a round of sales and kill the worker while it answers them, `kills` times."""
    for kill in range(kills):
        await send(brokers, many_sales(LOTS, first=kill * LOTS))
        answered_before = await count(brokers, ENTITLEMENTS)
        wanted = answered_before + int(chance.uniform(0.01, SHARE_MAX) * 3 * LOTS)
        with WorkerProcess(brokers, module=module) as worker:
            await until(lambda wanted=wanted: has(brokers, ENTITLEMENTS, wanted), what="work is under way", also=worker.log)  # type: ignore[misc]
            await asyncio.sleep(chance.uniform(0, DELAY_S_MAX))
            worker.kill()


async def has(brokers: str, topic: str, records: int) -> bool:
    return await count(brokers, topic) >= records


async def test_sigkill_of_the_worker_at_random_moments_loses_no_sale(kafka: str) -> None:
    await create_topics(kafka)
    await apply_registry(kafka)
    await killed_in_the_middle(kafka, CALCULATOR, KILLS, random.Random(20251123))
    assert await unanswered(kafka), "the last kill was to come in the middle of work"
    with WorkerProcess(kafka) as worker:
        await worker.until_drained()
    assert await unanswered(kafka) == set()
    entitlements = await read(kafka, ENTITLEMENTS)
    assert len(entitlements) > await count(kafka, SALES), "kills in the middle of work repeat something"
    assert_same_again(entitlements)
    assert_revisions_in_order(entitlements)


async def test_a_worker_that_commits_before_delivery_is_seen_to_lose(kafka: str) -> None:
    await create_topics(kafka)
    await apply_registry(kafka)
    await killed_in_the_middle(kafka, CONTROL, CONTROL_KILLS, random.Random(20251124))
    with WorkerProcess(kafka) as worker:
        await worker.until_drained()
    assert await unanswered(kafka)


async def test_a_broker_that_is_killed_and_comes_back_costs_no_sale(servers: LocalStack, kafka: str) -> None:
    if "kafka" not in servers.process_ids():
        pytest.skip("this broker is not ours to kill")
    await create_topics(kafka)
    await apply_registry(kafka)
    await send(kafka, many_sales(2 * LOTS))
    with WorkerProcess(kafka) as worker:
        await until(lambda: has(kafka, ENTITLEMENTS, 1), what="work is under way", also=worker.log)
        servers.kill_service("kafka")
        await asyncio.to_thread(servers.wait_ready, ["kafka"])
        assert await unanswered(kafka), "the kill was to come in the middle of work"
        await worker.until_drained()
        assert worker.running, "a broker's restart is no reason to end"
    assert await unanswered(kafka) == set()
    entitlements = await read(kafka, ENTITLEMENTS)
    assert_same_again(entitlements)
    assert_revisions_in_order(entitlements)


async def test_a_second_worker_that_joins_and_is_killed_costs_no_sale(kafka: str) -> None:
    await create_topics(kafka)
    await apply_registry(kafka)
    joined = asyncio.Event()
    publishing = asyncio.create_task(publish_until(kafka, joined))
    with WorkerProcess(kafka) as first:
        await until(lambda: answered(first, 1), what="the first worker is at work", also=first.log)
        with WorkerProcess(kafka, instance="1") as second:
            await until(lambda: answered(second, JOINED_SALES), what="the second worker is at work", also=second.log)
            second.kill()
        joined.set()
        await publishing
        sales = await count(kafka, SALES)  # cheap to wait for; who answered what is then looked at
        await until(lambda: has(kafka, ENTITLEMENTS, sales), what="as many answers as sales", also=first.log)
        await until(lambda: all_answered(kafka), what="every sale is answered", also=first.log, poll_s=1.0)
        assert first.running
    entitlements = await read(kafka, ENTITLEMENTS)
    assert_same_again(entitlements)
    assert_revisions_in_order(entitlements)


async def publish_until(brokers: str, stop: asyncio.Event) -> None:
    """A few hundred sales every half second."""
    turn = 0
    while not stop.is_set():
        await send(brokers, many_sales(200, first=turn * 200))
        turn += 1
        try:
            async with asyncio.timeout(0.5):
                await stop.wait()
        except TimeoutError:
            continue


async def answered(worker: WorkerProcess, sales: int) -> bool:
    return await asyncio.to_thread(worker.metric, "premia_calculator_sales_total") >= sales


async def all_answered(brokers: str) -> bool:
    return not await unanswered(brokers)
