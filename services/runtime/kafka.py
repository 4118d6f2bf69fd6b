"""Clients for Kafka with the settings that delivery rests on.

Method: acks=all and idempotence for producers; whole batches for each partition, which costs half of sending message by
message; explicit limits. Addresses come from KAFKA_BOOTSTRAP_SERVERS.
Source: design, sections 3.5 and 3.7.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from functools import lru_cache
from struct import unpack_from
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError
from aiokafka.producer.message_accumulator import BatchBuilder

from schemas.message import Message
from schemas.topics import MESSAGE_BYTES_MAX
from services.runtime.settings import required

SESSION_TIMEOUT_MS: Final = 6_000  # after SIGKILL the partitions wait this long (measured: 60 s stock); the broker's minimum.
HEARTBEAT_INTERVAL_MS: Final = 1_500  # a quarter of the session, as Kafka advises at most a third.
POLL_INTERVAL_MS_MAX: Final = 300_000  # a batch that takes longer than this loses its partitions.
PRODUCER_LINGER_MS: Final = 5  # batches of derived events fill in less; measured p99 without it is the same.
KEY_HASHES_MAX: Final = 16_384  # keys of revisions that follow soon; 2 us each in Python, 2 MB in memory.
BATCH_BYTES_MAX: Final = 256 * 1024  # a hundred derived events; stock 16 KiB is eight, and a request a batch costs more.
# How long a broker holds back an empty answer. A partition that was just read to the end of its buffer is not asked for again
# before the answer about the others: stock (0.5 s, in Faust 1.5 s) that was seen to delay the last sales of a file by 0.84 s.
# Ten questions a second of a consumer with nothing to do cost 0.1 % of a core.
FETCH_WAIT_MS: Final = 100
# Messages that are made or appended before other tasks get their turn, which is after a millisecond. Three thousand in one go
# were seen to keep posting from its next statement while PostgreSQL was idle: a tenth of posting's time.
IN_ONE_GO_MAX: Final = 100
# A refiner's software may write within a transaction; what it gives up was never sent. While one is open, the partition's later
# records wait, at most as long as the broker lets a transaction last (`transaction.max.timeout.ms`).
ISOLATION_LEVEL: Final = "read_committed"
REQUEST_TIMEOUT_MS: Final = 30_000  # a broker restart on the local stack takes 2 s.
assert HEARTBEAT_INTERVAL_MS * 3 <= SESSION_TIMEOUT_MS, "three heartbeats fit in a session"


def bootstrap_servers() -> str:
    """Addresses of the Kafka brokers."""
    return required("KAFKA_BOOTSTRAP_SERVERS")


async def start_producer(servers: str | None = None) -> AIOKafkaProducer:
    """A started idempotent producer; `servers` is KAFKA_BOOTSTRAP_SERVERS by default.

    Raises aiokafka.errors.KafkaConnectionError if no broker answers.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=servers or bootstrap_servers(),
        acks="all",
        enable_idempotence=True,
        linger_ms=PRODUCER_LINGER_MS,
        max_batch_size=BATCH_BYTES_MAX,
        max_request_size=MESSAGE_BYTES_MAX,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
    )
    try:
        await producer.start()
    except KafkaConnectionError:
        await producer.stop()  # its background tasks are running already
        raise
    return producer


async def publish(producer: AIOKafkaProducer, messages: Iterable[Message]) -> None:
    """Send all messages, in order within each partition, and return when the broker has every one.

    A key goes to the partition where any client's default partitioner would put it. Other tasks get their turn in between.
    Raises the first delivery error.
    """
    partitions: dict[str, list[int]] = {}
    open_batches: dict[tuple[str, int], BatchBuilder] = {}
    deliveries: list[Awaitable[object]] = []
    for number, message in enumerate(messages, start=1):
        if number % IN_ONE_GO_MAX == 0:
            await asyncio.sleep(0)
        topic = message.topic
        if topic not in partitions:
            partitions[topic] = sorted(await producer.partitions_for(topic))
        partition = partitions[topic][_key_hash(message.key) % len(partitions[topic])]
        batch = open_batches.get((topic, partition))
        if batch is None or not _append(batch, message):
            if batch is not None:
                deliveries.append(await producer.send_batch(batch, topic, partition=partition))
            batch = open_batches[topic, partition] = producer.create_batch()
            appended = _append(batch, message)
            assert appended, "an empty batch takes one message of any size; the broker judges it"
    for (topic, partition), batch in open_batches.items():
        batch.close()  # a closed batch does not linger
        deliveries.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*deliveries)


def _append(batch: BatchBuilder, message: Message) -> bool:
    return batch.append(timestamp=None, key=message.key, value=message.value, headers=list(message.headers)) is not None


@lru_cache(maxsize=KEY_HASHES_MAX)
def _key_hash(key: bytes | None) -> int:
    """What Kafka's default partitioner takes modulo the number of partitions. Without a key: always the first."""
    return 0 if key is None else murmur2(key) & 0x7FFFFFFF


def murmur2(key: bytes) -> int:
    """MurmurHash2 in 32 bits with Kafka's seed. Word by word: aiokafka's, byte by byte, takes four times as long."""
    mix, bits = 0x5BD1E995, 0xFFFFFFFF
    words = len(key) // 4
    found = 0x9747B28C ^ len(key)
    for word in unpack_from(f"<{words}I", key):
        mixed = (word * mix) & bits
        mixed = ((mixed ^ (mixed >> 24)) * mix) & bits
        found = ((found * mix) & bits) ^ mixed
    if rest := key[4 * words :]:
        found = ((found ^ int.from_bytes(rest, "little")) * mix) & bits
    found = ((found ^ (found >> 13)) * mix) & bits
    return found ^ (found >> 15)
