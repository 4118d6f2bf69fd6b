"""Killed worker, killed broker, workers that come and go, poison among the sales: every record has its answer, and a repeated
answer is the same.

Method: each record is counted by its origin (topic, partition, offset), against what was really published. The control, which
commits before delivery, must be seen to lose under the same kills.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from typing import Any, Final

import pytest
from aiokafka.consumer import fetcher

from premia.local.stack import LocalStack
from schemas.dead_letter import DeadLetter
from schemas.topics import ENTITLEMENTS, SALES, SALES_DEAD
from services.premium_calculator.header_names import mend_header_names
from tests.integration.premium_calculator.poison import send_between_unreadable_names, with_poison
from tests.integration.premium_calculator.programme import (
    Record,
    apply_registry,
    assert_revisions_in_order,
    assert_same_again,
    count,
    create_topics,
    many_sales,
    origin,
    read,
    sale_message,
    send,
    unanswered,
)
from tests.integration.premium_calculator.worker_process import CALCULATOR, CONTROL, WorkerProcess, until

SOAK: Final = bool(os.environ.get("PREMIA_SOAK"))
KILLS: Final = 20 if SOAK else 3
BROKER_KILLS: Final = 5 if SOAK else 1
COMINGS: Final = 5 if SOAK else 1  # of a second worker, for each way in which it goes
LOTS: Final = 3_000 if SOAK else 700  # of each round, with three revisions each
CONTROL_KILLS: Final = 2
SHARE_MAX: Final = 0.7  # of a round's sales that may be answered when the kill comes: there is work left
DELAY_S_MAX: Final = 0.1  # more than a batch: the kill hits fetching, calculating, delivering or committing
JOINED_SALES: Final = 500  # that the second worker shall have answered before it goes
STOP_S_MAX: Final = 5.0


@pytest.fixture(autouse=True)
def _readable_header_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tests publish, they read again."""
    for name in ("MemoryRecords", "PartitionRecords"):
        monkeypatch.setattr(fetcher, name, getattr(fetcher, name))  # put back at the end
    mend_header_names()


async def prepare(brokers: str) -> None:
    await create_topics(brokers)
    await apply_registry(brokers)


async def send_round(brokers: str, number: int, lots: int = LOTS) -> None:
    """Sales that no other round has, with poison of every kind between them."""
    await send(brokers, with_poison(many_sales(lots, first=number * lots)))
    await send_between_unreadable_names(brokers, sale_message(lot_id=f"NAMED-{number}"))


async def killed_in_the_middle(brokers: str, module: str, kills: int, chance: random.Random) -> None:
    """Publish a round of sales and kill the worker while it answers them, `kills` times."""
    for kill in range(kills):
        await send_round(brokers, kill)
        answered_before = await count(brokers, ENTITLEMENTS)
        wanted = answered_before + int(chance.uniform(0.01, SHARE_MAX) * 3 * LOTS)
        with WorkerProcess(brokers, module=module) as worker:
            await until(lambda wanted=wanted: has(brokers, ENTITLEMENTS, wanted), what="work is under way", also=worker.log)  # type: ignore[misc]
            await asyncio.sleep(chance.uniform(0, DELAY_S_MAX))
            worker.kill()


async def has(brokers: str, topic: str, records: int) -> bool:
    return await count(brokers, topic) >= records


async def assert_all_kept(brokers: str) -> list[Record]:
    """Every record has its answer, repeated answers are the same, revisions keep their order. The entitlements."""
    assert await unanswered(brokers) == set()
    entitlements = await read(brokers, ENTITLEMENTS)
    assert_same_again(entitlements)
    assert_revisions_in_order(entitlements)
    reasons: dict[str, Any] = {}
    for dead in await read(brokers, SALES_DEAD):
        letter = DeadLetter.from_headers(dead.headers)
        content = (dead.key, dead.value, letter.code, letter.field)
        assert reasons.setdefault(origin(dead), content) == content
    assert reasons, "poison was among the sales"
    return entitlements


async def test_sigkill_of_the_worker_at_random_moments_loses_no_sale(kafka: str) -> None:
    await prepare(kafka)
    await killed_in_the_middle(kafka, CALCULATOR, KILLS, random.Random(20251123))
    assert await unanswered(kafka), "the last kill was to come in the middle of work"
    with WorkerProcess(kafka) as worker:
        await worker.until_drained()
    await assert_all_kept(kafka)
    answers = await count(kafka, ENTITLEMENTS, SALES_DEAD)
    assert answers > await count(kafka, SALES), "kills in the middle of work repeat something"


async def test_a_worker_that_commits_before_delivery_is_seen_to_lose(kafka: str) -> None:
    await prepare(kafka)
    await killed_in_the_middle(kafka, CONTROL, CONTROL_KILLS, random.Random(20251124))
    with WorkerProcess(kafka) as worker:
        await worker.until_drained()
    assert await unanswered(kafka)


async def test_a_broker_that_is_killed_and_comes_back_costs_no_sale(servers: LocalStack, kafka: str) -> None:
    if "kafka" not in servers.process_ids():
        pytest.skip("this broker is not ours to kill")
    await prepare(kafka)
    with WorkerProcess(kafka) as worker:
        for kill in range(BROKER_KILLS):
            answered_before = await count(kafka, ENTITLEMENTS)
            await send_round(kafka, kill, 2 * LOTS)
            await until(
                lambda wanted=answered_before + 1: has(kafka, ENTITLEMENTS, wanted),  # type: ignore[misc]
                what="work is under way",
                also=worker.log,
            )
            servers.kill_service("kafka")
            await asyncio.to_thread(servers.wait_ready, ["kafka"])
            assert await unanswered(kafka), "the kill was to come in the middle of work"
        await worker.until_drained()
        assert worker.running, "a broker's restart is no reason to end"
    await assert_all_kept(kafka)


def killed(worker: WorkerProcess) -> None:
    worker.kill()


def stopped(worker: WorkerProcess) -> None:
    assert worker.terminate() < STOP_S_MAX


@pytest.mark.parametrize("goes", [killed, stopped])
async def test_a_second_worker_that_joins_and_goes_costs_no_sale(kafka: str, goes: Callable[[WorkerProcess], None]) -> None:
    await prepare(kafka)
    enough = asyncio.Event()
    publishing = asyncio.create_task(publish_until(kafka, enough))
    with WorkerProcess(kafka) as first:
        await until(lambda: answered(first, 1), what="the first worker is at work", also=first.log)
        for _ in range(COMINGS):
            with WorkerProcess(kafka, instance="1") as second:
                await until(
                    lambda second=second: answered(second, JOINED_SALES),  # type: ignore[misc]
                    what="the second worker is at work",
                    also=second.log,
                )
                await asyncio.to_thread(goes, second)
        enough.set()
        await publishing
        sales = await count(kafka, SALES)  # cheap to wait for; who answered what is then looked at
        await until(lambda: has_answers(kafka, sales), what="as many answers as sales", also=first.log)
        await until(lambda: all_answered(kafka), what="every sale is answered", also=first.log, poll_s=1.0)
        assert first.running
    await assert_all_kept(kafka)


async def has_answers(brokers: str, sales: int) -> bool:
    return await count(brokers, ENTITLEMENTS, SALES_DEAD) >= sales


async def publish_until(brokers: str, stop: asyncio.Event) -> None:
    """A few hundred sales every half second."""
    turn = 0
    while not stop.is_set():
        await send_round(brokers, turn, 200)
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
