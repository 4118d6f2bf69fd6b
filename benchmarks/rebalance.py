"""A second worker joins in the middle of work: `python -m benchmarks.rebalance`.

Goal: two workers on four partitions beside one, the pause that the rebalance costs, and nothing lost.
Method: the sample's sales several times over; one worker begins, a second joins when a part is answered, and both go on to the
end. The rates are taken from the output topics: of one worker before the second is started, of two from when the second
answers. Broker, benchmark and workers share the machine. At the end every sale is looked for by its origin among the answers
(exit code 1 if one is not there); what a rebalance repeats is told, and is a duplicate to everybody who reads.
"""

from __future__ import annotations

import asyncio
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Final

from benchmarks.calculator import (
    DEADLINE_S,
    POLL_S,
    WORKER,
    Answers,
    Calculator,
    calculator,
    counted_answers,
    kafka_with_registry,
    publish_sample,
)
from schemas.dead_letter import ORIGIN
from schemas.topics import ENTITLEMENTS, SALES, SALES_DEAD
from services.runtime.topic_log import open_log

COPIES: Final = 8  # of the sample: 136,000 sales, a quarter of a minute for one worker
WARM_SHARE: Final = 0.05
JOIN_SHARE: Final = 0.3
LATE_SHARE: Final = 0.95  # the last ones are not counted: partitions do not end together
JOINED_SALES: Final = 1_000  # that the second worker has answered before the two are measured


def main() -> None:
    """Print the table; exit code 1 if a sale has no answer."""
    with kafka_with_registry():
        missing = asyncio.run(_measure())
    if missing:
        sys.exit(1)


async def _measure() -> int:
    before = await _published()
    sales = await publish_sample(COPIES)
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, {sales:,} sales")
    async with counted_answers() as answers:
        with calculator(WORKER) as first:
            warm, warm_at = await answers.reach(int(sales * WARM_SHARE))
            half, half_at = await answers.reach(int(sales * JOIN_SHARE))
            with calculator(WORKER, number=1) as second:
                pause_s = await _joined(answers, second)
                both, both_at = await answers.count(), time.monotonic()
                late, late_at = await answers.reach(int(sales * LATE_SHARE))
                await answers.reach(sales)
                await _until_drained((first, second))
    one, two = (half - warm) / (half_at - warm_at), (late - both) / (late_at - both_at)
    print(f"one worker   {one:8,.0f} sales/s")
    print(f"two workers  {two:8,.0f} sales/s: {two / one:.2f} of one; longest pause while the second joined {pause_s:.1f} s")
    answered = await _answers()
    published = await _published() - before
    missing = sum(origin not in answered for origin in published)
    repeated = sum(answered[origin] for origin in published) - (len(published) - missing)
    print(f"without an answer: {missing} of {sales:,}; answered again after the rebalance: {repeated:,}")
    return missing


async def _joined(answers: Answers, second: Calculator) -> float:
    """Wait until the second worker is at work; the longest time without any answer until then."""
    deadline = time.monotonic() + DEADLINE_S
    found, found_at, pause_s = await answers.count(), time.monotonic(), 0.0
    while not await asyncio.to_thread(second.metric, "premia_calculator_sales_total") >= JOINED_SALES:
        assert time.monotonic() < deadline, "the second worker got no work"
        now_found, now = await answers.count(), time.monotonic()
        if now_found > found:
            pause_s = max(pause_s, now - found_at)
            found, found_at = now_found, now
        await asyncio.sleep(POLL_S)
    return pause_s


async def _until_drained(workers: Sequence[Calculator]) -> None:
    """As many answers as sales may hold repeats: wait until no worker has anything left."""
    deadline = time.monotonic() + DEADLINE_S
    while any([await asyncio.to_thread(worker.metric, "premia_calculator_lag_records") != 0 for worker in workers]):
        assert time.monotonic() < deadline, "the workers do not come to an end"
        await asyncio.sleep(POLL_S)


async def _published() -> set[str]:
    """The origins of all sales."""
    found: set[str] = set()
    async with open_log(SALES) as log:
        async for records in log.to_end():
            found.update(f"{record.topic}/{record.partition}/{record.offset}" for record in records)
    return found


async def _answers() -> Counter[str]:
    """How often each sale was answered, by origin."""
    found: Counter[str] = Counter()
    async with open_log(ENTITLEMENTS, SALES_DEAD) as log:
        async for records in log.to_end():
            for record in records:
                name = "ce_origin" if record.topic == ENTITLEMENTS else ORIGIN
                found.update(content.decode() for header, content in record.headers if header == name)
    return found


if __name__ == "__main__":
    main()
