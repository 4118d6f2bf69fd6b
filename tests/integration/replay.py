"""The sample settled on a stack, and what stands in the books and at the bank afterwards.

Method: the demo's own driver, with clients that ask again while payout is down, as a person would. What is compared is read
after everything was done: by the reader's login, from the topics, from the bank.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from aiokafka import TopicPartition

from premia.connection import Unreachable
from premia.demo.drive import Driver
from premia.demo.run import Sample, open_driver
from premia.demo.stopwatch import Stopwatch
from premia.local.stack import LocalStack
from premia.service_client import ServiceClient
from samples.reader import SampleCycle
from schemas.dead_letter import ORIGIN
from schemas.topics import (
    DEAD_LETTER_TOPICS,
    ENTITLEMENTS,
    LEDGER_COMMANDS,
    LEDGER_TRANSACTIONS,
    PAYOUT_EVENTS,
    SALE_OUTCOMES,
    STATEMENTS,
)
from tests.contract.reading import Reading, read_all
from tests.integration.kills import Kill, Killer, Strike, open_lags, until
from tests.integration.premium_calculator.programme import Record, header, read

DOWN_S_MAX: Final = 60.0  # payout is back 3 s after a kill; twenty times that.
ASK_AGAIN_S: Final = 0.05
DERIVED_TOPICS: Final = (
    ENTITLEMENTS,
    SALE_OUTCOMES,
    LEDGER_COMMANDS,
    LEDGER_TRANSACTIONS,
    PAYOUT_EVENTS,
    STATEMENTS,
    *DEAD_LETTER_TOPICS,
)

ACCOUNTS: Final = """
    SELECT a.owner_kind, a.owner_id, a.purpose, a.unit, b.debits, b.credits
    FROM ledger.balance AS b JOIN ledger.account AS a USING (account_id)"""
LOT_HEADS: Final = """
    SELECT refiner_id, lot_id, revision, calculation, entitlement_id, registry_version, stage, status, sold_on, fine_weight_mg
    FROM ledger.lot_head"""
LOT_LINES: Final = """
    SELECT refiner_id, lot_id, organization_id, role, unit, scheme_id, payer_id, amount FROM ledger.lot_line"""
TRANSACTIONS: Final = "SELECT transaction_id FROM ledger.journal"
# What the ledger settled, by the id under which the bank knows the payment; and what the bank's account is by the books.
SETTLED: Final = """
    SELECT t.end_to_end_id, sum(x.amount)::bigint AS amount_minor
    FROM ledger.journal AS j JOIN ledger.transfer AS x USING (leaf_index)
    JOIN payout.attempt AS t ON t.attempt_id = (convert_from(j.leaf, 'UTF8')::jsonb #>> '{cause,reservation_id}')::uuid
    WHERE j.kind = 'settled' GROUP BY t.end_to_end_id"""
ORDERS: Final = """
    SELECT t.end_to_end_id, o.subject_id, o.amount_minor, o.state
    FROM payout.payout_order AS o JOIN payout.attempt AS t USING (order_id)"""
STATEMENTS_ISSUED: Final = "SELECT subject_kind, subject_id, number, period_from, period_to FROM payout.statement"


class PatientClient(ServiceClient):
    """An actor who repeats a request while payout does not answer: all requests may be repeated."""

    async def get(self, path: str) -> Any:
        return await self._again("GET", path, None)

    async def post(self, path: str, body: object = None) -> Any:
        return await self._again("POST", path, body)

    async def _again(self, method: str, path: str, body: object) -> Any:
        deadline = time.monotonic() + DOWN_S_MAX
        while True:
            try:
                return await self._call(method, path, body)
            except Unreachable:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(ASK_AGAIN_S)


@dataclass(frozen=True, slots=True)
class Books:
    """What a replay led to. Money in minor units; rows as tuples in the order of their columns."""

    accounts: frozenset[tuple[Any, ...]]
    lot_heads: frozenset[tuple[Any, ...]]
    lot_lines: frozenset[tuple[Any, ...]]
    transaction_ids: frozenset[Any]
    outcomes: Mapping[str, tuple[Any, ...]]
    orders: frozenset[tuple[Any, ...]]
    statements: frozenset[tuple[Any, ...]]
    settled: Mapping[str, int]
    payments: Sequence[Mapping[str, Any]]
    bank_balance_minor: int


@dataclass(frozen=True, slots=True)
class Repeat:
    """A message of our services that was there before: what a redelivery leaves behind."""

    partition: TopicPartition
    first_offset: int
    offset: int

    def spans(self, kill: Kill) -> bool:
        """Whether the kill lies between the two."""
        return self.first_offset < kill.ends[self.partition] <= self.offset


@dataclass(frozen=True, slots=True)
class Replayed:
    """A replay: how many sales, its books, the kills it went through, what was written twice, and all topics read."""

    published: int
    books: Books
    kills: Sequence[Kill]
    repeats: Sequence[Repeat]
    reading: Reading

    def redelivered(self, kill: Kill) -> Counter[str]:
        """Messages that were written before a kill and again after it, by topic."""
        return Counter(repeat.partition.topic for repeat in self.repeats if repeat.spans(kill))


async def replay(stack: LocalStack, sample: Sample, cycles: Sequence[SampleCycle], strikes: Sequence[Strike] = ()) -> Replayed:
    """Settle the cycles under the strikes, and read the books when nothing is left to be done."""
    async with open_driver(stack, sample, Stopwatch()) as driver, open_lags(stack) as lags:
        driver.clients = {
            actor: PatientClient(client.session, client.service, client.url, client.token)
            for actor, client in driver.clients.items()
        }
        killer = Killer(stack, lags, strikes)
        killing = asyncio.create_task(killer.run())
        try:
            await driver.run(cycles)
            await until(lags.everything_done, "all to be done")
            if killing.done():
                killing.result()
        finally:
            killing.cancel()
            await asyncio.gather(killing, return_exceptions=True)
        return Replayed(
            published=driver.published,
            books=await read_books(driver, lags.servers),
            kills=killer.kills,
            repeats=await _repeats(lags.servers),
            reading=await read_all(lags.servers),
        )


async def read_books(driver: Driver, servers: str) -> Books:
    """What stands in the books and at the bank."""

    async def rows(query: str) -> frozenset[tuple[Any, ...]]:
        found = [tuple(row) for row in await driver.reader.fetch(query)]
        assert len(set(found)) == len(found), f"a row is there twice: {query}"
        return frozenset(found)

    return Books(
        accounts=await rows(ACCOUNTS),
        lot_heads=await rows(LOT_HEADS),
        lot_lines=await rows(LOT_LINES),
        transaction_ids=await rows(TRANSACTIONS),
        outcomes=await _outcomes(servers),
        orders=await rows(ORDERS),
        statements=await rows(STATEMENTS_ISSUED),
        settled=dict(await rows(SETTLED)),
        payments=await asyncio.to_thread(driver.bank.payments),
        bank_balance_minor=await asyncio.to_thread(driver.bank.balance_minor),
    )


async def _outcomes(servers: str) -> dict[str, tuple[Any, ...]]:
    outcomes: dict[str, tuple[Any, ...]] = {}
    for record in await read(servers, SALE_OUTCOMES):
        told = orjson.loads(record.value)
        became = tuple(
            told[name] for name in ("source", "id", "refiner_id", "lot_id", "revision", "outcome", "detail", "field")
        )
        assert outcomes.setdefault(told["origin"], became) == became, "a sale has one outcome, however often it is told"
    return outcomes


async def _repeats(servers: str) -> list[Repeat]:
    """Messages that were written before. All say what the first one said."""
    first: dict[tuple[str, ...], Record] = {}
    repeats: list[Repeat] = []
    for record in await read(servers, *DERIVED_TOPICS):
        before = first.setdefault(_identity(record), record)
        if before is not record:
            assert (before.partition, before.key, before.value) == (record.partition, record.key, record.value)
            repeats.append(Repeat(TopicPartition(record.topic, record.partition), before.offset, record.offset))
    return repeats


def _identity(record: Record) -> tuple[str, ...]:
    if record.topic in DEAD_LETTER_TOPICS:  # its CloudEvents headers, if there are any, are the sale's
        return record.topic, header(record, ORIGIN)
    return record.topic, header(record, "ce_source"), header(record, "ce_id")
