"""One run of the sample over a stack that is up: clients opened, all cycles driven, figures read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import aiohttp
import asyncpg

from premia.demo.drive import TREE_SIZE, Driver
from premia.demo.facts import Facts, read_facts
from premia.local.bank import bank_of
from premia.local.errors import MachineNotReady
from premia.local.tokens import read_tokens
from premia.service_client import ServiceClient
from premia.trace.recalculations import recalculations_of
from premia.trace.story import story_of
from premia.trace.story_lines import story_lines
from premia.trace.subject import Lot
from schemas.topics import SALES
from services.runtime.kafka import start_producer
from services.runtime.topic_log import open_log

if TYPE_CHECKING:
    from premia.demo.stopwatch import Stopwatch
    from premia.local.stack import LocalStack
    from samples.reader import AccountEvidence, PublishedSale, SampleCycle
    from schemas.registry_snapshot import LoadedRegistry

STORY: Final = Lot("REF-CH-01", "PE-2025-000246")  # provisional, final, paid with others, on a statement: half a screen

EMPTY_SERVERS: Final = "the demo begins on empty servers; name others, or unset the variable to have one started here"


@dataclass(frozen=True, slots=True)
class Sample:
    """All files of the sample programme, read."""

    registry: LoadedRegistry
    sales: Sequence[PublishedSale]
    accounts: Sequence[AccountEvidence]
    cycles: Sequence[SampleCycle]


async def refuse_used_servers(stack: LocalStack) -> None:
    """Raise MachineNotReady if the servers hold sales or transactions: of another programme, or of a demo before."""
    environment = stack.environment()
    servers = environment["KAFKA_BOOTSTRAP_SERVERS"]
    async with open_log(SALES, servers=servers) as log:
        async for _ in log.to_end():
            raise MachineNotReady(f"Kafka at {servers} holds sales already: {EMPTY_SERVERS}")
    reader = await asyncpg.connect(environment["PREMIA_READER_DATABASE_URL"])
    try:
        if await reader.fetchval(TREE_SIZE):
            raise MachineNotReady(f"the database that DATABASE_URL names holds a ledger already: {EMPTY_SERVERS}")
    finally:
        await reader.close()


async def run_sample(stack: LocalStack, sample: Sample, stopwatch: Stopwatch) -> tuple[Facts, list[str]]:
    """Settle all cycles and return the programme's figures, and the story of one lot, a line each."""
    async with open_driver(stack, sample, stopwatch) as driver:
        await driver.run(sample.cycles)
        summary = await next(iter(driver.clients.values())).get("/v1/summary")
        facts = await read_facts(driver.reader, driver.outcomes, summary, sample.registry)
        return facts, story_lines(STORY, await story_of(driver.reader, STORY, partial(recalculations_of, driver.servers)))


@asynccontextmanager
async def open_driver(stack: LocalStack, sample: Sample, stopwatch: Stopwatch) -> AsyncIterator[Driver]:
    """A driver of the sample with a client for each of the programme's actors; all is closed with the block."""
    environment = stack.environment()
    snapshot = sample.registry.snapshot
    programme = snapshot.programme
    assert programme is not None, "the sample has a programme"
    servers = environment["KAFKA_BOOTSTRAP_SERVERS"]
    producer = await start_producer(servers)
    reader = await asyncpg.connect(environment["PREMIA_READER_DATABASE_URL"])
    tokens = read_tokens(stack.data_dir)
    try:
        async with aiohttp.ClientSession() as session:
            yield Driver(
                sales=sample.sales,
                accounts=sample.accounts,
                servers=servers,
                producer=producer,
                reader=reader,
                bank=bank_of(stack.data_dir, environment["PREMIA_BANK_URL"]),
                clients={
                    actor.id: ServiceClient(session, "payout", environment["PREMIA_PAYOUT_URL"], tokens[actor.id])
                    for actor in programme.actors
                },
                actors={
                    role: [actor.id for actor in programme.actors if role in actor.roles]
                    for role in ("prepare", "approve", "accounts", "statements")
                },
                payer_names={
                    organization.id: organization.name
                    for organization in snapshot.organizations.values()
                    if organization.kind == "payer"
                },
                stopwatch=stopwatch,
            )
    finally:
        await asyncio.gather(producer.stop(), reader.close())
