"""Topics read from their beginning, outside of any consumer group.

Goal: who needs everything that a topic says (a registry, the dead letters) knows when it has read all of it.
Method: a consumer without group, sought to the beginning of every partition. The end is what the broker says when it is
asked; records that come later are for `following`.
Refuses: a topic that does not exist (TopicMissingError); one that was recreated under our feet, by aiokafka's
OffsetOutOfRangeError, which nobody catches.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import UnknownTopicOrPartitionError

from schemas.dead_letter import Origin
from schemas.topics import MESSAGE_BYTES_MAX
from services.runtime.kafka import FETCH_WAIT_MS, ISOLATION_LEVEL, REQUEST_TIMEOUT_MS, bootstrap_servers

RECORDS_MAX: Final = 2_000  # taken at once; at 2 KB a record 4 MB in memory.
POLL_MS: Final = 200  # how soon the end is noticed where the last record is a control record.

Records: TypeAlias = list[ConsumerRecord[Any, Any]]


class TopicMissingError(Exception):
    """The topic does not exist: `premia topics apply` creates it."""


class TopicLog:
    """One reading of some topics. `open_log` makes it."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        """Read with a started consumer whose position is the beginning of every partition."""
        self._consumer = consumer

    async def skip_to_end(self) -> None:
        """Pass over what is there now: `following` then gives all that is published after this returned."""
        ends = await self._consumer.end_offsets(self._consumer.assignment())
        for partition, end in ends.items():
            self._consumer.seek(partition, end)

    async def skip_to_last(self, records: int) -> None:
        """Pass over all but the last `records` of each partition."""
        partitions = self._consumer.assignment()
        beginnings = await self._consumer.beginning_offsets(partitions)
        for partition, end in (await self._consumer.end_offsets(partitions)).items():
            self._consumer.seek(partition, max(beginnings[partition], end - records))

    async def to_end(self) -> AsyncIterator[Records]:
        """Give all records up to the end as it is now; within a partition in the order of their offsets."""
        partitions = self._consumer.assignment()
        behind = {partition: end for partition, end in (await self._consumer.end_offsets(partitions)).items() if end > 0}
        while behind:
            records = await self._take(POLL_MS)
            if records:
                yield records
            for partition in list(behind):
                if await self._consumer.position(partition) >= behind[partition]:
                    del behind[partition]

    async def following(self) -> AsyncIterator[Records]:
        """Give what comes after that, for ever."""
        while True:
            records = await self._take(POLL_MS)
            if records:
                yield records

    async def at(self, places: Iterable[Origin]) -> AsyncIterator[Records]:
        """Give the records at these places, within a partition in the order of their offsets; a place without one is left out.

        Reads every partition from the first of its places to the last.
        """
        partitions = self._consumer.assignment()
        beginnings = await self._consumer.beginning_offsets(partitions)
        ends = await self._consumer.end_offsets(partitions)
        wanted: dict[TopicPartition, set[int]] = {partition: set() for partition in partitions}
        for place in places:
            partition = TopicPartition(place.topic, place.partition)
            if partition in wanted and beginnings[partition] <= place.offset < ends[partition]:
                wanted[partition].add(place.offset)
        self._consumer.pause(*(partition for partition, offsets in wanted.items() if not offsets))
        last = {partition: max(offsets) for partition, offsets in wanted.items() if offsets}
        for partition in last:
            self._consumer.seek(partition, min(wanted[partition]))
        while last:
            records = await self._take(POLL_MS)
            found = [record for record in records if record.offset in wanted[TopicPartition(record.topic, record.partition)]]
            if found:
                yield found
            for partition in list(last):
                if await self._consumer.position(partition) > last[partition]:
                    self._consumer.pause(partition)
                    del last[partition]

    async def _take(self, timeout_ms: int) -> Records:
        polled = await self._consumer.getmany(timeout_ms=timeout_ms, max_records=RECORDS_MAX)
        return [record for partition in sorted(polled) for record in polled[partition]]


@asynccontextmanager
async def open_log(*topics: str, servers: str | None = None) -> AsyncIterator[TopicLog]:
    """Read `topics` from the beginning; `servers` is KAFKA_BOOTSTRAP_SERVERS by default.

    Raises TopicMissingError, or aiokafka.errors.KafkaConnectionError if no broker answers.
    """
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=servers or bootstrap_servers(),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        max_partition_fetch_bytes=MESSAGE_BYTES_MAX,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        isolation_level=ISOLATION_LEVEL,
    )
    try:
        try:
            await consumer.start()
        except UnknownTopicOrPartitionError as error:
            raise TopicMissingError(f"{' or '.join(topics)} is missing: create it with `premia topics apply`") from error
        await consumer.seek_to_beginning(*consumer.assignment())
        yield TopicLog(consumer)
    finally:
        await consumer.stop()
