"""The servers that a service cannot be without: waited for at its start, watched while it runs.

Goal: a service that comes before its servers, or comes back while one is away, waits instead of dying again and again until its
supervisor gives up; and one whose broker is silent says so, for its clients only try again.
Method: the start is tried again for a while, then the process ends as on any failure. While it runs, Kafka is asked for its
brokers over a new connection, as a client that starts now would. PostgreSQL needs no watch: a connection that breaks ends
the process.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import asyncpg
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError, KafkaError

from services.runtime.kafka import bootstrap_servers

WAIT_S_MAX: Final = 30.0  # a supervisor takes what lived this long for a start that worked, and starts it again without end.
RETRY_INTERVAL_S: Final = 0.5
WATCH_INTERVAL_S: Final = 3.0  # measured: a question takes 0.7 ms of processor time.
ANSWER_TIMEOUT_S: Final = 5.0
SILENT_S: Final = 10.0  # a broker is back 3 s after a crash; more is worth telling.
assert SILENT_S > WATCH_INTERVAL_S + ANSWER_TIMEOUT_S, "one late answer is no silence"
AWAY: Final = (OSError, asyncpg.CannotConnectNowError, KafkaConnectionError)

log = logging.getLogger(__name__)
_Server = TypeVar("_Server")


async def when_it_answers(title: str, connect: Callable[[], Awaitable[_Server]]) -> _Server:
    """What `connect` returns, as soon as the server answers. Raises what `connect` raised last after WAIT_S_MAX."""
    deadline = time.monotonic() + WAIT_S_MAX
    told = False
    while True:
        try:
            return await connect()
        except AWAY as error:
            if time.monotonic() > deadline:
                raise
            if not told:
                log.warning("%s does not answer (%s): waiting for it", title, error)
                told = True
        await asyncio.sleep(RETRY_INTERVAL_S)


class KafkaWatch:
    """Whether Kafka answers, for `/healthz/ready`."""

    def __init__(self) -> None:
        """Kafka answered just now: a service begins with its producer."""
        self._answered_at = time.monotonic()

    def trouble(self) -> str | None:
        """What is wrong, or None."""
        silent_s = time.monotonic() - self._answered_at
        return f"Kafka at {bootstrap_servers()} has not answered for {silent_s:.0f} s" if silent_s > SILENT_S else None

    async def run(self) -> None:
        """Ask again and again, until cancelled."""
        while True:
            if await _kafka_answers():
                self._answered_at = time.monotonic()
            await asyncio.sleep(WATCH_INTERVAL_S)


async def _kafka_answers() -> bool:
    client = AIOKafkaClient(bootstrap_servers=bootstrap_servers())
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await client.bootstrap()
    except (KafkaError, OSError):
        return False
    else:
        return True
    finally:
        await client.close()
