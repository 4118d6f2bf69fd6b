"""The Kafka topics, made as they are planned.

Goal: a deployment has all topics, and whoever set some up by hand is told how they differ.
Method: what is missing is created; what is there is compared and never changed.
"""

from __future__ import annotations

import asyncio
from typing import Final

import click
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from schemas.topics import TOPICS, Topic

REPLICAS_WANTED: Final = 3  # one broker may be down and one may fail, and acks=all still means two copies.
IN_SYNC_REPLICAS_MIN: Final = 2
VISIBLE_TIMEOUT_S: Final = 20.0  # brokers learn of topics that the controller made within milliseconds.
VISIBLE_POLL_S: Final = 0.02


async def apply_topics(servers: str) -> bool:
    """Create and compare; True if a topic that exists differs."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    try:
        await admin.start()
        brokers = len((await admin.describe_cluster())["brokers"])
        replicas = REPLICAS_WANTED if brokers >= REPLICAS_WANTED else 1
        created = await _create(admin, replicas)
        await _until_visible(admin)
        differences = await _differences(admin, [topic for topic in TOPICS if topic.name not in created], replicas)
    finally:
        await admin.close()
    for name in created:
        click.echo(f"created {name}")
    for line in differences:
        click.echo(f"differs {line}")
    copies = "one copy" if replicas == 1 else f"{replicas} copies"
    click.echo(f"{len(created)} topics created ({copies}), {len(TOPICS) - len(created)} were there already.", err=True)
    if differences:
        click.echo("Existing topics were not changed; mend them with Kafka's own kafka-configs.sh.", err=True)
    return bool(differences)


async def _create(admin: AIOKafkaAdminClient, replicas: int) -> list[str]:
    existing = set(await admin.list_topics())
    missing = [topic for topic in TOPICS if topic.name not in existing]
    if not missing:
        return []
    response = await admin.create_topics(
        [NewTopic(topic.name, topic.partitions, replicas, topic_configs=_config(topic, replicas)) for topic in missing]
    )
    created = []
    for name, code, message in response.topic_errors:
        error = for_code(code)
        if error is TopicAlreadyExistsError:
            continue  # another `topics apply` was faster
        if code:
            raise click.ClickException(f"{name} was not created: {message or error.__name__}")
        created.append(name)
    return created


async def _until_visible(admin: AIOKafkaAdminClient) -> None:
    """Wait until brokers lead every partition: who comes next finds topics that can be used."""
    async with asyncio.timeout(VISIBLE_TIMEOUT_S):
        while True:
            partitions = [
                partition
                for topic in await admin.describe_topics([t.name for t in TOPICS])
                for partition in topic["partitions"]
            ]
            if len(partitions) >= len(TOPICS) and all(partition["leader"] >= 0 for partition in partitions):
                return
            await asyncio.sleep(VISIBLE_POLL_S)


async def _differences(admin: AIOKafkaAdminClient, existing: list[Topic], replicas: int) -> list[str]:
    if not existing:
        return []
    partitions = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics([t.name for t in existing])}
    # More or fewer partitions are a deployment's choice; but a log of one order cannot be in two of them.
    found = [
        f"{topic.name}: {partitions[topic.name]} partitions, must be 1"
        for topic in existing
        if topic.partitions == 1 and partitions[topic.name] != 1
    ]
    answers = await admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, topic.name, dict.fromkeys(_config(topic, replicas))) for topic in existing]
    )
    actual = {resource[3]: {entry[0]: entry[1] for entry in resource[4]} for answer in answers for resource in answer.resources}
    return found + [
        f"{topic.name}: {name} is {actual[topic.name].get(name)}, planned {wanted}"
        for topic in existing
        for name, wanted in _config(topic, replicas).items()
        if actual[topic.name].get(name) != wanted
    ]


def _config(topic: Topic, replicas: int) -> dict[str, str]:
    in_sync = min(IN_SYNC_REPLICAS_MIN, replicas)
    return {**topic.config(), "min.insync.replicas": str(in_sync)}
