"""`premia demo` on servers that somebody else runs: it begins on empty ones, because it does not remove what others hold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import asyncpg
import pytest

from premia.commands.migrate import bring_up_to_date
from premia.demo.run import refuse_used_servers
from premia.local.errors import MachineNotReady
from premia.local.stack import LocalStack
from schemas.message import Message
from schemas.topics import SALES
from services.runtime.kafka import publish, start_producer
from tests.conftest import environment_with_database
from tests.integration.premium_calculator.programme import create_topics


class OnServers(LocalStack):
    """A stack that knows where servers are, and starts none."""

    def __init__(self, known: Mapping[str, str]) -> None:
        super().__init__(Path("nowhere"), environ={})
        self.known = dict(known)

    def environment(self) -> dict[str, str]:
        return self.known


@pytest.fixture
async def empty(kafka: str, new_database: Callable[[], str], servers: LocalStack) -> OnServers:
    """A broker with topics and no sales; a migrated database with an empty ledger."""
    known = environment_with_database(servers, new_database()) | {"KAFKA_BOOTSTRAP_SERVERS": kafka}
    await create_topics(kafka)
    await bring_up_to_date(known["DATABASE_URL"], known)
    return OnServers(known)


async def test_empty_servers_are_taken(empty: OnServers) -> None:
    await refuse_used_servers(empty)


async def test_a_broker_with_sales_is_refused(empty: OnServers) -> None:
    producer = await start_producer(empty.known["KAFKA_BOOTSTRAP_SERVERS"])
    await publish(producer, [Message(SALES, b"REF/LOT", b"{}", ())])
    await producer.stop()
    with pytest.raises(MachineNotReady, match="holds sales already"):
        await refuse_used_servers(empty)


async def test_a_ledger_with_transactions_is_refused(empty: OnServers) -> None:
    connection = await asyncpg.connect(empty.known["DATABASE_URL"])
    await connection.execute("UPDATE ledger.log_head SET tree_size = 1")
    await connection.close()
    with pytest.raises(MachineNotReady, match="holds a ledger already"):
        await asyncio.wait_for(refuse_used_servers(empty), timeout=60)
