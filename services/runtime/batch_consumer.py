"""Kafka to PostgreSQL: batches whose effects and next offsets commit together.

Goal: at least once from Kafka, effect exactly once in PostgreSQL.
Method: the offset that counts is the row in `{schema}.consumer_offset`, moved in the same SQL transaction as the effects. On
assignment a partition is sought to that row; the row also keeps the cluster's id and the hash of the last applied record,
which is read again and compared. `UPDATE … WHERE next_offset = expected` that matches no row means another process owns the
partition (fenced): the batch is rolled back and the group joined anew. Kafka's own offsets are committed afterwards, for
lag tools only.
Refuses: a topic that was recreated or another cluster (OFFSET_MISMATCH), by ending the process.
Source: design, section 3.2.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import CommitFailedError, IllegalStateError

from schemas.topics import MESSAGE_BYTES_MAX
from services.runtime.kafka import (
    FETCH_WAIT_MS,
    HEARTBEAT_INTERVAL_MS,
    POLL_INTERVAL_MS_MAX,
    REQUEST_TIMEOUT_MS,
    SESSION_TIMEOUT_MS,
    bootstrap_servers,
)
from services.runtime.metrics import BATCH_SECONDS, FENCED_TOTAL, LAG_RECORDS, RECORDS_TOTAL

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord
    from asyncpg import Record

    from services.runtime.database import Connection, Pool

BATCH_RECORDS_MAX: Final = 2_000  # design section 6: 500 to 2,000 events in one SQL transaction.
POLL_TIMEOUT_MS: Final = 200  # how soon a stop is noticed; a record that arrives ends the wait at once.
COMMIT_INTERVAL_S: Final = 1.0  # Kafka's copy of the offsets serves lag tools, which look every few seconds.
STALLED_S: Final = 60.0  # a batch takes at most seconds; no commit for a minute while records wait is a stall.
FENCED_IN_A_ROW_MAX: Final = 20  # a rebalance fences once or twice; twenty times is a fight that a person must look at.
LAST_RECORD_TIMEOUT_S: Final = 15.0  # one record from a local or near broker takes milliseconds.

log = logging.getLogger(__name__)


class OffsetMismatchError(Exception):
    """OFFSET_MISMATCH: the topic or cluster is not the one that the stored offsets belong to. Nothing may be consumed."""


class FencedError(Exception):
    """Another process moved the offset of a partition we believed to own."""


@dataclass(slots=True)
class Progress:
    """How a consumer is doing: what `/healthz/live` and `/healthz/ready` answer from."""

    assigned: bool = False
    lag_records: int = 0
    committed_at: float = field(default_factory=time.monotonic)

    def stalled(self) -> str | None:
        """What is wrong, or None: liveness is progress of commits while records wait."""
        still_s = time.monotonic() - self.committed_at
        if self.lag_records > 0 and still_s > STALLED_S:
            return f"{self.lag_records} records wait and nothing was committed for {still_s:.0f} s"
        return None


Apply = Callable[["Connection", "Sequence[ConsumerRecord[Any, Any]]"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Subscription:
    """What to read, where its offsets live, and what to do with a batch.

    `apply(conn, records)` writes the effects inside the SQL transaction that is already open on `conn`; `applied()` is called
    after the commit. Records of one partition are in offset order. With `gather_s` a batch is left time to become larger: for
    what nobody waits for, as each batch costs the same few statements.
    """

    schema: str
    group: str
    topics: tuple[str, ...]
    apply: Apply
    applied: Callable[[], None]
    progress: Progress = field(default_factory=Progress)
    batch_records_max: int = BATCH_RECORDS_MAX
    gather_s: float = 0.0


async def consume(pool: Pool, subscription: Subscription) -> None:
    """Read and apply batches until cancelled. Raises OffsetMismatchError, or whatever `apply` raises: both end the process."""
    fenced_in_a_row = 0
    while True:
        run = _Run(pool, subscription)
        try:
            await run.until_fenced()
        except FencedError as fenced:
            FENCED_TOTAL.inc()
            fenced_in_a_row = fenced_in_a_row + 1 if run.batches == 0 else 1
            log.warning("%s: %s; joining the group again", subscription.group, fenced)
            if fenced_in_a_row > FENCED_IN_A_ROW_MAX:
                raise


class _Run:
    """One membership in the consumer group, from join to fence or cancellation."""

    def __init__(self, pool: Pool, subscription: Subscription) -> None:
        self.pool = pool
        self.subscription = subscription
        self.batches = 0
        self.next_offsets: dict[TopicPartition, int] = {}
        self.trouble: BaseException | None = None
        self.cluster_id = ""
        self.kafka_committed_at = 0.0

    async def until_fenced(self) -> None:
        self.cluster_id = await read_cluster_id()
        consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap_servers(),
            group_id=self.subscription.group,
            # Static membership: a restarted process gets its partitions back without waiting out the session.
            group_instance_id=f"{self.subscription.group}-{os.environ.get('PREMIA_INSTANCE', '0')}",
            enable_auto_commit=False,
            # Not "none": aiokafka looks for an offset while our seek is on its way and fails on a group that has committed
            # nothing yet (seen). Whatever it finds, the seek wins, and a record we do not expect stops us below.
            auto_offset_reset="earliest",
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_INTERVAL_MS,
            max_poll_interval_ms=POLL_INTERVAL_MS_MAX,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            max_partition_fetch_bytes=MESSAGE_BYTES_MAX,
            fetch_max_wait_ms=FETCH_WAIT_MS,
        )
        consumer.subscribe(list(self.subscription.topics), listener=_Assignment(self, consumer))
        await consumer.start()
        try:
            while True:
                await self._one_batch(consumer)
        finally:
            self.subscription.progress.assigned = False
            await consumer.stop()

    async def _one_batch(self, consumer: AIOKafkaConsumer) -> None:
        polled = await consumer.getmany(timeout_ms=POLL_TIMEOUT_MS, max_records=self.subscription.batch_records_max)
        if self.trouble is not None:
            raise self.trouble
        due = self.next_offsets  # a rebalance replaces it while we wait; what we apply belongs to this assignment
        batch = {partition: records for partition, records in polled.items() if records and partition in due}
        for partition, records in batch.items():
            if records[0].offset != due[partition]:
                raise OffsetMismatchError(
                    f"OFFSET_MISMATCH: {partition.topic}/{partition.partition} gave record {records[0].offset}"
                    f" where {due[partition]} was due"
                )
        if batch:
            started = time.perf_counter()
            await self._apply(batch, due)
            BATCH_SECONDS.observe(time.perf_counter() - started)
            self.batches += 1
            self.subscription.progress.committed_at = time.monotonic()
            self.subscription.applied()
        self._measure_lag(consumer)
        if batch and time.monotonic() - self.kafka_committed_at > COMMIT_INTERVAL_S:
            await self._commit_to_kafka(consumer)
        if batch and self.subscription.gather_s:
            await asyncio.sleep(self.subscription.gather_s)

    async def _apply(self, batch: dict[TopicPartition, list[ConsumerRecord[Any, Any]]], due: dict[TopicPartition, int]) -> None:
        moved: dict[TopicPartition, int] = {}
        async with self.pool.acquire() as conn, conn.transaction():
            await self.subscription.apply(conn, [record for records in batch.values() for record in records])
            for partition in sorted(batch):
                last = batch[partition][-1]
                status = await conn.execute(
                    f"UPDATE {self.subscription.schema}.consumer_offset"
                    " SET next_offset = $1, last_record_sha256 = $2, updated_at = now()"
                    " WHERE topic = $3 AND partition = $4 AND next_offset = $5",
                    last.offset + 1,
                    record_sha256(last),
                    partition.topic,
                    partition.partition,
                    due[partition],
                )
                if status != "UPDATE 1":
                    raise FencedError(f"another process moved the offset of {partition.topic}/{partition.partition}")
                moved[partition] = last.offset + 1
        due.update(moved)
        if self.next_offsets is not due:
            # The new assignment may have read PostgreSQL before our commit: joining anew reads it after.
            raise FencedError("partitions were assigned anew while a batch was applied")
        for partition, records in batch.items():
            RECORDS_TOTAL.labels(partition.topic).inc(len(records))

    def _measure_lag(self, consumer: AIOKafkaConsumer) -> None:
        by_topic = dict.fromkeys(self.subscription.topics, 0)
        for partition, next_offset in self.next_offsets.items():
            end = consumer.highwater(partition)
            if end is not None:
                by_topic[partition.topic] += max(0, end - next_offset)
        for topic, lag in by_topic.items():
            LAG_RECORDS.labels(topic).set(lag)
        progress = self.subscription.progress
        progress.lag_records = sum(by_topic.values())
        if progress.lag_records == 0:
            progress.committed_at = time.monotonic()

    async def _commit_to_kafka(self, consumer: AIOKafkaConsumer) -> None:
        self.kafka_committed_at = time.monotonic()
        try:
            await consumer.commit(dict(self.next_offsets))
        except (CommitFailedError, IllegalStateError) as error:
            # A rebalance is under way; PostgreSQL holds the offset that counts.
            log.info("%s: Kafka's copy of the offsets was not written: %s", self.subscription.group, error)

    async def assigned(self, consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition]) -> None:
        """Seek every partition to PostgreSQL's offset, after checking that it still belongs to this topic."""
        self.next_offsets = {}
        async with self.pool.acquire() as conn:
            for partition in sorted(partitions):
                row = await conn.fetchrow(
                    f"INSERT INTO {self.subscription.schema}.consumer_offset AS o"
                    " (topic, partition, next_offset, cluster_id) VALUES ($1, $2, 0, $3)"
                    " ON CONFLICT (topic, partition) DO UPDATE SET topic = o.topic"
                    " RETURNING next_offset, cluster_id, last_record_sha256",
                    partition.topic,
                    partition.partition,
                    self.cluster_id,
                )
                assert row is not None, "an upsert always returns its row"
                await self._check(partition, row)
                consumer.seek(partition, row["next_offset"])
                self.next_offsets[partition] = row["next_offset"]
        self.subscription.progress.assigned = True
        self.subscription.progress.committed_at = time.monotonic()

    async def _check(self, partition: TopicPartition, row: Record) -> None:
        name = f"{partition.topic}/{partition.partition}"
        if row["cluster_id"] != self.cluster_id:
            raise OffsetMismatchError(
                f"OFFSET_MISMATCH: {name} was read from cluster {row['cluster_id']}, this is {self.cluster_id}"
            )
        if row["next_offset"] == 0:
            return
        record = await read_record(partition, row["next_offset"] - 1)
        if record is None or record_sha256(record) != row["last_record_sha256"]:
            raise OffsetMismatchError(
                f"OFFSET_MISMATCH: record {row['next_offset'] - 1} of {name} is not the one that was applied"
            )


class _Assignment(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types for it
    """Takes what aiokafka tells of assignments to the run.

    aiokafka logs what a listener raises and goes on without positions, which would be a silent stop. So any failure is kept,
    and raised where batches are read.
    """

    def __init__(self, run: _Run, consumer: AIOKafkaConsumer) -> None:
        self._run = run
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._run.next_offsets = {}

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        try:
            await self._run.assigned(self._consumer, assigned)
        except Exception as error:
            self._run.trouble = error


def record_sha256(record: ConsumerRecord[Any, Any]) -> bytes:
    """Hash of a record's key and value, 32 bytes; the lengths keep the two from running together."""
    key, value = record.key or b"", record.value or b""
    return hashlib.sha256(b"%d:%b%d:%b" % (len(key), key, len(value), value)).digest()


async def read_cluster_id() -> str:
    """The id that the Kafka cluster was formatted with."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers(), request_timeout_ms=REQUEST_TIMEOUT_MS)
    await admin.start()
    try:
        return str((await admin.describe_cluster())["cluster_id"])
    finally:
        await admin.close()


async def read_record(partition: TopicPartition, offset: int) -> ConsumerRecord[Any, Any] | None:
    """One record by its offset, or None if the partition does not hold it. Raises TimeoutError if the broker is silent."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers(), enable_auto_commit=False, auto_offset_reset="none")
    await consumer.start()
    try:
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        beginning = (await consumer.beginning_offsets([partition]))[partition]
        if not beginning <= offset < end:
            return None
        consumer.seek(partition, offset)
        async with asyncio.timeout(LAST_RECORD_TIMEOUT_S):
            record = await consumer.getone(partition)
        return record if record.offset == offset else None
    finally:
        await consumer.stop()
