"""Kafka to PostgreSQL and back: what is applied once, who is fenced, what stops, what is published in which order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.message import Message
from services.runtime.batch_consumer import OffsetMismatchError, Subscription, consume, record_sha256
from services.runtime.database import Connection, Pool, open_pool
from services.runtime.kafka import IN_ONE_GO_MAX, publish, start_producer
from services.runtime.outbox import enqueue, outbox_after
from services.runtime.relay import run_relay

DEADLINE_S: Final = 30.0
TOPIC: Final = "numbers.v1"
TABLES: Final = """
    CREATE SCHEMA IF NOT EXISTS example;
    CREATE TABLE example.consumer_offset (topic text, partition int, next_offset bigint NOT NULL, cluster_id text NOT NULL,
        last_record_sha256 bytea, updated_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (topic, partition));
    CREATE TABLE example.outbox (number bigint PRIMARY KEY, topic text NOT NULL, key bytea, value bytea NOT NULL,
        header_names text[] NOT NULL, header_values bytea[] NOT NULL);
    CREATE TABLE example.outbox_head (last_number bigint NOT NULL);
    INSERT INTO example.outbox_head VALUES (0);
    CREATE TABLE example.relay_cursor (source text PRIMARY KEY, position bigint NOT NULL);
    CREATE TABLE example.effect (origin text PRIMARY KEY, value bytea NOT NULL)"""


@pytest.fixture
async def pool(new_database: Callable[[], str]) -> AsyncIterator[Pool]:
    pool = await open_pool(new_database())
    await pool.execute(TABLES)
    yield pool
    await pool.close()


@pytest.fixture
def brokers(kafka: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka)
    return kafka


async def create_topic(brokers: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    await admin.create_topics([NewTopic(TOPIC, 2, 1)])
    await admin.close()


async def delete_topic(brokers: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    await admin.delete_topics([TOPIC])
    while TOPIC in await admin.list_topics():
        await asyncio.sleep(0.02)
    await admin.close()


async def publish_numbers(first: int, last: int) -> None:
    producer = await start_producer()
    await publish(producer, [Message(TOPIC, b"key-%d" % (n % 7), b"%d" % n) for n in range(first, last + 1)])
    await producer.stop()


async def write_effects(conn: Connection, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
    # A plain INSERT: a record that is applied twice violates the key and fails the test.
    await conn.executemany(
        "INSERT INTO example.effect VALUES ($1, $2)",
        [(f"{record.topic}/{record.partition}/{record.offset}", record.value) for record in records],
    )


def subscription(apply: Callable[..., Awaitable[None]] = write_effects, group: str = "numbers") -> Subscription:
    return Subscription(schema="example", group=group, topics=(TOPIC,), apply=apply, applied=lambda: None, batch_records_max=50)


@asynccontextmanager
async def running(work: Awaitable[None]) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], Awaitable[bool]], *tasks: asyncio.Task[None]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not await condition():
        for task in tasks:
            assert not task.done(), task.exception()
        assert time.monotonic() < deadline, "the condition did not come true"
        await asyncio.sleep(0.02)


async def test_every_record_takes_effect_once_over_restarts(brokers: str, pool: Pool) -> None:
    await create_topic(brokers)
    await publish_numbers(1, 300)

    async def effects(count: int) -> bool:
        return int(await pool.fetchval("SELECT count(*) FROM example.effect")) >= count

    async with running(consume(pool, subscription())) as task:
        await until(lambda: effects(100), task)
    await publish_numbers(301, 400)
    async with running(consume(pool, subscription())) as task:
        await until(lambda: effects(400), task)
    values = {int(row["value"]) for row in await pool.fetch("SELECT value FROM example.effect")}
    assert values == set(range(1, 401))


async def test_a_batch_that_fails_leaves_no_trace_and_ends_the_consumer(brokers: str, pool: Pool) -> None:
    await create_topic(brokers)
    await publish_numbers(1, 10)

    async def fail_after_writing(conn: Connection, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
        await write_effects(conn, records)
        raise ValueError("after the write, before the commit")

    with pytest.raises(ValueError, match="before the commit"):
        await asyncio.wait_for(consume(pool, subscription(fail_after_writing)), DEADLINE_S)
    assert await pool.fetchval("SELECT count(*) FROM example.effect") == 0
    assert await pool.fetchval("SELECT sum(next_offset) FROM example.consumer_offset") == 0


async def test_a_writer_whose_offset_was_moved_is_fenced_and_goes_on_from_there(brokers: str, pool: Pool) -> None:
    await create_topic(brokers)
    await publish_numbers(1, 20)
    fenced_once = asyncio.Event()

    async def lose_the_partition(conn: Connection, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
        if not fenced_once.is_set():
            # As another process would have done it: the records' effects and offsets are committed meanwhile.
            async with pool.acquire() as other, other.transaction():
                await write_effects(other, records)
                for partition in {record.partition for record in records}:
                    last = max((r for r in records if r.partition == partition), key=lambda r: r.offset)

                    await other.execute(
                        "UPDATE example.consumer_offset SET next_offset = $1, last_record_sha256 = $2 WHERE partition = $3",
                        last.offset + 1,
                        record_sha256(last),
                        partition,
                    )
            fenced_once.set()
            return  # the batch itself writes nothing that could collide; its offsets no longer match
        await write_effects(conn, records)

    async def all_effects() -> bool:
        return int(await pool.fetchval("SELECT count(*) FROM example.effect")) == 30

    async with running(consume(pool, subscription(lose_the_partition))) as task:
        await until(lambda: asyncio.sleep(0, fenced_once.is_set()), task)
        await publish_numbers(21, 30)
        await until(all_effects, task)


async def test_a_recreated_topic_stops_the_consumer_before_it_reads_anything(brokers: str, pool: Pool) -> None:
    await create_topic(brokers)
    await publish_numbers(1, 20)

    async def effects() -> bool:
        return int(await pool.fetchval("SELECT count(*) FROM example.effect")) == 20

    async with running(consume(pool, subscription())) as task:
        await until(effects, task)
    await delete_topic(brokers)
    await create_topic(brokers)
    await publish_numbers(101, 140)
    with pytest.raises(OffsetMismatchError, match="OFFSET_MISMATCH"):
        await asyncio.wait_for(consume(pool, subscription()), DEADLINE_S)
    assert await pool.fetchval("SELECT count(*) FROM example.effect") == 20


async def test_another_cluster_stops_the_consumer(brokers: str, pool: Pool) -> None:
    await create_topic(brokers)
    await pool.execute("INSERT INTO example.consumer_offset VALUES ($1, 0, 0, 'another-cluster')", TOPIC)
    with pytest.raises(OffsetMismatchError, match="another-cluster"):
        await asyncio.wait_for(consume(pool, subscription()), DEADLINE_S)


async def published(brokers: str, count: int) -> list[int]:
    consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=brokers, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    numbers: list[int] = []
    async with asyncio.timeout(DEADLINE_S):
        while len(numbers) < count:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                numbers += [int(record.value or b"") for record in records]
    await consumer.stop()
    return numbers


async def test_a_relay_publishes_what_was_committed_in_commit_order_and_nothing_else(brokers: str, pool: Pool) -> None:
    await create_topic(brokers)
    producer = await start_producer()

    async def write(numbers: range, *, commit: bool) -> None:
        async with pool.acquire() as conn:
            transaction = conn.transaction()
            await transaction.start()
            await enqueue(conn, "example", [Message(TOPIC, b"one-key", b"%d" % n, (("ce_id", b"x"),)) for n in numbers])
            await (transaction.commit() if commit else transaction.rollback())

    async def read_after(conn: Connection, position: int, limit: int) -> list[tuple[int, Message]]:
        return await outbox_after(conn, "example", position, limit)

    relay = run_relay(pool, producer, schema="example", source="outbox", read_after=read_after, wake=asyncio.Event())
    async with running(relay):
        await write(range(1, 4), commit=True)
        await write(range(100, 103), commit=False)
        await asyncio.gather(*(write(range(start, start + 3), commit=True) for start in range(4, 40, 3)))
        numbers = await published(brokers, 39)
    await producer.stop()
    rows = await pool.fetch("SELECT value FROM example.outbox ORDER BY number")
    assert numbers == [int(row["value"]) for row in rows]
    assert sorted(numbers) == list(range(1, 40))


async def test_publishing_many_messages_leaves_other_tasks_their_turn(brokers: str) -> None:
    await create_topic(brokers)
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    def messages() -> Iterator[Message]:
        for _ in range(20 * IN_ONE_GO_MAX):
            yield Message(TOPIC, b"key", b"")
            made_after.append(turns)

    made_after: list[int] = []
    taking_turns = asyncio.create_task(take_turns())
    producer = await start_producer()
    await publish(producer, messages())
    await producer.stop()
    taking_turns.cancel()
    assert made_after[-1] - made_after[0] >= 19


async def test_a_relay_goes_on_where_the_last_one_stopped_and_only_one_runs(brokers: str, pool: Pool) -> None:
    await create_topic(brokers)
    producer = await start_producer()

    async def read_after(conn: Connection, position: int, limit: int) -> list[tuple[int, Message]]:
        return await outbox_after(conn, "example", position, limit)

    async def write(first: int, last: int) -> None:
        async with pool.acquire() as conn, conn.transaction():
            await enqueue(conn, "example", [Message(TOPIC, b"k", b"%d" % n) for n in range(first, last + 1)])

    def relay() -> Awaitable[None]:
        return run_relay(pool, producer, schema="example", source="outbox", read_after=read_after, wake=asyncio.Event())

    async def relayed(position: int) -> bool:
        return await pool.fetchval("SELECT max(position) FROM example.relay_cursor") == position

    await write(1, 5)
    async with running(relay()):
        await until(lambda: relayed(5))
    await write(6, 9)
    async with running(relay()), running(relay()):
        await until(lambda: relayed(9))
        await write(10, 12)
        await until(lambda: relayed(12))
    await producer.stop()
    assert await published(brokers, 12) == list(range(1, 13))
