"""Kills services in the middle of their work.

Goal: a kill hits a process while records wait for it, at a moment that a seed chose; none is left to luck or to a sleep.
Method: a moment is told by what outsiders see: Kafka's offsets, and the tables that the reader's login may read. When it has
come, the process is stopped (SIGSTOP), so that what is seen then stays true: nothing that it does comes after. If records wait
for it, it is killed (LocalStack.kill_service; supervisord starts it again), else it goes on, and the next sight counts.
Refuses: a service that does not come back in time.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from premia.local.stack import LocalStack
from schemas.dead_letter import Origin
from schemas.topics import ENTITLEMENTS, LEDGER_COMMANDS, LEDGER_TRANSACTIONS, SALES, TOPICS
from services.premium_calculator.app import GROUP
from services.runtime.database import Pool
from tests.integration.premium_calculator.programme import answers, unanswered

DEADLINE_S: Final = 60.0
POLL_S: Final = 0.002  # the shortest moment, a bank file between its commit and the folder, takes 5 ms.
INPUTS: Final = {
    "calculator": (SALES,),
    "ledger": (ENTITLEMENTS, LEDGER_COMMANDS),
    "payout": (LEDGER_TRANSACTIONS,),
}
PARTITIONS: Final = {topic.name: topic.partitions for topic in TOPICS}
APPLIED: Final = {
    service: f"SELECT topic, partition, next_offset FROM {service}.consumer_offset" for service in ("ledger", "payout")
}
CYCLES_APPROVED: Final = "SELECT count(*) FROM payout.cycle WHERE state = 'approved'"
# Every command that the broker has was carried out, and the relay has told of it.
JOURNAL_RELAYED: Final = """
    SELECT (SELECT position FROM ledger.relay_cursor WHERE source = 'journal') = (SELECT tree_size - 1 FROM ledger.log_head)"""


class Lags:
    """How many records wait for each service: written to its topics, and not durably done by it."""

    def __init__(self, servers: str, reader: Pool, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient) -> None:
        self.servers = servers
        self.reader = reader
        self._consumer = consumer
        self._admin = admin

    async def waiting(self, service: str, topics: Sequence[str] | None = None) -> int:
        """Records of all topics that the service reads, or of some of them."""
        done = await self.done(service)
        ends = await self.ends(INPUTS[service] if topics is None else topics)
        return sum(end - done.get(partition, 0) for partition, end in ends.items())

    async def ends(self, topics: Sequence[str]) -> dict[TopicPartition, int]:
        """The end of each partition of some topics."""
        partitions = [TopicPartition(topic, number) for topic in topics for number in range(PARTITIONS[topic])]
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(partitions)
        return ends

    async def done(self, service: str) -> dict[TopicPartition, int]:
        """The next offset of each partition: PostgreSQL's for its writers, the group's for the calculator."""
        if service == "calculator":
            committed = await self._admin.list_consumer_group_offsets(GROUP)
            return {partition: found.offset for partition, found in committed.items()}
        rows = await self.reader.fetch(APPLIED[service])
        return {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}

    async def ledger_is_quiet(self) -> bool:
        """Whether the ledger has answered all commands that were sent."""
        return not await self.waiting("ledger") and await self.reader.fetchval(JOURNAL_RELAYED) is True

    async def everything_done(self) -> bool:
        """Whether nothing waits for any service, and nothing is about to."""
        return not any([await self.waiting(service) for service in INPUTS]) and await self.ledger_is_quiet()


@asynccontextmanager
async def open_lags(stack: LocalStack) -> AsyncIterator[Lags]:
    """Lags of a stack that is up and has its topics."""
    environment = stack.environment()
    servers = environment["KAFKA_BOOTSTRAP_SERVERS"]
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        async with (
            asyncpg.create_pool(environment["PREMIA_READER_DATABASE_URL"], min_size=1, max_size=len(INPUTS)) as reader,
            AIOKafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False) as consumer,
        ):
            yield Lags(servers, reader, consumer, admin)
    finally:
        await admin.close()


Check = Callable[[Lags], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Moment:
    """When a service is in the middle of something: while records of `topic` wait for it.

    `sight`: SQL that says whether it may be so. `answers_follow`: the records are the ledger's answers to what the service
    asked; they are waited for while it is stopped. `check` looks closer, also while it is stopped.
    """

    service: str
    name: str
    topic: str
    sight: str = "SELECT true"
    answers_follow: bool = False
    check: Check | None = None


async def sales_unanswered(lags: Lags) -> bool:
    """Some sale was neither calculated nor rejected yet."""
    return bool(await unanswered(lags.servers))


async def answers_uncommitted(lags: Lags) -> bool:
    """Some answer was delivered whose sale does not count as done: it will be answered again."""
    done = await lags.done("calculator")
    origins = [Origin.parse(origin) for origin in await answers(lags.servers)]
    return any(origin.offset >= done.get(TopicPartition(SALES, origin.partition), 0) for origin in origins)


CALCULATING: Final = Moment("calculator", "sales are not answered", SALES, check=sales_unanswered)
DELIVERING: Final = Moment("calculator", "answers are delivered and not committed", SALES, check=answers_uncommitted)
POSTING: Final = Moment("ledger", "entitlements wait", ENTITLEMENTS)
CARRYING_OUT: Final = Moment("ledger", "commands wait", LEDGER_COMMANDS)
FOLLOWING: Final = Moment(
    "payout",
    "premiums are posted that it has not seen",
    LEDGER_TRANSACTIONS,
    sight="""
        SELECT EXISTS (SELECT FROM ledger.journal WHERE kind = 'premium'
            AND leaf_index >= (SELECT tree_size FROM payout.ledger_view))""",
)
RESERVING: Final = Moment(
    "payout",
    "reservations are asked for",
    LEDGER_TRANSACTIONS,
    sight="SELECT EXISTS (SELECT FROM payout.cycle WHERE state = 'preparing')",
    answers_follow=True,
)
SENDING: Final = Moment(
    "payout",
    "a bank file is on its way to the folder",
    LEDGER_TRANSACTIONS,
    sight="SELECT EXISTS (SELECT FROM payout.bank_file WHERE state = 'SENDING')",
    answers_follow=True,
)
SETTLING: Final = Moment(
    "payout",
    "bookings of the bank are being settled",
    LEDGER_TRANSACTIONS,
    sight="SELECT EXISTS (SELECT FROM payout.payout_order WHERE state = 'booked')",
    answers_follow=True,
)
MOMENTS: Final = (CALCULATING, DELIVERING, POSTING, CARRYING_OUT, FOLLOWING, RESERVING, SENDING, SETTLING)


@dataclass(frozen=True, slots=True)
class Strike:
    """A kill that is planned: when `cycles` settlements were approved, at the `sighting`th sight of the moment."""

    moment: Moment
    cycles: int
    sighting: int


@dataclass(frozen=True, slots=True)
class Kill:
    """A kill that was done: how many records waited for the process then, and where all topics ended."""

    moment: Moment
    pid: int
    waiting: int
    ends: Mapping[TopicPartition, int]


@dataclass(slots=True)
class Killer:
    """Carries out strikes, those of one service one after the other, those of different services side by side."""

    stack: LocalStack
    lags: Lags
    strikes: Sequence[Strike]
    kills: list[Kill] = field(default_factory=list)
    _quick: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Strike until all is done."""
        async with asyncio.TaskGroup() as group:
            for service in INPUTS:
                group.create_task(self._strike_all([strike for strike in self.strikes if strike.moment.service == service]))

    async def _strike_all(self, strikes: Sequence[Strike]) -> None:
        for strike in strikes:
            pid = await self._until_up(strike.moment.service)
            sightings = 0
            while True:
                if await self._is_in_sight(strike):
                    sightings += 1
                    if sightings >= strike.sighting and await self._kill_if_records_wait(strike.moment, pid):
                        break
                await asyncio.sleep(POLL_S)
        if strikes:
            await self._until_up(strikes[-1].moment.service)

    async def _is_in_sight(self, strike: Strike) -> bool:
        moment = strike.moment
        return bool(
            await self.lags.reader.fetchval(f"SELECT ({CYCLES_APPROVED}) >= $1 AND ({moment.sight})", strike.cycles)
        ) and (moment.answers_follow or await self.lags.waiting(moment.service, [moment.topic]) > 0)

    async def _kill_if_records_wait(self, moment: Moment, pid: int) -> bool:
        os.kill(pid, signal.SIGSTOP)
        try:
            if moment.answers_follow:
                await until(lambda: self._answers_are_here(moment), f"the ledger's answers, while {moment.name}")
            waiting = await self.lags.waiting(moment.service, [moment.topic])
            if (
                waiting == 0
                or not await self.lags.reader.fetchval(moment.sight)
                or not (moment.check is None or await moment.check(self.lags))
            ):
                return False
            if (await asyncio.to_thread(self.stack.processes))[moment.service].state == "STARTING":
                self._quick.add(moment.service)
            ends = await self.lags.ends(list(PARTITIONS))
            killed = await asyncio.to_thread(self.stack.kill_service, moment.service)
            assert killed == pid, "nobody but us ends the service"
            self.kills.append(Kill(moment, pid, waiting, ends))
            return True
        finally:
            with suppress(ProcessLookupError):  # killed
                os.kill(pid, signal.SIGCONT)

    async def _answers_are_here(self, moment: Moment) -> bool:
        return await self.lags.waiting(moment.service, [moment.topic]) > 0 or await self.lags.ledger_is_quiet()

    async def _until_up(self, service: str) -> int:
        """Wait until the service does its work, as another process than those that were killed. Returns its pid."""
        killed = {kill.pid for kill in self.kills}
        pids: list[int] = []

        async def is_up() -> bool:
            info = (await asyncio.to_thread(self.stack.processes))[service]
            assert not info.given_up, f"supervisord gave {service} up"
            # Supervisord gives up what dies young again and again: twice in a row is left to real faults.
            if not info.runs or info.pid in killed or (service in self._quick and info.state != "RUNNING"):
                return False
            pids.append(info.pid)
            return await asyncio.to_thread(self.stack.is_ready, service)

        await until(is_up, f"{service} to come back", poll_s=0.05)
        self._quick.discard(service)
        return pids[-1]


async def until(condition: Callable[[], Awaitable[bool]], what: str, *, poll_s: float = POLL_S) -> None:
    """Wait for a condition, with a deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not await condition():
        assert time.monotonic() < deadline, f"waited {DEADLINE_S:.0f} s for {what}"
        await asyncio.sleep(poll_s)
