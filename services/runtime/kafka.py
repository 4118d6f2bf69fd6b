"""Clients for Kafka with the settings that delivery rests on.

Method: acks=all and idempotence for producers; explicit limits for both. Addresses come from KAFKA_BOOTSTRAP_SERVERS.
Source: design, sections 3.5 and 3.7.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from aiokafka import AIOKafkaProducer

from schemas.message import Message
from schemas.topics import MESSAGE_BYTES_MAX
from services.runtime.settings import required

SESSION_TIMEOUT_MS: Final = 6_000  # after SIGKILL the partitions wait this long (measured: 60 s stock); the broker's minimum.
HEARTBEAT_INTERVAL_MS: Final = 1_500  # a quarter of the session, as Kafka advises at most a third.
POLL_INTERVAL_MS_MAX: Final = 300_000  # a batch that takes longer than this loses its partitions.
PRODUCER_LINGER_MS: Final = 5  # batches of derived events fill in less; measured p99 without it is the same.
REQUEST_TIMEOUT_MS: Final = 30_000  # a broker restart on the local stack takes 2 s.
assert HEARTBEAT_INTERVAL_MS * 3 <= SESSION_TIMEOUT_MS, "three heartbeats fit in a session"


def bootstrap_servers() -> str:
    """Addresses of the Kafka brokers."""
    return required("KAFKA_BOOTSTRAP_SERVERS")


async def start_producer() -> AIOKafkaProducer:
    """A started idempotent producer. Raises aiokafka.errors.KafkaConnectionError if no broker answers."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers(),
        acks="all",
        enable_idempotence=True,
        linger_ms=PRODUCER_LINGER_MS,
        max_request_size=MESSAGE_BYTES_MAX,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
    )
    await producer.start()
    return producer


async def publish(producer: AIOKafkaProducer, messages: Iterable[Message]) -> None:
    """Send all messages in order and return when the broker has every one. Raises the first delivery error."""
    deliveries = [
        await producer.send(message.topic, value=message.value, key=message.key, headers=list(message.headers))
        for message in messages
    ]
    await asyncio.gather(*deliveries)
