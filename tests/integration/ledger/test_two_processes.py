"""Two ledger processes on one database: rebalances under load, a writer that was frozen, topics other than those of before."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import defaultdict
from contextlib import AsyncExitStack
from typing import Any, Final

import orjson
import pytest
from aiokafka import ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient

from premia.local.ports import choose_ports
from schemas.topics import ENTITLEMENTS, LEDGER_TRANSACTIONS, SALE_OUTCOMES
from tests.integration.command import premia
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.records import command, entitlement, reserve
from tests.integration.ledger.service import DEADLINE_S, EXIT_UNEXPECTED, posted, running, send, told, until

LOTS: Final = 600  # of a chunk, in two revisions
PAYMENTS: Final = 50
LEAVES: Final = 2 * LOTS + 2 * PAYMENTS
IN_TRANSACTION: Final = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle' AND state IS NOT NULL"""


@pytest.fixture
def ledger(service: Ledger) -> Ledger:
    """Here it is the ledger of processes."""
    return service


def instance(ledger: Ledger, number: int) -> Ledger:
    """The same ledger as another process sees it."""
    address = f"127.0.0.1:{choose_ports(['ledger'])['ledger']}"
    return Ledger(ledger.conn, ledger.environment | {"PREMIA_INSTANCE": str(number), "PREMIA_LEDGER_HTTP": address})


def lots(number: int) -> list[ConsumerRecord[Any, Any]]:
    """Lots of an organization in two revisions; the first revisions come first."""
    organization = f"ORG-{number % 3}"
    return [
        entitlement(
            lot=f"LOT-{number}-{lot}",
            revision=revision,
            lines=((organization, "producer", 1_000 * revision),),
            origin_offset=(number * LOTS + lot) * 2 + revision,
        )
        for revision in (1, 2)
        for lot in range(LOTS)
    ]


def chunk(number: int) -> list[ConsumerRecord[Any, Any]]:
    """Lots, and payments that are given up, in between."""
    organization = f"ORG-{number % 3}"
    subject = ("org", organization)
    return [
        *lots(number)[:LOTS],
        *(reserve(f"{number}-{payment}", ["0.01"], organization=organization) for payment in range(PAYMENTS)),
        *lots(number)[LOTS:],
        *(
            command(f"void {number}-{payment}", "void", subject, reservation=f"{number}-{payment}", reason="GIVEN_UP")
            for payment in range(PAYMENTS)
        ),
    ]


async def until_posted(ledger: Ledger, leaves: int) -> None:
    """Wait for that many leaves."""

    async def there() -> bool:
        return await posted(ledger) >= leaves

    await until(there)


async def until_told(ledger: Ledger, sales: int) -> None:
    """Wait until the outcome of every sale was told."""

    async def all_told() -> bool:
        return len({orjson.loads(record.value)["origin"] for record in await told(ledger, SALE_OUTCOMES)}) == sales

    await until(all_told)


async def assert_one_order(ledger: Ledger, leaves: int) -> None:
    """Every leaf was told in one way, in the order of the log within each partition, and fsck finds nothing."""
    ways: dict[int, set[bytes]] = defaultdict(set)
    first_told: dict[int, list[int]] = defaultdict(list)
    for record in await told(ledger, LEDGER_TRANSACTIONS):
        value = orjson.loads(record.value)
        if "leaf_index" in value:
            if value["leaf_index"] not in ways:
                first_told[record.partition].append(value["leaf_index"])
            ways[value["leaf_index"]].add(record.value)
    assert sorted(ways) == list(range(leaves))
    assert all(len(values) == 1 for values in ways.values())
    assert all(indices == sorted(indices) for indices in first_told.values())
    assert await ledger.deviations() == []


async def test_processes_that_come_and_go_under_load_post_everything_once_and_in_one_order(ledger: Ledger) -> None:
    # Money first, so that every reservation finds it, whatever comes first.
    await send(ledger, [entitlement(lot=f"FIRST-{n}", lines=((f"ORG-{n}", "producer", 10**9),)) for n in range(3)])
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(running(instance(ledger, 0)))
        await until_posted(ledger, 3)
        await send(ledger, chunk(0))
        second = await stack.enter_async_context(running(instance(ledger, 1)))
        await until_posted(ledger, 4)
        await send(ledger, chunk(1))
        first.terminate()
        assert await asyncio.wait_for(first.wait(), DEADLINE_S) == 0
        await send(ledger, chunk(2))
        await stack.enter_async_context(running(instance(ledger, 0)))
        before = await posted(ledger)
        await until_posted(ledger, before + 1)
        second.send_signal(signal.SIGKILL)
        await send(ledger, chunk(3))
        await until_posted(ledger, 3 + 4 * LEAVES)
        await until_told(ledger, 3 + 4 * 2 * LOTS)
    await assert_one_order(ledger, 3 + 4 * LEAVES)
    payable = {name: -balance for name, balance in (await ledger.balances()).items() if name.endswith("payable:USD")}
    assert payable == {f"org:ORG-{n}:payable:USD": 10**9 + (2 if n == 0 else 1) * 2_000 * LOTS for n in range(3)}


async def test_a_writer_that_was_frozen_while_another_took_over_commits_nothing_more(ledger: Ledger) -> None:
    await send(ledger, lots(0))
    async with running(instance(ledger, 0)) as frozen:
        assert frozen.pid is not None
        await until_posted(ledger, 1)
        while True:  # not in the middle of an SQL transaction, whose locks would keep the other one waiting
            os.kill(frozen.pid, signal.SIGSTOP)
            if not await ledger.conn.fetchval(IN_TRANSACTION):
                break
            os.kill(frozen.pid, signal.SIGCONT)
            await asyncio.sleep(0.01)
        await send(ledger, lots(3))
        async with running(instance(ledger, 1)):
            await until_posted(ledger, 4 * LOTS)
            os.kill(frozen.pid, signal.SIGCONT)
            await send(ledger, [entitlement(lot="LAST")])
            await until_told(ledger, 4 * LOTS + 1)
    await assert_one_order(ledger, 4 * LOTS + 1)
    payable = (await ledger.balances())["org:ORG-0:payable:USD"]
    assert payable == -2 * 2_000 * LOTS


async def test_the_server_ends_a_batch_that_fell_silent_with_the_lock(ledger: Ledger) -> None:
    async with ledger.conn.transaction():
        await ledger.post(entitlement())
        assert await ledger.conn.fetchval("SHOW idle_in_transaction_session_timeout") == "30s"
    assert await ledger.conn.fetchval("SHOW idle_in_transaction_session_timeout") == "0"


async def test_topics_that_are_not_those_of_before_stop_it_before_anything_is_posted(ledger: Ledger) -> None:
    await send(ledger, [entitlement(lot=f"LOT-{number}") for number in range(20)])
    async with running(ledger):
        await until_posted(ledger, 20)
    servers = ledger.environment["KAFKA_BOOTSTRAP_SERVERS"]
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    await admin.delete_topics([ENTITLEMENTS])
    while ENTITLEMENTS in await admin.list_topics():
        await asyncio.sleep(0.05)
    await admin.close()
    assert (await premia(servers, "topics", "apply")).exit_code == 0
    await send(ledger, [entitlement(lot=f"OTHER-{number}") for number in range(40)])
    assert "is not the one that was applied" in await stopped(ledger)
    await ledger.conn.execute("UPDATE ledger.consumer_offset SET cluster_id = 'another'")
    assert "was read from cluster another" in await stopped(ledger)
    assert await posted(ledger) == 20


async def stopped(ledger: Ledger) -> str:
    """What a process says that stops by itself, with OFFSET_MISMATCH."""
    async with running(ledger) as process:
        assert process.stderr is not None
        said = (await asyncio.wait_for(process.stderr.read(), DEADLINE_S)).decode()
        assert await process.wait() == EXIT_UNEXPECTED
    assert "OFFSET_MISMATCH" in said
    return said
