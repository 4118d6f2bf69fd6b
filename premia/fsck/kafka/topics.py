"""Topics read from their beginning to an end that was asked for before.

Method: a consumer without group. Written anew: a checker reads with code of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError

RECORDS_AT_ONCE: Final = 2_000  # at 2 KB a record 4 MB in memory
FETCH_BYTES_MAX: Final = 8 * 1024 * 1024  # more than the largest message; for each partition
POLL_MS: Final = 200
REQUEST_TIMEOUT_MS: Final = 10_000
COORDINATOR_WAIT_S: Final = 10.0  # whoever asks a new cluster first makes it create the topic of offsets: measured 1 s
COORDINATOR_POLL_S: Final = 0.1

Ends = dict[TopicPartition, int]


class KafkaUnusableError(Exception):
    """Kafka or a topic is not there; the message says which."""


@asynccontextmanager
async def _consumer(servers: str, *topics: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=servers,
        group_id=None,
        enable_auto_commit=False,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        max_partition_fetch_bytes=FETCH_BYTES_MAX,
        isolation_level="read_committed",  # what a writer gave up was never sent
    )
    try:
        try:
            await consumer.start()
        except KafkaError as error:
            raise KafkaUnusableError(f"Kafka at {servers} does not answer: {error}") from error
        yield consumer
    finally:
        await consumer.stop()


@asynccontextmanager
async def _admin(servers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        await admin.start()
        yield admin
    except (KafkaError, TimeoutError) as error:
        raise KafkaUnusableError(f"Kafka at {servers} does not answer: {str(error) or 'no coordinator in time'}") from error
    finally:
        await admin.close()


async def ends_of(servers: str, *topics: str) -> Ends:
    """Where each partition of the topics ends. Raises KafkaUnusableError."""
    async with _admin(servers) as admin:
        if missing := set(topics) - set(await admin.list_topics()):  # a consumer would look for them until its time is over
            raise KafkaUnusableError(f"Kafka at {servers} has no topic {' and no topic '.join(sorted(missing))}")
    async with _consumer(servers, *topics) as consumer:
        ends: Ends = await consumer.end_offsets(consumer.assignment())
        return ends


async def committed_by(servers: str, group: str) -> Ends:
    """The next offsets that a consumer group has committed. Raises KafkaUnusableError."""
    async with _admin(servers) as admin, asyncio.timeout(COORDINATOR_WAIT_S):
        while True:
            try:
                found = await admin.list_consumer_group_offsets(group)
            except GroupCoordinatorNotAvailableError:
                await asyncio.sleep(COORDINATOR_POLL_S)
            else:
                return {partition: offset.offset for partition, offset in found.items()}


async def records_until(servers: str, ends: Mapping[TopicPartition, int]) -> AsyncIterator[list[ConsumerRecord[Any, Any]]]:
    """All records below `ends`, in pages; those of one partition in order. Raises KafkaUnusableError."""
    behind = {partition: end for partition, end in ends.items() if end > 0}
    if not behind:
        return  # and a consumer of aiokafka that is stopped as soon as it is started raises CancelledError
    async with _consumer(servers) as consumer:
        consumer.assign(list(behind))
        await consumer.seek_to_beginning(*behind)
        while behind:
            polled = await consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_AT_ONCE)
            page = [record for partition in polled for record in polled[partition] if record.offset < ends[partition]]
            if page:
                yield page
            for partition in list(behind):
                if await consumer.position(partition) >= behind[partition]:
                    del behind[partition]
