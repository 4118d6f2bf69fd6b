"""Topics, registry and sales of the small synthetic programme, on a real broker."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from schemas.cloudevents import CloudEventAttributes
from schemas.dead_letter import ORIGIN
from schemas.gold_sale import SALE_TYPE
from schemas.message import Message
from schemas.registry import Programme
from schemas.registry_log import plan_apply
from schemas.registry_snapshot import LoadedRegistry, RegistrySnapshot, registry_snapshot
from schemas.topics import ENTITLEMENTS, SALES, SALES_DEAD
from services.runtime.kafka import publish, start_producer
from services.runtime.topic_log import open_log
from tests.integration.command import premia
from tests.unit.premium_calculator import programme

AT: Final = datetime(2025, 3, 20, 12, tzinfo=UTC)
ACTORS: Final = {"ana": ["prepare"], "bruno": ["approve"], "diego": ["prepare", "approve"], "carla": ["accounts"]}
PROGRAMME: Final = Programme.model_validate(
    {"id": "demo", "name": "Demo", "actors": [{"id": id_, "name": id_, "roles": roles} for id_, roles in ACTORS.items()]}
)


def token_of(actor: str) -> str:
    """The token that an actor of the programme sends."""
    return f"token of {actor}"


def with_rate(amount: str) -> RegistrySnapshot:
    """The programme with its actors, and another rate of the scheme gram."""
    base = programme.snapshot()
    changed = programme.scheme(rate={"kind": "per_mass", "amount": amount, "unit": "GRM"})
    return registry_snapshot(PROGRAMME, base.organizations, {**base.schemes, changed.record_id: changed})


async def create_topics(brokers: str) -> None:
    applied = await premia(brokers, "topics", "apply")
    assert applied.exit_code == 0, applied


async def apply_registry(brokers: str, wanted: RegistrySnapshot | None = None, current: RegistrySnapshot | None = None) -> str:
    """Publish a registry over the current one; the version that is then in force."""
    snapshot = wanted or programme.snapshot()
    await send(brokers, plan_apply(current, {}, LoadedRegistry(snapshot, {})).messages(AT))
    return snapshot.version


async def send(brokers: str, messages: Iterable[Message]) -> None:
    producer = await start_producer(brokers)
    try:
        await publish(producer, messages)
    finally:
        await producer.stop()


def sale_message(**fields: Any) -> Message:
    """A sale of the programme, as a refiner would publish it."""
    sale = programme.sale(**fields)
    return message_of(programme.encoded(sale), key=f"{sale['refiner_id']}/{sale['lot_id']}".encode())


def message_of(value: bytes, *, key: bytes | None, **attributes: Any) -> Message:
    """Bytes with the headers of a sale, id derived from the bytes unless told."""
    digest = hashlib.sha256(value).hexdigest()[:32]
    headers: dict[str, Any] = {"id": f"event-{digest}", "source": "/refiners/REF", "type": SALE_TYPE, "time": AT} | attributes
    return Message(SALES, key, value, CloudEventAttributes(**headers).to_headers())


def many_sales(lots: int, revisions: int = 3, *, first: int = 0) -> list[Message]:
    """Sales of `lots` lots, the revisions of each in order, those of different lots interleaved."""
    return [
        sale_message(lot_id=f"LOT-{lot:06d}", revision=revision, melt_weight=programme.grams(weight), sources=sources)
        for revision in range(1, revisions + 1)
        for lot in range(first, first + lots)
        for weight in [f"{2000 + lot % 500}.{revision:02d}"]
        for sources in [programme.sources(("ORG-A", weight))]
    ]


Record: TypeAlias = ConsumerRecord[Any, Any]


async def read(brokers: str, *topics: str) -> list[Record]:
    """All that some topics hold now."""
    found: list[Record] = []
    async with open_log(*topics, servers=brokers) as log:
        async for records in log.to_end():
            found += records
    return found


def header(record: Record, name: str) -> str:
    return next((value or b"").decode() for key, value in record.headers if key == name)


def place(record: Record) -> str:
    return f"{record.topic}/{record.partition}/{record.offset}"


def origin(answer: Record) -> str:
    """Which sale an entitlement or a dead letter answers."""
    return header(answer, "ce_origin" if answer.topic == ENTITLEMENTS else ORIGIN)


async def count(brokers: str, *topics: str) -> int:
    """How many records some topics hold now, without reading them."""
    consumer = AIOKafkaConsumer(*topics, bootstrap_servers=brokers, group_id=None)
    await consumer.start()
    try:
        return sum((await consumer.end_offsets(consumer.assignment())).values())
    finally:
        await consumer.stop()


async def answers(brokers: str) -> Counter[str]:
    """How often each sale was answered, by origin."""
    return Counter(origin(record) for record in await read(brokers, ENTITLEMENTS, SALES_DEAD))


async def unanswered(brokers: str) -> set[str]:
    """Sales that are published and have no answer."""
    return {place(record) for record in await read(brokers, SALES)} - (await answers(brokers)).keys()


def assert_same_again(entitlements: Sequence[Record]) -> None:
    """Every repeated entitlement of an origin has the same key, bytes, headers and partition."""
    first: dict[str, tuple[Any, ...]] = {}
    for record in entitlements:
        content = (record.partition, record.key, record.value, tuple(record.headers))
        assert first.setdefault(origin(record), content) == content


def assert_revisions_in_order(entitlements: Sequence[Record]) -> None:
    """In each lot, the first entitlement of a revision comes after the first one of the revision before."""
    seen: dict[bytes, list[int]] = {}
    for record in sorted(entitlements, key=lambda found: (found.partition, found.offset)):
        revision = json.loads(record.value)["revision"]
        revisions = seen.setdefault(record.key, [])
        if revision not in revisions:
            revisions.append(revision)
    assert all(revisions == sorted(revisions) for revisions in seen.values())
