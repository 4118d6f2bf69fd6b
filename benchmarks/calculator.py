"""What the benchmarks of the calculator share: a Kafka with the sample's registry, its sales, and calculators as processes.

Method: the worker as it runs in production (`WORKER`), and beside it the bare loop of `benchmarks.worker` (`BARE`), which does
the same calculation without Faust; each is a process of its own against the same broker.
"""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
from aiokafka import AIOKafkaConsumer
from click.testing import CliRunner

import schemes
from premia.__main__ import main as premia
from premia.local.stack import LocalStack
from samples.reader import PROGRAMME_FILE, read_sales
from schemas.topics import ENTITLEMENTS, SALES_DEAD
from services.runtime.kafka import bootstrap_servers, publish, start_producer

BARE: Final = ("benchmarks.worker", "bare")
WORKER: Final = ("services.premium_calculator",)
POLL_S: Final = 0.02
DEADLINE_S: Final = 180.0


@contextmanager
def kafka_with_registry() -> Iterator[None]:
    """A Kafka with topics and the sample's registry: the one of KAFKA_BOOTSTRAP_SERVERS, or one that ends with this."""
    folder = Path(tempfile.mkdtemp(prefix="premia-bench-"))
    folder.chmod(0o711)  # as root, other servers run as another account that has to pass through
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
        yield
    finally:
        if stack.exists():
            stack.remove()
        shutil.rmtree(folder)


async def publish_sample(copies: int) -> int:
    """Publish the sample's sales so many times: the calculator takes the same sale as often as it comes. Their number."""
    sales = [sale.message for sale in read_sales()] * copies
    producer = await start_producer()
    await publish(producer, sales)
    await producer.stop()
    return len(sales)


# --- calculators --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Calculator:
    """One process, and where its metrics are."""

    process: subprocess.Popen[bytes]
    port: int

    def processor_s(self) -> float:
        """Processor time that it has used."""
        used = psutil.Process(self.process.pid).cpu_times()
        return used.user + used.system

    def metric(self, name: str) -> float:
        """Sum of a metric over its labels; not a number while it does not listen yet, or does not know."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=DEADLINE_S) as response:
                lines = response.read().decode().splitlines()
        except OSError:
            return math.nan
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name)


@contextmanager
def calculator(module: Sequence[str], number: int = 0) -> Iterator[Calculator]:
    """Start one, as the member `number` of its group; asked to stop at the end."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    environment = {
        **os.environ,
        "PREMIA_CALCULATOR_HTTP": f"127.0.0.1:{port}",
        "PREMIA_ACTOR_TOKENS": "nobody-acts.json",
        "PREMIA_INSTANCE": str(number),
    }
    process = subprocess.Popen([sys.executable, "-m", *module], env=environment, stderr=subprocess.DEVNULL)
    try:
        yield Calculator(process, port)
    finally:
        process.terminate()
        process.wait()


# --- answers ------------------------------------------------------------------------------------------------------------


class Answers:
    """Counts answers (entitlements and dead letters) from the ends of their topics."""

    def __init__(self, consumer: AIOKafkaConsumer, before: int) -> None:
        """Count those beyond `before`."""
        self._consumer = consumer
        self._before = before

    async def count(self) -> int:
        """How many there are."""
        return await _ends(self._consumer) - self._before

    async def reach(self, wanted: int) -> tuple[int, float]:
        """Wait until so many are there: their number then, and when."""
        deadline = time.monotonic() + DEADLINE_S
        while (found := await self.count()) < wanted:
            assert time.monotonic() < deadline, f"{found} of {wanted} answers after {DEADLINE_S:.0f} s"
            await asyncio.sleep(POLL_S)
        return found, time.monotonic()


@asynccontextmanager
async def counted_answers() -> AsyncIterator[Answers]:
    """Count all answers from now on."""
    consumer = AIOKafkaConsumer(ENTITLEMENTS, SALES_DEAD, bootstrap_servers=bootstrap_servers(), group_id=None)
    await consumer.start()
    try:
        yield Answers(consumer, await _ends(consumer))
    finally:
        await consumer.stop()


async def _ends(consumer: AIOKafkaConsumer) -> int:
    return sum((await consumer.end_offsets(consumer.assignment())).values())
