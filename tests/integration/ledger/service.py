"""The ledger's process, with a Kafka and a database of its own, and what tests do to it from outside."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import ConsumerRecord

from schemas.message import Message
from services.runtime.kafka import publish, start_producer
from tests.integration.ledger.conftest import Ledger
from tests.integration.premium_calculator.programme import read

DEADLINE_S: Final = 60.0
EXIT_UNEXPECTED: Final = 70


@asynccontextmanager
async def running(ledger: Ledger) -> AsyncIterator[asyncio.subprocess.Process]:
    """The service as a process; killed at the end of the block if it is still there."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.ledger",
        env={**os.environ, **ledger.environment},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def send(ledger: Ledger, records: Iterable[ConsumerRecord[Any, Any]]) -> None:
    """Publish records where they would be read."""
    producer = await start_producer(ledger.environment["KAFKA_BOOTSTRAP_SERVERS"])
    try:
        await publish(producer, [Message(made.topic, made.key, made.value, made.headers) for made in records])
    finally:
        await producer.stop()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a condition, with a deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while not await condition():
            await asyncio.sleep(0.05)


async def posted(ledger: Ledger) -> int:
    """Leaves of the log."""
    size: int = await ledger.conn.fetchval("SELECT tree_size FROM ledger.log_head")
    return size


async def told(ledger: Ledger, *topics: str) -> list[ConsumerRecord[Any, Any]]:
    """All that was published to some topics."""
    return await read(ledger.environment["KAFKA_BOOTSTRAP_SERVERS"], *topics)
