"""The ledger and its PostgreSQL, killed in turn while records wait: nothing is lost, nothing posted or told twice, fsck clean.

Method: a stack of its own with the real processes. Before each kill more records are published than a batch takes. When some of
them are posted the ledger is stopped (SIGSTOP), so that what is seen then stays true; if others wait, the kill strikes, else
more are published. PREMIA_SOAK=1 kills 30 times.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import asyncpg
import orjson
import pytest
from aiokafka import ConsumerRecord

from premia.local.stack import LocalStack
from schemas.message import Message
from schemas.topics import LEDGER_TRANSACTIONS, SALE_OUTCOMES
from services.runtime.kafka import publish, start_producer
from tests.integration.ledger.records import command, entitlement, reserve
from tests.integration.own_stack import own_stack, run_command
from tests.integration.premium_calculator.programme import read

SOAK: Final = bool(os.environ.get("PREMIA_SOAK"))
KILLS: Final = 30 if SOAK else 4
TARGETS: Final = ("ledger", "postgres")
CENTS: Final = (100, 250)  # of the two revisions
LOTS: Final = 1_500  # before each kill, in two revisions: one batch and a half
PAYMENTS: Final = 100  # reserved and given up again
ORGANIZATIONS: Final = ("ORG-0", "ORG-1", "ORG-2")
FIRST: Final = 10**9
PAYABLE: Final = """
    SELECT a.owner_id, b.credits - b.debits AS owed FROM ledger.balance AS b JOIN ledger.account AS a USING (account_id)
    WHERE a.purpose = 'payable'"""
LEAVES: Final = len(CENTS) * LOTS + 2 * PAYMENTS
DEADLINE_S: Final = 120.0
TRANSIENT: Final = (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError, asyncpg.InterfaceError)


def load(number: int) -> list[ConsumerRecord[Any, Any]]:
    """What is published before a kill."""
    organization = ORGANIZATIONS[number % len(ORGANIZATIONS)]
    lots = [
        entitlement(
            lot=f"LOT-{number}-{lot}",
            revision=revision,
            lines=((organization, "producer", cents),),
            origin_offset=(number * LOTS + lot) * 2 + revision,
        )
        for revision, cents in enumerate(CENTS, start=1)
        for lot in range(LOTS)
    ]
    subject = ("org", organization)
    reserved = [reserve(f"{number}-{payment}", ["0.50"], organization=organization) for payment in range(PAYMENTS)]
    voided = [
        command(f"void {number}-{payment}", "void", subject, reservation=f"{number}-{payment}", reason="GIVEN_UP")
        for payment in range(PAYMENTS)
    ]
    return [*lots, *reserved, *voided]


@pytest.mark.timeout(0 if SOAK else 600)
def test_kills_of_ledger_and_postgres_lose_nothing_and_post_nothing_twice() -> None:
    started = time.monotonic()
    with own_stack() as stack:
        asyncio.run(_kill(stack))
        checked = run_command(stack, "fsck")
        assert checked.returncode == 0, checked.stdout + checked.stderr
    print(f"{KILLS} kills in {time.monotonic() - started:.1f} s")


async def _kill(stack: LocalStack) -> None:
    producer = await start_producer(stack.environment()["KAFKA_BOOTSTRAP_SERVERS"])
    # Money first, so that every reservation finds it, whatever comes first.
    await _send(producer, [entitlement(lot=f"FIRST-{name}", lines=((name, "producer", FIRST),)) for name in ORGANIZATIONS])
    await _until(lambda: _is_posted(stack, len(ORGANIZATIONS)), "the first lots")
    loads = kills = 0
    while kills < KILLS:
        before = await _leaves(stack)
        await _send(producer, load(loads))
        loads += 1
        await _until(lambda before=before: _is_posted(stack, before + 1), "some of the records")
        target = TARGETS[kills % len(TARGETS)]
        killed = await _strike(stack, target, published=_leaves_of(loads))
        if killed is not None:
            kills += 1
            await _until(lambda target=target, killed=killed: _is_back(stack, target, killed), f"{target} to come back")
    await producer.stop()
    await _until(lambda: _is_posted(stack, _leaves_of(loads)), "everything to be posted")
    await _until(lambda: _is_seen_by_payout(stack, _leaves_of(loads)), "payout to see it")
    await _check_told(stack, loads)
    expected = Counter(dict.fromkeys(ORGANIZATIONS, FIRST))
    for number in range(loads):
        expected[ORGANIZATIONS[number % len(ORGANIZATIONS)]] += CENTS[-1] * LOTS
    assert {row["owner_id"]: row["owed"] for row in await _fetch(stack, PAYABLE)} == dict(expected)


async def _strike(stack: LocalStack, target: str, *, published: int) -> int | None:
    """Kill the target if records wait for the ledger. Returns its pid then."""
    ledger = stack.process_ids()["ledger"]
    os.kill(ledger, signal.SIGSTOP)
    try:
        return stack.kill_service(target) if await _leaves(stack) < published else None
    finally:
        with suppress(ProcessLookupError):  # it was the target
            os.kill(ledger, signal.SIGCONT)


def _leaves_of(loads: int) -> int:
    return len(ORGANIZATIONS) + loads * LEAVES


async def _check_told(stack: LocalStack, loads: int) -> None:
    """Every leaf and every outcome is told, in one way only, however often."""
    servers = stack.environment()["KAFKA_BOOTSTRAP_SERVERS"]
    leaves: dict[int, set[bytes]] = defaultdict(set)
    for record in await read(servers, LEDGER_TRANSACTIONS):
        value = orjson.loads(record.value)
        if "leaf_index" in value:
            leaves[value["leaf_index"]].add(record.value)
    assert sorted(leaves) == list(range(_leaves_of(loads)))
    assert all(len(values) == 1 for values in leaves.values())
    outcomes: dict[str, set[str]] = defaultdict(set)
    for record in await read(servers, SALE_OUTCOMES):
        value = orjson.loads(record.value)
        outcomes[value["origin"]].add(value["detail"])
    assert Counter(detail for details in outcomes.values() for detail in details) == {
        "posted": len(ORGANIZATIONS) + loads * LOTS * len(CENTS)
    }


async def _send(producer: Any, records: list[ConsumerRecord[Any, Any]]) -> None:
    await publish(producer, [Message(made.topic, made.key, made.value, made.headers) for made in records])


async def _fetch(stack: LocalStack, query: str) -> list[asyncpg.Record]:
    conn = await asyncpg.connect(stack.environment()["PREMIA_READER_DATABASE_URL"])
    try:
        return await conn.fetch(query)
    finally:
        await conn.close()


async def _leaves(stack: LocalStack) -> int:
    (row,) = await _fetch(stack, "SELECT tree_size FROM ledger.log_head")
    return int(row["tree_size"])


async def _is_posted(stack: LocalStack, leaves: int) -> bool:
    return await _leaves(stack) >= leaves


async def _is_seen_by_payout(stack: LocalStack, leaves: int) -> bool:
    (row,) = await _fetch(stack, "SELECT tree_size FROM payout.ledger_view")
    return int(row["tree_size"]) == leaves


async def _is_back(stack: LocalStack, target: str, killed: int) -> bool:
    """As another process, and past the time in which supervisord would take its death for a failed start."""
    info = (await asyncio.to_thread(stack.processes))[target]
    assert not info.given_up, f"supervisord gave {target} up"
    if not info.runs or info.pid == killed or info.state != "RUNNING":
        return False
    await _leaves(stack)
    return True


async def _until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait for a condition, with a deadline; a database that is away is no answer."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            if await condition():
                return
        except TRANSIENT:
            pass
        assert time.monotonic() < deadline, f"waited {DEADLINE_S:.0f} s for {what}"
        await asyncio.sleep(0.02)
