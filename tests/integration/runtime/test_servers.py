"""A service waits for its servers at its start, and says when Kafka falls silent."""

from __future__ import annotations

import asyncio
import socket
import time

import asyncpg
import pytest
from aiokafka.errors import KafkaConnectionError

from services.runtime import servers
from services.runtime.servers import KafkaWatch, when_it_answers

DEADLINE_S = 20.0


class Away:
    """A server that cannot be reached for a while."""

    def __init__(self, error: Exception, attempts: int) -> None:
        self.error = error
        self.attempts = attempts
        self.asked = 0

    async def connect(self) -> str:
        self.asked += 1
        if self.asked <= self.attempts:
            raise self.error
        return "connected"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "RETRY_INTERVAL_S", 0.001)


@pytest.mark.parametrize(
    "error", [ConnectionRefusedError(), TimeoutError(), asyncpg.CannotConnectNowError("starting up"), KafkaConnectionError()]
)
@pytest.mark.usefixtures("impatient")
async def test_a_server_that_is_away_for_a_moment_is_waited_for(error: Exception) -> None:
    away = Away(error, attempts=3)
    assert await when_it_answers("PostgreSQL", away.connect) == "connected"
    assert away.asked == 4


@pytest.mark.usefixtures("impatient")
async def test_waiting_ends_with_what_was_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "WAIT_S_MAX", 0.02)
    with pytest.raises(ConnectionRefusedError):
        await when_it_answers("PostgreSQL", Away(ConnectionRefusedError(), attempts=1_000_000).connect)


async def test_a_wrong_password_is_not_waited_for() -> None:
    away = Away(asyncpg.InvalidPasswordError("no"), attempts=1)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await when_it_answers("PostgreSQL", away.connect)
    assert away.asked == 1


async def test_a_broker_that_answers_is_no_trouble_and_a_silent_one_is(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "WATCH_INTERVAL_S", 0.01)
    monkeypatch.setattr(servers, "SILENT_S", 0.5)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka)
    watch = KafkaWatch()
    watch._answered_at -= 3600
    assert watch.trouble() is not None
    task = asyncio.create_task(watch.run())
    try:
        await until_trouble_is(watch, there=False)
        with socket.socket() as nobody:  # bound, not listening: refused at once
            nobody.bind(("127.0.0.1", 0))
            gone = f"127.0.0.1:{nobody.getsockname()[1]}"
            monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", gone)
            await until_trouble_is(watch, there=True)
        assert str(watch.trouble()).startswith(f"Kafka at {gone} has not answered for ")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until_trouble_is(watch: KafkaWatch, *, there: bool) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while (watch.trouble() is not None) is not there:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
