"""The servers that other tests run on are what the fixtures say."""

from __future__ import annotations

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

GROUP = "readers"


async def _write_and_read_one_message(bootstrap_servers: str) -> int:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    assert [topic for topic in await admin.list_topics() if not topic.startswith("__")] == []
    await admin.create_topics([NewTopic("a.topic", 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers) as producer:
        await producer.send_and_wait("a.topic", b"value")
    async with AIOKafkaConsumer(
        "a.topic", bootstrap_servers=bootstrap_servers, group_id=GROUP, auto_offset_reset="earliest", enable_auto_commit=False
    ) as consumer:
        message = await consumer.getone()
        await consumer.commit()
    return int(message.offset)


async def test_a_test_finds_a_broker_without_topics(kafka: str) -> None:
    assert await _write_and_read_one_message(kafka) == 0


async def test_the_next_test_finds_neither_topics_nor_offsets_of_the_one_before(kafka: str) -> None:
    assert await _write_and_read_one_message(kafka) == 0


async def test_a_module_has_an_empty_database(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        assert await connection.fetchval("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'") == 0
    finally:
        await connection.close()
