"""From a published sale to its published entitlement, beside a bare aiokafka loop: `python -m benchmarks.latency`.

Goal: p50 and p99 at 100 and at 1,000 sales a second.
Method: from handing a sale to the producer until its entitlement is in a reader's hands, at a steady rate; bare loop and worker
take turns, and each figure is the median of the rounds' own, so that a load that comes and goes counts little.
"""

from __future__ import annotations

import asyncio
import os
import platform
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from benchmarks.calculator import BARE, WORKER, calculator, kafka_with_registry
from samples.reader import read_sales
from schemas.cloudevents import CloudEventAttributes
from schemas.gold_sale import SALE_TYPE
from schemas.message import Message
from schemas.topics import ENTITLEMENTS, SALES
from services.runtime.kafka import bootstrap_servers

RATES: Final = (100, 1_000)
ROUNDS: Final = 3
MEASURED_S: Final = 6.0
SETTLE_S: Final = 2.0  # of each run, that does not count
LOTS: Final = 1_000


def main() -> None:
    """Print the table. There is no target but the bare loop's figures beside it."""
    with kafka_with_registry():
        asyncio.run(_measure())


async def _measure() -> None:
    print(
        f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, {ROUNDS} rounds of {MEASURED_S:g} s"
    )
    for rate in RATES:
        found: dict[str, list[tuple[float, float]]] = {"bare loop": [], "worker": []}
        for _ in range(ROUNDS):
            found["bare loop"].append(await _latency_ms(BARE, rate))
            found["worker"].append(await _latency_ms(WORKER, rate))
        for name, rounds in found.items():
            p50_ms, p99_ms = (statistics.median(column) for column in zip(*rounds, strict=True))
            worst_ms = max(p99 for _, p99 in rounds)
            print(f"{name:12} {rate:6,} sales/s: p50 {p50_ms:6.1f} ms, p99 {p99_ms:6.1f} ms (worst round {worst_ms:.1f})")


async def _latency_ms(module: Sequence[str], rate: int) -> tuple[float, float]:
    """Median and 99th percentile, in milliseconds."""
    value = orjson.loads(next(sale.message.value for sale in read_sales() if b'"final"' in sale.message.value))
    run = uuid4().hex  # what earlier runs published has other ids
    waiting: dict[str, float] = {}
    took_ms: list[float] = []
    answered = asyncio.Event()
    with calculator(module):
        async with _reader() as reader, _sender() as sender:
            await _until_answering(reader, sender, _numbered(value, f"{run}-first", 0))
            reading = asyncio.create_task(_note_answers(reader, waiting, took_ms, answered))
            starts = time.monotonic()
            for number in range(int(rate * (SETTLE_S + MEASURED_S))):
                due = starts + number / rate
                if (wait := due - time.monotonic()) > 0:
                    await asyncio.sleep(wait)
                id_ = f"{run}-{number}"
                message = _numbered(value, id_, number)
                waiting[id_] = time.monotonic() if number >= rate * SETTLE_S else 0.0
                await sender.send(SALES, value=message.value, key=message.key, headers=list(message.headers))
            answered.clear()
            while waiting:
                await answered.wait()
                answered.clear()
            reading.cancel()
    took_ms.sort()
    return took_ms[len(took_ms) // 2], took_ms[int(len(took_ms) * 0.99)]


async def _until_answering(reader: AIOKafkaConsumer, sender: AIOKafkaProducer, message: Message) -> None:
    await sender.send_and_wait(SALES, value=message.value, key=message.key, headers=list(message.headers))
    async for record in reader:
        if orjson.loads(record.value)["sale"]["id"].encode() == dict(message.headers)["ce_id"]:
            return


async def _note_answers(
    reader: AIOKafkaConsumer, waiting: dict[str, float], took_ms: list[float], answered: asyncio.Event
) -> None:
    while True:
        polled = await reader.getmany(timeout_ms=1_000)
        arrived = time.monotonic()
        for records in polled.values():
            for record in records:
                sent = waiting.pop(orjson.loads(record.value)["sale"]["id"], 0.0)
                if sent:
                    took_ms.append((arrived - sent) * 1_000)
        answered.set()


def _numbered(value: dict[str, Any], id_: str, number: int) -> Message:
    lot_id = f"LATENCY-{number % LOTS}"
    source = f"/refiners/{value['refiner_id']}"
    headers = CloudEventAttributes(id=id_, source=source, type=SALE_TYPE, time=datetime.now(UTC)).to_headers()
    return Message(SALES, f"{value['refiner_id']}/{lot_id}".encode(), orjson.dumps({**value, "lot_id": lot_id}), headers)


@asynccontextmanager
async def _reader() -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(ENTITLEMENTS, bootstrap_servers=bootstrap_servers(), group_id=None, auto_offset_reset="latest")
    await consumer.start()
    await consumer.seek_to_end()
    try:
        yield consumer
    finally:
        await consumer.stop()


@asynccontextmanager
async def _sender() -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers(), acks="all", linger_ms=0)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


if __name__ == "__main__":
    main()
