"""The payout service as a process, with a real ledger beside it, on real Kafka: killed in the middle, and stopped."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from schemas.message import Message
from schemas.registry_log import plan_apply
from schemas.topics import LEDGER_TRANSACTIONS
from services.runtime.kafka import publish, start_producer
from tests.integration.payout.books import NOW, entitlement_message, loaded, registry_file
from tests.mock_bank import MockBank

DEADLINE_S = 60.0
STOP_S = 5.0
EXIT_UNEXPECTED = 70
ACTORS = ("ana", "bruno", "carla", "diego")


@dataclass
class Programme:
    """Environment of a programme's processes, and what speaks to them."""

    environment: dict[str, str]
    bank: MockBank
    session: aiohttp.ClientSession

    async def publish(self, *messages: Message) -> None:
        """Put messages on Kafka."""
        producer = await start_producer(self.environment["KAFKA_BOOTSTRAP_SERVERS"])
        try:
            await publish(producer, messages)
        finally:
            await producer.stop()

    async def ask(self, method: str, path: str, actor: str = "ana", body: object = None) -> Any:
        """JSON of one request that must be carried out."""
        url = f"http://{self.environment['PREMIA_PAYOUT_HTTP']}{path}"
        headers = {"Authorization": f"Bearer token of {actor}"}
        async with self.session.request(method, url, json=body, headers=headers) as answer:
            content = await answer.json()
            assert answer.status < 400, content
            return content

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """Wait until the condition holds; a service that does not answer yet does not fulfil it."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            try:
                if await condition():
                    return
            except aiohttp.ClientError:
                pass
            assert time.monotonic() < deadline, "waited too long"
            await asyncio.sleep(0.05)

    async def until_ready(self, address: str) -> None:
        """Wait until a service says that it is ready."""

        async def ready() -> bool:
            async with self.session.get(f"http://{self.environment[address]}/healthz/ready") as answer:
                return answer.status == 200

        await self.until(ready)

    async def order_state(self) -> str | None:
        """The state of the only order."""
        orders = (await self.ask("GET", "/v1/orders"))["orders"]
        return None if not orders else str(orders[0]["state"])


@contextmanager
def service(module: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A service as a process; killed at the end if it still runs."""
    process = subprocess.Popen([sys.executable, "-m", module], env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait(timeout=STOP_S)


@asynccontextmanager
async def payout(programme: Programme) -> AsyncIterator[subprocess.Popen[bytes]]:
    """The payout service, ready."""
    with service("services.payout", programme.environment) as process:
        await programme.until_ready("PREMIA_PAYOUT_HTTP")
        yield process


@pytest.fixture
async def programme(premia_environment: dict[str, str], bank: MockBank, tmp_path: Path) -> AsyncIterator[Programme]:
    documents = tmp_path / "documents"
    documents.mkdir()
    tokens = tmp_path / "actors.json"
    tokens.write_text(json.dumps({actor: hashlib.sha256(f"token of {actor}".encode()).hexdigest() for actor in ACTORS}))
    environment = {
        **os.environ,
        **premia_environment,
        "PREMIA_PAYOUT_HTTP": free_address(),
        "PREMIA_LEDGER_HTTP": free_address(),
        "PREMIA_ACTOR_TOKENS": str(tokens),
        "PREMIA_BANK_OUTGOING": str(bank.outgoing),
        "PREMIA_BANK_INCOMING": str(bank.incoming),
        "PREMIA_DOCUMENTS_DIR": str(documents),
    }
    for command in (["migrate"], ["topics", "apply"]):
        await asyncio.to_thread(subprocess.run, [sys.executable, "-m", "premia", *command], env=environment, check=True)
    async with aiohttp.ClientSession() as session:
        programme = Programme(environment, bank, session)
        await programme.publish(*plan_apply(None, {}, loaded(registry_file())).messages(NOW))
        with service("services.ledger", environment):
            await programme.until_ready("PREMIA_LEDGER_HTTP")
            yield programme


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


async def test_a_service_that_is_killed_at_every_step_pays_once_and_stops_when_it_is_told(programme: Programme) -> None:
    async with payout(programme) as process:

        async def registry_known() -> bool:
            return (await programme.ask("GET", "/v1/summary"))["programme"] is not None

        await programme.until(registry_known)
        claim = {"organization_id": "ORG-PE-012", "currency": "USD"}
        proposed = await programme.ask("POST", "/v1/accounts/propose", "carla", {"accounts": [claim]})
        account_id = proposed["accounts"][0]["account_id"]
        check = {"account_id": account_id, "method": "call_back", "on": "2025-03-13"}
        await programme.ask("POST", "/v1/accounts/verify", "diego", {"accounts": [check]})
        await programme.publish(entitlement_message("1498.08", offset=1))

        async def premium_seen() -> bool:
            return bool((await programme.ask("GET", "/v1/summary"))["tree_size"] > 0)

        await programme.until(premium_seen)
        cycle = await programme.ask("POST", "/v1/cycles", "ana", {"on": "2025-03-27"})
        process.send_signal(signal.SIGKILL)  # the reserve may or may not have left

    async with payout(programme) as process:

        async def reserved() -> bool:
            return await programme.order_state() == "reserved"

        await programme.until(reserved)
        await programme.ask("POST", f"/v1/cycles/{cycle['cycle_id']}/approve", "bruno")
        process.send_signal(signal.SIGKILL)  # the file may or may not be in the folder

    async with payout(programme) as process:

        async def sent() -> bool:
            return await programme.order_state() == "sent"

        await programme.until(sent)
        await asyncio.to_thread(programme.bank.scan)
        await asyncio.to_thread(programme.bank.advance_to, "2025-03-31")
        process.send_signal(signal.SIGKILL)  # the bank's files may or may not be read

    async with payout(programme) as process:

        async def settled() -> bool:
            return await programme.order_state() == "settled"

        await programme.until(settled)
        period = {"period": {"from": "2025-03-01", "to": "2025-03-31"}}
        issued = await programme.ask("POST", "/v1/statements", "carla", period)
        assert [(row["number"], row["refused"]) for row in issued["statements"]] == [(1, None)]
        process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        assert await asyncio.to_thread(process.wait, STOP_S) == 0
        assert time.monotonic() - started < STOP_S
    payments = await asyncio.to_thread(programme.bank.call, "GET", "/_mock/payments")
    assert len(payments) == 1

    # Last, because it ends every consumer of this programme: what the ledger's topic holds is never skipped.
    with service("services.payout", programme.environment) as process:
        await programme.until_ready("PREMIA_PAYOUT_HTTP")
        await programme.publish(Message(LEDGER_TRANSACTIONS, b"ORG-PE-012", b"{", (("ce_type", b"ledger.transaction.v1"),)))
        assert await asyncio.to_thread(process.wait, DEADLINE_S) == EXIT_UNEXPECTED


async def test_a_service_without_its_settings_says_which_is_missing(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREMIA_")}
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "services.payout"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "payout: PREMIA_PAYOUT_HTTP is not set\n"
