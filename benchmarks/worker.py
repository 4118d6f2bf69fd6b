"""Sales a second through Faust, beside a bare aiokafka loop over the same messages: `python -m benchmarks.worker`.

Goal: what Faust costs. Target: 0.8 of the bare loop or more.
Method: the sample's sales, published anew for each round; first the bare loop (getmany, the same validation and
calculation, batches, commit), then the worker. The rate is taken from the output topics, between the first tenth and the last
record; the ratio is the median of the rounds' own, so that a load that comes and goes counts little. Processor time is the
process's own.
"""

from __future__ import annotations

import asyncio
import os
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import uvloop
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import CommitFailedError

from benchmarks.calculator import BARE, WORKER, Calculator, calculator, counted_answers, kafka_with_registry, publish_sample
from schemas.message import Message
from schemas.topics import SALES
from services.premium_calculator.adapters.sale_answer import answer
from services.premium_calculator.limits import BATCH_RECORDS_MAX, COMMIT_INTERVAL_S
from services.premium_calculator.registry_feed import RegistryFeed
from services.runtime.kafka import FETCH_WAIT_MS, bootstrap_servers, publish, start_producer
from services.runtime.process import tune_garbage_collection

RATIO_MIN: Final = 0.8
ROUNDS: Final = 5
COPIES: Final = 2  # of the sample in each round: 34,000 sales, four seconds
WARM_SHARE: Final = 0.1


def main() -> None:
    """Print the table; exit code 1 if the worker is below the target."""
    with kafka_with_registry():
        ratio = asyncio.run(_measure())
    if ratio < RATIO_MIN:
        sys.exit(1)


async def _measure() -> float:
    runs: dict[str, list[_Run]] = {"bare loop": [], "worker": []}
    for _ in range(ROUNDS):
        sales = await publish_sample(COPIES)
        runs["bare loop"].append(await _rate(BARE, sales))
        runs["worker"].append(await _rate(WORKER, sales))
    print(
        f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, {ROUNDS} rounds of {sales:,} sales"
    )
    for name, found in runs.items():
        middle = _median(found)
        print(
            f"{name:12} {middle.sales_a_second:8,.0f} sales/s"
            f" ({min(found).sales_a_second:,.0f}..{max(found).sales_a_second:,.0f}),"
            f" {middle.cpu_us:6.1f} µs of processor a sale"
        )
    pairs = zip(runs["worker"], runs["bare loop"], strict=True)
    ratio = statistics.median(worker.sales_a_second / loop.sales_a_second for worker, loop in pairs)
    by_processor = _median(runs["bare loop"]).cpu_us / _median(runs["worker"]).cpu_us
    print(
        f"of the worker's time {_median(runs['worker']).in_batches:.0%} is spent in batches, the rest waiting for the next one"
    )
    print(f"worker / bare loop: {ratio:.2f} by rate, {by_processor:.2f} by processor time; target {RATIO_MIN}")
    return ratio


@dataclass(frozen=True, order=True, slots=True)
class _Run:
    """`in_batches`: share of the time between taking a batch and the broker having its outputs; the worker alone tells it."""

    sales_a_second: float
    cpu_us: float
    in_batches: float


def _median(runs: Sequence[_Run]) -> _Run:
    return _Run(
        statistics.median(run.sales_a_second for run in runs),
        statistics.median(run.cpu_us for run in runs),
        statistics.median(run.in_batches for run in runs),
    )


async def _rate(module: Sequence[str], sales: int) -> _Run:
    """Answers a second, from when a tenth is answered until all are, and what one costs."""
    async with counted_answers() as answers:
        with calculator(module) as process:
            first, first_at = await answers.reach(int(sales * WARM_SHARE))
            first_processor_s, first_in_batches_s = process.processor_s(), await _in_batches_s(process)
            last, last_at = await answers.reach(sales)
            processor_s = process.processor_s() - first_processor_s
            in_batches_s = await _in_batches_s(process) - first_in_batches_s
    elapsed_s = last_at - first_at
    return _Run((last - first) / elapsed_s, processor_s / (last - first) * 1e6, in_batches_s / elapsed_s)


async def _in_batches_s(process: Calculator) -> float:
    return await asyncio.to_thread(process.metric, "premia_calculator_batch_seconds_sum")


async def bare() -> None:
    """What one would write without Faust: getmany, answer, deliver, commit. Nothing for rebalances but to go on."""
    tune_garbage_collection()
    feed = RegistryFeed()
    following = asyncio.create_task(feed.follow())
    await feed.loaded.wait()
    producer = await start_producer()
    consumer = AIOKafkaConsumer(
        SALES,
        bootstrap_servers=bootstrap_servers(),
        group_id="bare",
        group_instance_id="bare-0",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=FETCH_WAIT_MS,
    )
    await consumer.start()
    committed_at = time.monotonic()
    while not following.done():
        polled = await consumer.getmany(timeout_ms=1_000, max_records=BATCH_RECORDS_MAX)
        now = datetime.now(UTC)
        messages: list[Message] = []
        for records in polled.values():
            for record in records:
                messages += answer(record, feed.registry, now)
        await publish(producer, messages)
        if time.monotonic() - committed_at > COMMIT_INTERVAL_S:
            committed_at = time.monotonic()
            try:
                await consumer.commit({partition: records[-1].offset + 1 for partition, records in polled.items() if records})
            except CommitFailedError:
                continue


if __name__ == "__main__":
    if sys.argv[1:] == ["bare"]:
        uvloop.run(bare())
    else:
        main()
