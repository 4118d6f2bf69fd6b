"""fsck compares Kafka with the ledger, sale by sale: what was lost, told twice, stored otherwise, or is still on its way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import orjson
import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from premia.fsck.deviation import Checked, Deviation
from premia.fsck.kafka import topics
from premia.fsck.kafka.entitlements import check_published
from premia.fsck.kafka.sales import CALCULATOR, check_sales, read_marks
from premia.fsck.kafka.topics import KafkaUnusableError
from schemas.dead_letter import ORIGIN
from schemas.message import Message
from schemas.topics import SALE_OUTCOMES, SALES
from services.runtime.kafka import publish, start_producer
from tests.integration.command import premia
from tests.integration.damage import damage_database
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.records import entitlement

PARTITION: Final = 2
KEY: Final = b"REF-1/LOT-1"


@dataclass(frozen=True, slots=True)
class Damage:
    """`sql` changes the ledger; `untold` is the offset of a sale whose outcome was never told; `told`: an outcome too many."""

    sql: str | None = None
    untold: int | None = None
    told: dict[str, Any] | None = None


POSTED_AT: Final = f"{SALES}/{PARTITION}/0"
REDRIVEN_AT: Final = f"{SALES}/{PARTITION}/5"
DAMAGES: Final[dict[str, tuple[Damage, set[tuple[str, str]]]]] = {
    "a rejected sale was never told": (
        Damage(untold=4),
        {("SALE_WITHOUT_OUTCOME", f"{SALES}/{PARTITION}/4"), ("SALE_WITHOUT_OUTCOME", REDRIVEN_AT)},
    ),
    "an accepted sale was never told": (
        Damage(untold=0),
        {("SALE_WITHOUT_OUTCOME", POSTED_AT), ("SALE_NOT_AS_TOLD", f"sale at {POSTED_AT}")},
    ),
    "a sale was told to be a duplicate too": (
        Damage(told={"origin": POSTED_AT, "outcome": "duplicate", "detail": "duplicate"}),
        {("SALE_TOLD_TWICE", f"sale at {POSTED_AT}")},
    ),
    "what became of a sale was changed": (
        Damage(sql="UPDATE ledger.entitlement SET detail = 'unchanged', first_leaf = NULL WHERE revision = 1"),
        {("SALE_NOT_AS_TOLD", f"sale at {POSTED_AT}")},
    ),
    "an origin was changed": (
        Damage(sql=f"UPDATE ledger.entitlement SET origin = '{SALES}/{PARTITION}/99' WHERE revision = 1"),
        {("SALE_NOT_AS_TOLD", f"sale at {SALES}/{PARTITION}/99")},
    ),
    "bytes that nothing else bears out": (
        Damage(
            sql="UPDATE ledger.entitlement SET value = replace(encode(value, 'escape'), 'EXP-1', 'EXP-2')::bytea"
            " WHERE revision = 1"
        ),
        {("ENTITLEMENT_NOT_AS_PUBLISHED", "REF-1/LOT-1, revision 1, calculation 0: value")},
    ),
    "a sequence was changed": (
        Damage(sql="UPDATE ledger.entitlement SET sequence = 18 WHERE revision = 1"),
        {("ENTITLEMENT_NOT_AS_PUBLISHED", "REF-1/LOT-1, revision 1, calculation 0: sequence")},
    ),
    "a day was changed": (
        Damage(sql="UPDATE ledger.entitlement SET effective_on = effective_on + 1 WHERE revision = 1"),
        {("ENTITLEMENT_NOT_AS_PUBLISHED", "REF-1/LOT-1, revision 1, calculation 0: effective_on")},
    ),
}


async def publish_all(ledger: Ledger, kafka: str) -> list[Message]:
    """Six sales on Kafka, with their entitlements: posted, unchanged, superseded, duplicate, rejected, and that one redriven.

    Returns their outcomes, which were not told yet.
    """
    assert (await premia(kafka, "topics", "apply")).exit_code == 0
    posted, unchanged = entitlement(sale_id="0"), entitlement(revision=3, sale_id="1")
    superseded, duplicate = entitlement(revision=2, sale_id="2"), entitlement(sale_id="0")
    records = [_from(offset, made) for offset, made in enumerate((posted, unchanged, superseded, duplicate))]
    await ledger.post(*records)
    rejected = {"origin": f"{SALES}/{PARTITION}/4", "outcome": "rejected", "detail": "ASSAY_MISSING"}
    outcomes = [*await ledger.messages(SALE_OUTCOMES), Message(SALE_OUTCOMES, KEY, orjson.dumps(rejected), ())]
    producer = await start_producer(kafka)
    for offset in range(5):
        await producer.send_and_wait(SALES, b"sale %d" % offset, key=KEY, partition=PARTITION)
    redriven = [(ORIGIN, f"{SALES}/{PARTITION}/4".encode())]
    await producer.send_and_wait(SALES, b"sale 4", key=KEY, partition=PARTITION, headers=redriven)
    await publish(producer, [Message(made.topic, made.key, made.value, made.headers) for made in records])
    await producer.stop()
    await _commit(kafka, offset=6)
    await _mark_as_read(ledger, kafka)
    return outcomes


def _from(offset: int, record: ConsumerRecord[Any, Any]) -> ConsumerRecord[Any, Any]:
    """The entitlement of the sale at an offset."""
    headers = dict(record.headers) | {"ce_origin": f"{SALES}/{PARTITION}/{offset}".encode()}
    record.headers = tuple(headers.items())
    return record


async def _commit(kafka: str, *, offset: int) -> None:
    """The calculator has answered sales below an offset."""
    partition = TopicPartition(SALES, PARTITION)
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=CALCULATOR, enable_auto_commit=False)
    await consumer.start()
    consumer.assign([partition])
    await consumer.commit({partition: OffsetAndMetadata(offset, "")})
    await consumer.stop()


async def _mark_as_read(ledger: Ledger, kafka: str) -> None:
    """The ledger has read all entitlements and told everything."""
    marks = await read_marks(kafka)
    await ledger.conn.executemany(
        "INSERT INTO ledger.consumer_offset (topic, partition, next_offset, cluster_id) VALUES ($1, $2, $3, 'this')",
        [(partition.topic, partition.partition, end) for partition, end in marks.entitlements.items()],
    )
    await ledger.conn.execute(
        "INSERT INTO ledger.relay_cursor SELECT 'journal', tree_size - 1 FROM ledger.log_head"
        " UNION ALL SELECT 'outbox', last_number FROM ledger.outbox_head"
    )


async def _tell(kafka: str, outcomes: list[Message]) -> None:
    producer = await start_producer(kafka)
    await publish(producer, outcomes)
    await producer.stop()


async def _found(ledger: Ledger, kafka: str) -> tuple[list[Deviation], Checked]:
    checked, marks = Checked(), await read_marks(kafka)
    conn = await asyncpg.connect(ledger.environment["PREMIA_READER_DATABASE_URL"])
    try:
        async with conn.transaction(isolation="repeatable_read", readonly=True):
            found = [deviation async for deviation in check_sales(conn, checked, marks)]
            return [*found, *[deviation async for deviation in check_published(conn, checked, marks)]], checked
    finally:
        await conn.close()


async def test_every_sale_has_one_outcome_and_they_add_up(ledger: Ledger, kafka: str) -> None:
    outcomes = await publish_all(ledger, kafka)
    await _tell(kafka, [*outcomes, *outcomes])
    found, checked = await _found(ledger, kafka)
    assert found == []
    assert checked.not_checked == {}
    assert checked.counts == {
        "sales": 6,
        "sales posted": 1,
        "sales unchanged": 1,
        "sales superseded": 1,
        "sales duplicate": 1,
        "sales rejected": 1,
        "sales redriven": 1,
        "entitlements compared with Kafka": 4,
    }


@pytest.mark.parametrize("name", DAMAGES)
async def test_damage_is_found_and_named(ledger: Ledger, kafka: str, name: str) -> None:
    damage, expected = DAMAGES[name]
    outcomes = await publish_all(ledger, kafka)
    untold = f'"origin":"{SALES}/{PARTITION}/{damage.untold}"'.encode()
    await _tell(kafka, [outcome for outcome in outcomes if damage.untold is None or untold not in outcome.value])
    if damage.told is not None:
        await _tell(kafka, [Message(SALE_OUTCOMES, KEY, orjson.dumps(damage.told), ())])
    if damage.sql is not None:
        await damage_database(ledger.environment["DATABASE_URL"], damage.sql)
    found, _ = await _found(ledger, kafka)
    assert {(deviation.code.value, deviation.where) for deviation in found} == expected


async def test_bytes_that_differ_are_shown_where_they_do(ledger: Ledger, kafka: str) -> None:
    damage, _ = DAMAGES["bytes that nothing else bears out"]
    await _tell(kafka, await publish_all(ledger, kafka))
    assert damage.sql is not None
    await damage_database(ledger.environment["DATABASE_URL"], damage.sql)
    (found, *_), _ = await _found(ledger, kafka)  # and the same beside its duplicate
    assert '"exporter_id":"EXP-1"' in found.expected
    assert '"exporter_id":"EXP-2"' in found.found


async def test_what_is_on_its_way_is_counted_and_not_taken_for_lost(ledger: Ledger, kafka: str) -> None:
    outcomes = await publish_all(ledger, kafka)
    await ledger.conn.execute("UPDATE ledger.relay_cursor SET position = -1 WHERE source = 'journal'")
    await _tell(kafka, outcomes[1:])
    found, checked = await _found(ledger, kafka)
    assert found == []
    told = "1 sales, 1 outcomes are not through yet: look again when nothing is waiting"
    assert checked.not_checked == {"sales on their way": told}
    await _commit(kafka, offset=0)
    await ledger.conn.execute("UPDATE ledger.relay_cursor SET position = 1000")
    await _tell(kafka, outcomes[:1])
    found, checked = await _found(ledger, kafka)
    assert (found, "sales" in checked.counts) == ([], False)


async def test_a_broker_without_the_topics_is_named(kafka: str) -> None:
    with pytest.raises(KafkaUnusableError, match=r"gold\.sales\.v1"):
        await read_marks(kafka)


async def test_a_group_whose_coordinator_does_not_come_is_told_in_words(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "COORDINATOR_WAIT_S", 0.0)
    with pytest.raises(KafkaUnusableError, match="no coordinator in time"):
        await topics.committed_by(kafka, "nobody")
