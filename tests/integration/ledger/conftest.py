"""An empty ledger for each test: a migrated database, connected as the service's own login."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
from aiokafka import ConsumerRecord

from premia.commands.migrate import bring_up_to_date
from premia.fsck.checks import checks_of
from premia.fsck.deviation import Checked, Deviation
from premia.fsck.ledger.tree import SealedLog
from premia.local.ports import choose_ports
from premia.local.stack import LocalStack
from schemas.ledger_transaction import LedgerTransaction
from schemas.message import Message
from services.ledger.use_cases.account_balances import account_balances
from services.ledger.use_cases.post_batch import BatchResult, post_batch
from services.ledger.use_cases.relay_journal import journal_after, messages_of
from services.runtime.outbox import outbox_after
from tests.conftest import environment_with_database
from tests.integration.command import premia
from tests.integration.damage import damage_database

ALL = 1_000_000
APPEND_ONLY = (
    "account", "journal", "transfer", "entitlement", "command", "booking", "quarantine", "outbox", "reversal", "correction",
    "correction_decision",
)  # fmt: skip
RECOVERED = ("recovered_posting", "recovered_outcome")  # append-only too; filled by a restore alone
DERIVED = (
    "balance",
    "subject",
    "lot_head",
    "lot_line",
    "reservation",
    "suspense",
    "account_day",
    "consumer_offset",
    "relay_cursor",
)
# Measured: 0.02 s, where a database of its own for each test takes 1 to 2 s.
MADE_EMPTY = ";".join(
    [
        *(f"ALTER TABLE ledger.{table} DISABLE TRIGGER USER" for table in (*APPEND_ONLY, *RECOVERED)),
        *(f"DELETE FROM ledger.{table}" for table in (*reversed(APPEND_ONLY), *RECOVERED, *DERIVED)),
        *(f"ALTER TABLE ledger.{table} ENABLE ALWAYS TRIGGER append_only_rows" for table in (*APPEND_ONLY, *RECOVERED)),
        *(f"ALTER TABLE ledger.{table} ENABLE ALWAYS TRIGGER append_only_table" for table in (*APPEND_ONLY, *RECOVERED)),
        "ALTER TABLE ledger.transfer ENABLE ALWAYS TRIGGER check_transfers",
        "UPDATE ledger.log_head SET tree_size = 0, recorded_at = 'epoch', last_account_id = 0",
        "UPDATE ledger.outbox_head SET last_number = 0",
        "UPDATE ledger.account_day_head SET buckets = 0",
    ]
)


@dataclass(slots=True)
class Ledger:
    """What tests do with a ledger."""

    conn: asyncpg.Connection[asyncpg.Record]
    environment: dict[str, str]

    async def post(self, *records: ConsumerRecord[Any, Any]) -> BatchResult:
        """Post and commit one batch. What is at hand of it for the relay has to be what the relay would read."""
        async with self.conn.transaction():
            result = await post_batch(self.conn, records)
        if leaves := result.rows.leaves:
            assert await messages_of(result.rows) == await journal_after(self.conn, leaves[0][0] - 1, len(leaves))
        return result

    async def leaves(self) -> list[LedgerTransaction]:
        """All transactions, read back by the contract."""
        return [LedgerTransaction.model_validate_json(row["leaf"]) for row in await self.rows("journal", "leaf_index")]

    async def rows(self, table: str, order: str) -> list[asyncpg.Record]:
        """All rows of a table."""
        return await self.conn.fetch(f"SELECT * FROM ledger.{table} ORDER BY {order}")

    async def balances(self) -> dict[str, int]:
        """Balances other than zero by the text form of their account, debit positive."""
        async with self.conn.transaction():
            return {account.name: account.balance async for account in account_balances(self.conn) if account.balance}

    async def messages(self, topic: str) -> list[Message]:
        """What both relays would publish to one topic: the journal's first."""
        relayed = [*await journal_after(self.conn, -1, ALL), *await outbox_after(self.conn, "ledger", 0, ALL)]
        return [message for _, message in relayed if message.topic == topic]

    async def values(self, topic: str) -> list[dict[str, Any]]:
        """Their values."""
        return [orjson.loads(message.value) for message in await self.messages(topic)]

    async def outcome(self, command_id: object) -> dict[str, Any]:
        """The last outcome of a command."""
        told = [value for value in await self.values("ledger.transactions.v1") if value.get("command_id") == str(command_id)]
        return told[-1]

    async def deviations(self) -> list[Deviation]:
        """What fsck finds, as the reader's login."""
        conn = await asyncpg.connect(self.environment["PREMIA_READER_DATABASE_URL"])
        try:
            async with conn.transaction(isolation="repeatable_read", readonly=True):
                return await deviations_on(conn)
        finally:
            await conn.close()

    async def make_empty(self) -> None:
        """As the administrator: nobody else could."""
        admin = await asyncpg.connect(self.environment["DATABASE_URL"])
        try:
            await admin.execute(MADE_EMPTY)
        finally:
            await admin.close()

    async def as_administrator(self, *statements: str) -> None:
        """Do what only a superuser can; see `damage_database`."""
        await damage_database(self.environment["DATABASE_URL"], *statements)


async def deviations_on(
    conn: asyncpg.Connection[asyncpg.Record], log: SealedLog | None = None, documents: Path | None = None
) -> list[Deviation]:
    """What fsck finds in the transaction that is open on a connection."""
    checked = Checked()
    return [found for check in checks_of(log or SealedLog(), documents) async for found in check.run(conn, checked)]


@pytest.fixture(scope="module")
def ledger_environment(servers: LocalStack, database_url: str) -> dict[str, str]:
    """The variables of a migrated database, for all tests of a module."""
    environment = environment_with_database(servers, database_url)
    with ThreadPoolExecutor(1) as thread:  # a loop may be running in this one
        thread.submit(asyncio.run, bring_up_to_date(database_url, environment)).result()
    return environment


@pytest.fixture
async def ledger(ledger_environment: dict[str, str]) -> AsyncIterator[Ledger]:
    """An empty ledger."""
    conn = await asyncpg.connect(ledger_environment["PREMIA_LEDGER_DATABASE_URL"])
    try:
        ledger = Ledger(conn, ledger_environment)
        await ledger.make_empty()
        yield ledger
    finally:
        await conn.close()


@pytest.fixture
async def service(servers: LocalStack, kafka: str, new_database: Callable[[], str], tmp_path: Path) -> AsyncIterator[Ledger]:
    """An empty ledger with a database and topics of its own: offsets in one belong to the other."""
    environment = environment_with_database(servers, new_database()) | {
        "KAFKA_BOOTSTRAP_SERVERS": kafka,
        "PREMIA_LEDGER_HTTP": f"127.0.0.1:{choose_ports(['ledger'])['ledger']}",
        "PREMIA_ACTOR_TOKENS": str(tmp_path / "tokens.json"),
    }
    await bring_up_to_date(environment["DATABASE_URL"], environment)
    assert (await premia(kafka, "topics", "apply")).exit_code == 0
    conn = await asyncpg.connect(environment["PREMIA_LEDGER_DATABASE_URL"])
    try:
        yield Ledger(conn, environment)
    finally:
        await conn.close()
