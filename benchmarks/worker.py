"""Sales a second through Faust, beside a bare aiokafka loop over the same messages: `python -m benchmarks.worker`.

Goal: what Faust costs (target: 0.8 of the bare loop or more), and how long a sale takes to become an entitlement.
Method: the sample's sales, published anew for each round; first the bare loop (getmany, the same validation and
calculation, batches, commit), then the worker as it runs in production, each as a process of its own against the same
broker. The rate is taken from the output topics, between the first tenth and the last record; the ratio is the median of
the rounds' own, so that a load that comes and goes counts little. Processor time is the process's own. Latency is from
handing a sale to the producer until the entitlement is in a reader's hands, at a steady rate of sales.
"""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import orjson
import psutil
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import CommitFailedError
from click.testing import CliRunner

import schemes
from premia.__main__ import main as premia
from premia.local.stack import LocalStack
from samples.reader import PROGRAMME_FILE, read_sales
from schemas.cloudevents import CloudEventAttributes
from schemas.gold_sale import SALE_TYPE
from schemas.message import Message
from schemas.topics import ENTITLEMENTS, SALES, SALES_DEAD
from services.premium_calculator.adapters.sale_answer import answer
from services.premium_calculator.limits import BATCH_RECORDS_MAX, COMMIT_INTERVAL_S
from services.premium_calculator.registry_feed import RegistryFeed
from services.runtime.kafka import bootstrap_servers, publish, start_producer
from services.runtime.process import tune_garbage_collection

RATIO_MIN: Final = 0.8
ROUNDS: Final = 5
COPIES: Final = 1  # of the sample in each round: 17,000 sales
WARM_SHARE: Final = 0.1
POLL_S: Final = 0.02
DEADLINE_S: Final = 180.0
LATENCY_RATES: Final = (100, 1_000)
LATENCY_S: Final = 8.0
SETTLE_S: Final = 2.0  # of each latency run that does not count
BARE: Final = ("benchmarks.worker", "bare")
WORKER: Final = ("services.premium_calculator",)


def main() -> None:
    """Print the table; exit code 1 if the worker is below the target."""
    folder = Path(tempfile.mkdtemp(prefix="premia-bench-"))
    folder.chmod(0o711)
    stack = LocalStack(folder / "stack", ends_with_caller=True)
    try:
        if not os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
            stack.start_infrastructure(("kafka",))
            os.environ["KAFKA_BOOTSTRAP_SERVERS"] = stack.environment()["KAFKA_BOOTSTRAP_SERVERS"]
        for arguments in (
            ["topics", "apply"],
            ["registry", "apply", str(PROGRAMME_FILE), "--schemes", str(Path(schemes.__path__[0]))],
        ):
            result = CliRunner().invoke(premia, arguments)
            assert result.exit_code == 0, result.output
        ratio = asyncio.run(_measure())
    finally:
        if stack.exists():
            stack.remove()
        shutil.rmtree(folder)
    if ratio < RATIO_MIN:
        sys.exit(1)


async def _measure() -> float:
    sales = _sales()
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, {len(sales):,} sales a round")
    runs: dict[str, list[_Run]] = {"bare loop": [], "worker": [], "two workers": []}
    for _ in range(ROUNDS):
        await _publish(sales)
        runs["bare loop"].append(await _rate([BARE], len(sales)))
        runs["worker"].append(await _rate([WORKER], len(sales)))
    await _publish(sales)
    runs["two workers"].append(await _rate([WORKER, WORKER], len(sales)))
    await _rate([BARE], len(sales))  # which leaves nothing to the latency runs
    bare = _median(runs["bare loop"])
    pairs = zip(runs["worker"], runs["bare loop"], strict=True)
    ratio = statistics.median(worker.sales_a_second / loop.sales_a_second for worker, loop in pairs)
    for name, found in runs.items():
        middle = _median(found)
        print(
            f"{name:12} {middle.sales_a_second:8,.0f} sales/s"
            f" ({min(found).sales_a_second:,.0f}..{max(found).sales_a_second:,.0f}),"
            f" {middle.cpu_us:6.1f} µs of processor a sale"
        )
    print(f"worker / bare loop: {ratio:.2f} by rate, {bare.cpu_us / _median(runs['worker']).cpu_us:.2f} by processor time")
    for module, name in ((BARE, "bare loop"), (WORKER, "worker")):
        for rate in LATENCY_RATES:
            p50_ms, p99_ms = await _latency_ms(module, rate)
            print(f"{name:12} {rate:8,} sales/s published: p50 {p50_ms:6.1f} ms, p99 {p99_ms:6.1f} ms")
    return ratio


def _sales() -> list[Message]:
    return [sale.message for sale in read_sales()] * COPIES  # the calculator takes the same sale as often as it comes


async def _publish(messages: Sequence[Message]) -> None:
    producer = await start_producer()
    await publish(producer, messages)
    await producer.stop()


# --- rate ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, order=True, slots=True)
class _Run:
    sales_a_second: float
    cpu_us: float


def _median(runs: Sequence[_Run]) -> _Run:
    return _Run(
        statistics.median(run.sales_a_second for run in runs),
        statistics.median(run.cpu_us for run in runs),
    )


async def _rate(modules: Sequence[tuple[str, ...]], sales: int) -> _Run:
    """Answers a second, from when a tenth is answered until all are, and what one costs."""
    consumer = AIOKafkaConsumer(ENTITLEMENTS, SALES_DEAD, bootstrap_servers=bootstrap_servers(), group_id=None)
    await consumer.start()
    try:
        before = await _ends(consumer)
        with _processes(modules) as pids:
            first, first_at = await _reach(consumer, before, int(sales * WARM_SHARE))
            first_cpu_s = _cpu_s(pids)
            last, last_at = await _reach(consumer, before, sales)
            cpu_s = _cpu_s(pids) - first_cpu_s
        return _Run((last - first) / (last_at - first_at), cpu_s / (last - first) * 1e6)
    finally:
        await consumer.stop()


def _cpu_s(pids: Sequence[int]) -> float:
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return sum(found.user + found.system for found in times)


async def _reach(consumer: AIOKafkaConsumer, before: int, wanted: int) -> tuple[int, float]:
    deadline = time.monotonic() + DEADLINE_S
    while (found := await _ends(consumer) - before) < wanted:
        assert time.monotonic() < deadline, f"{found} of {wanted} answers after {DEADLINE_S:.0f} s"
        await asyncio.sleep(POLL_S)
    return found, time.monotonic()


async def _ends(consumer: AIOKafkaConsumer) -> int:
    return sum((await consumer.end_offsets(consumer.assignment())).values())


@contextmanager
def _processes(modules: Sequence[tuple[str, ...]]) -> Iterator[list[int]]:
    processes = []
    for number, module in enumerate(modules):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        environment = {
            **os.environ,
            "PREMIA_CALCULATOR_HTTP": f"127.0.0.1:{port}",
            "PREMIA_INSTANCE": str(number),
        }
        processes.append(subprocess.Popen([sys.executable, "-m", *module], env=environment, stderr=subprocess.DEVNULL))
    try:
        yield [process.pid for process in processes]
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


# --- latency ------------------------------------------------------------------------------------------------------------


async def _latency_ms(module: tuple[str, ...], rate: int) -> tuple[float, float]:
    """Median and 99th percentile, in milliseconds."""
    value = orjson.loads(next(sale.message.value for sale in read_sales() if b'"final"' in sale.message.value))
    run = uuid4().hex  # what earlier runs published has other ids
    waiting: dict[str, float] = {}
    took_ms: list[float] = []
    answered = asyncio.Event()
    with _processes([module]):
        async with _reader() as reader, _sender() as sender:
            await _until_answering(reader, sender, _numbered(value, f"{run}-first", 0))
            reading = asyncio.create_task(_note_answers(reader, waiting, took_ms, answered))
            starts = time.monotonic()
            for number in range(int(rate * (SETTLE_S + LATENCY_S))):
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
    lot_id = f"LATENCY-{number % 1_000}"
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


# --- the bare loop ------------------------------------------------------------------------------------------------------


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
