"""Relay: follows what a service committed, and publishes it in commit order.

Goal: at least once, in order, by one process at a time.
Method: a relay holds an advisory lock for its source while it runs, reads rows after its cursor, publishes them, waits until
the broker has all of them, then moves the cursor. A crash between the last two repeats messages; readers know them by id.
A writer in the same process wakes the relay at once; what others wrote is found by polling.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from services.runtime.database import hold_alone
from services.runtime.kafka import publish
from services.runtime.metrics import RELAY_BEHIND, RELAYED_TOTAL

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

    from schemas.message import Message
    from services.runtime.database import Connection, Pool

MESSAGES_MAX: Final = 3_000  # one posting batch, with a third more leaves than records; at 2 KB a message 6 MB in memory.
POLL_S: Final = 0.25  # how late another process's message may be; our own wake the relay at once.

ReadAfter = Callable[["Connection", int, int], Awaitable["list[tuple[int, Message]]"]]


async def run_relay(
    pool: Pool,
    producer: AIOKafkaProducer,
    *,
    schema: str,
    source: str,
    read_after: ReadAfter,
    wake: asyncio.Event,
) -> None:
    """Relay the rows that `read_after(conn, position, limit)` gives, until cancelled.

    The cursor is a row of `{schema}.relay_cursor (source, position)`; a row that is missing starts before the first message.
    """
    async with pool.acquire() as conn:
        await hold_alone(conn, f"relay {schema}.{source}")
        await conn.execute(
            f"INSERT INTO {schema}.relay_cursor (source, position) VALUES ($1, -1) ON CONFLICT DO NOTHING",
            source,
        )
        position = await conn.fetchval(f"SELECT position FROM {schema}.relay_cursor WHERE source = $1", source)
        while True:
            wake.clear()
            rows = await read_after(conn, position, MESSAGES_MAX)
            if not rows:
                RELAY_BEHIND.labels(source).set(0)
                await _wait(wake)
                continue
            RELAY_BEHIND.labels(source).set(len(rows))
            await publish(producer, (message for _, message in rows))
            position = rows[-1][0]
            await conn.execute(f"UPDATE {schema}.relay_cursor SET position = $2 WHERE source = $1", source, position)
            for topic, count in Counter(message.topic for _, message in rows).items():
                RELAYED_TOTAL.labels(topic).inc(count)


async def _wait(wake: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(POLL_S):
            await wake.wait()
    except TimeoutError:
        return
