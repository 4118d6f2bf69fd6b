"""The worker at work: every record gets exactly one answer, in order, whatever its bytes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Final

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.consumer import fetcher
from aiokafka.errors import MessageSizeTooLargeError

from schemas.cloudevents import from_headers
from schemas.dead_letter import ORIGIN, DeadLetter
from schemas.entitlement import ENTITLEMENT_TYPE, Entitlement
from schemas.gold_sale import SCHEMES_MAX, SOURCES_MAX
from schemas.identifiers import ID_CHARS_MAX
from schemas.message import Message
from schemas.registry import Organization, Status
from schemas.registry_snapshot import RegistrySnapshot, registry_snapshot
from schemas.sale_outcome import Outcome, SaleOutcome
from schemas.topics import ENTITLEMENTS, SALE_BYTES_MAX, SALE_MESSAGE_BYTES_MAX, SALE_OUTCOMES, SALES, SALES_DEAD
from services.premium_calculator.header_names import mend_header_names
from tests.integration.command import premia
from tests.integration.premium_calculator.poison import KEY, POISON, send_between_unreadable_names
from tests.integration.premium_calculator.programme import (
    Record,
    apply_registry,
    assert_revisions_in_order,
    create_topics,
    header,
    many_sales,
    message_of,
    origin,
    place,
    read,
    sale_message,
    send,
    unanswered,
)
from tests.integration.premium_calculator.worker_process import WorkerProcess, until
from tests.unit.premium_calculator import programme

STOP_S_MAX: Final = 5.0
EXIT_UNEXPECTED: Final = 70


@pytest.fixture(scope="module")
def brokers(module_kafka: str) -> Iterator[str]:
    """A broker with topics, a registry in which any sale of the module fits, and one worker."""

    async def prepare() -> None:
        await create_topics(module_kafka)
        await apply_registry(module_kafka, with_many_producers_and_schemes())

    asyncio.run(prepare())
    with WorkerProcess(module_kafka) as worker, pytest.MonkeyPatch.context() as patch:
        asyncio.run(worker.until_ready())
        for name in ("MemoryRecords", "PartitionRecords"):
            patch.setattr(fetcher, name, getattr(fetcher, name))  # put back at the end
        mend_header_names()  # our own reading of the sales needs it as much as the worker does
        yield module_kafka


def with_many_producers_and_schemes() -> RegistrySnapshot:
    """The small programme, and what the largest sale that is allowed needs."""
    base = programme.snapshot()
    schemes = dict(base.schemes)
    for id_ in longest_ids("SCHEME", SCHEMES_MAX):
        scheme = programme.scheme(
            id=id_, currency="UYW", rate={"kind": "per_mass", "amount": "9999.999999999999", "unit": "GRM"}
        )
        schemes[scheme.record_id] = scheme
    organizations = dict(base.organizations)
    for id_ in longest_ids("ORG", SOURCES_MAX):
        statuses = tuple(
            Status.model_validate({"scheme": scheme.id, "status": "in", "from": "2015-01-01"}) for scheme in schemes.values()
        )
        organizations[id_] = Organization(id=id_, name="Large", country="PE", kind="producer", statuses=statuses)
    return registry_snapshot(None, organizations, schemes)


def longest_ids(kind: str, count: int) -> list[str]:
    # "@1" follows a scheme's id in the id of its record, which has the same limit.
    return [f"{kind}-{number:03d}-".ljust(ID_CHARS_MAX - len("@1"), "x") for number in range(count)]


async def answered(brokers: str, messages: list[Message]) -> list[Record]:
    """Publish messages and wait until each has its answer; the answers in the order of the messages."""
    before = {place(record) for record in await read(brokers, SALES)}
    await send(brokers, messages)
    published = [record for record in await read(brokers, SALES) if place(record) not in before]
    origins = {place(record) for record in published}

    async def all_there() -> bool:
        return not origins & await unanswered(brokers)

    await until(all_there, what="every record is answered")
    by_origin = {origin(record): record for record in await read(brokers, ENTITLEMENTS, SALES_DEAD)}
    order = {(message.key, message.value): number for number, message in enumerate(messages)}
    published.sort(key=lambda record: order[record.key, record.value or b""])
    return [by_origin[place(record)] for record in published]


# --- accepted -----------------------------------------------------------------------------------------------------------


async def test_a_sale_becomes_an_entitlement_under_its_key_with_the_sales_own_time_and_origin(brokers: str) -> None:
    sale = sale_message(lot_id="HEADERS", sequence=41)
    (entitlement,) = await answered(brokers, [sale])
    attributes = from_headers(entitlement.headers)
    assert (entitlement.topic, entitlement.key) == (ENTITLEMENTS, sale.key)
    content = Entitlement.model_validate_json(entitlement.value)
    assert attributes.type == ENTITLEMENT_TYPE  # type: ignore[union-attr]
    assert header(entitlement, "ce_id") == str(content.entitlement_id)
    assert header(entitlement, "ce_saletime") == "2025-03-20T12:00:00Z"
    assert header(entitlement, "ce_salesequence") == "41"
    assert content.premiums[0].total == "1495.50"
    (published,) = [record for record in await read(brokers, SALES) if record.key == sale.key]
    assert header(entitlement, "ce_origin") == place(published)


async def test_revisions_of_a_lot_keep_their_order_and_their_partition(brokers: str) -> None:
    entitlements = await answered(brokers, many_sales(40, revisions=5, first=700_000))
    assert_revisions_in_order(entitlements)
    partitions: dict[bytes, set[int]] = {}
    for record in entitlements:
        partitions.setdefault(record.key, set()).add(record.partition)
    assert all(len(found) == 1 for found in partitions.values())
    assert len({record.partition for record in entitlements}) > 1


async def test_a_sale_in_another_partition_than_its_keys_is_answered_in_that_of_its_key(brokers: str) -> None:
    by_key = await answered(brokers, [sale_message(lot_id="PLACED", revision=1)])
    elsewhere = sale_message(lot_id="PLACED", revision=2)
    producer = AIOKafkaProducer(bootstrap_servers=brokers)
    await producer.start()
    partition = (by_key[0].partition + 1) % 4
    await producer.send_and_wait(
        SALES, value=elsewhere.value, key=elsewhere.key, headers=list(elsewhere.headers), partition=partition
    )
    await producer.stop()
    await until(lambda: has_entitlements(brokers, b"REF/PLACED", 2), what="both revisions are answered")
    found = [record for record in await read(brokers, ENTITLEMENTS) if record.key == b"REF/PLACED"]
    assert {record.partition for record in found} == {by_key[0].partition}


async def has_entitlements(brokers: str, key: bytes, wanted: int) -> bool:
    return len([record for record in await read(brokers, ENTITLEMENTS) if record.key == key]) == wanted


async def test_the_largest_sale_under_all_schemes_is_one_message_that_the_broker_takes(brokers: str) -> None:
    ids = longest_ids("ORG", SOURCES_MAX)
    sale = sale_message(
        lot_id="LARGEST".ljust(ID_CHARS_MAX, "x"),
        melt_weight=programme.grams("2000.00"),
        sources=programme.sources(*[(id_, "10.00") for id_ in ids]),
        schemes=longest_ids("SCHEME", SCHEMES_MAX),
    )
    assert len(sale.value) < SALE_BYTES_MAX
    (entitlement,) = await answered(brokers, [sale])
    assert entitlement.topic == ENTITLEMENTS
    assert len(entitlement.value) > 1_000_000
    assert len(Entitlement.model_validate_json(entitlement.value).premiums) == SCHEMES_MAX


# --- poison -------------------------------------------------------------------------------------------------------------


async def test_poison_between_good_sales_ends_in_dead_letters_with_code_field_and_original_bytes(brokers: str) -> None:
    messages: list[Message] = []
    for number, (poison, _) in enumerate(POISON.values()):
        messages += [sale_message(lot_id=f"BETWEEN-{number}"), poison]
    found = await answered(brokers, messages)
    assert {record.topic for record in found[::2]} == {ENTITLEMENTS}
    for dead, (poison, field) in zip(found[1::2], POISON.values(), strict=True):
        assert dead.topic == SALES_DEAD
        assert (dead.key, dead.value) == (poison.key, poison.value)
        assert [pair for pair in dead.headers if pair[0].startswith("ce_")] == [
            pair for pair in poison.headers if pair[0].startswith("ce_")
        ]
        letter = DeadLetter.from_headers(dead.headers)
        assert (letter.code, letter.field) == ("SCHEMA_INVALID", field)
        assert letter.message


async def test_a_header_whose_name_is_not_utf_8_stops_nobody(brokers: str) -> None:
    good = sale_message(lot_id="NAMED")
    await send_between_unreadable_names(brokers, good)
    await until(lambda: all_answered(brokers), what="all three are answered")
    (dead,) = [record for record in await read(brokers, SALES_DEAD) if record.key == good.key]
    assert DeadLetter.from_headers(dead.headers).field == "ce_specversion"
    assert (dead.value, header(dead, "a??o")) == (good.value, "2025")
    assert await has_entitlements(brokers, b"REF/NAMED", 2)


async def all_answered(brokers: str) -> bool:
    return not await unanswered(brokers)


async def test_a_rejected_sale_is_told_to_its_publisher_with_what_could_be_read_of_it(brokers: str) -> None:
    sale = sale_message(lot_id="REFUSED", revision=3, sequence=99, sources=programme.sources(("ORG-X", "2450.60")))
    (dead,) = await answered(brokers, [sale])
    (told,) = [record for record in await read(brokers, SALE_OUTCOMES) if record.key == sale.key]
    outcome = SaleOutcome.model_validate_json(told.value)
    assert (outcome.outcome, outcome.detail, outcome.field) == (
        Outcome.REJECTED,
        "UNKNOWN_ORGANIZATION",
        "sources.0.organization_id",
    )
    assert (outcome.refiner_id, outcome.lot_id, outcome.revision, outcome.sequence) == ("REF", "REFUSED", 3, 99)
    assert outcome.origin == origin(dead)
    assert outcome.source == "/refiners/REF"


async def test_a_redriven_sale_that_fails_again_keeps_the_origin_of_the_first_time(brokers: str) -> None:
    sale = sale_message(lot_id="REDRIVEN", schemes=["none-such"])
    (dead,) = await answered(brokers, [sale])
    await send(brokers, [Message(SALES, dead.key, dead.value, tuple(dead.headers))])
    await until(lambda: has_dead_letters(brokers, b"REF/REDRIVEN", 2), what="it is rejected again")
    again = [record for record in await read(brokers, SALES_DEAD) if record.key == b"REF/REDRIVEN"]
    assert {origin(record) for record in again} == {origin(dead)}
    assert {header(record, "ce_id") for record in again} == {header(dead, "ce_id")}


async def has_dead_letters(brokers: str, key: bytes, wanted: int) -> bool:
    return len([record for record in await read(brokers, SALES_DEAD) if record.key == key]) == wanted


@pytest.mark.parametrize("forged", [b"nonsense", b"premium.entitlements.v1/0/1", b"\xff"])
async def test_a_header_that_names_no_sale_as_origin_is_not_believed(brokers: str, forged: bytes) -> None:
    sale = sale_message(lot_id=f"FORGED-{forged.hex()}")
    await answered(brokers, [Message(SALES, sale.key, sale.value, (*sale.headers, (ORIGIN, forged)))])


async def test_nobody_speaks_in_the_name_of_another_sale(brokers: str) -> None:
    """A header that names a place where something else lies does not overwrite what became of that."""
    first = sale_message(lot_id="SAME-LOT", schemes=["none-such"])
    (dead,) = await answered(brokers, [first])
    other = sale_message(lot_id="SAME-LOT", schemes=["none-such"], revision=7)
    (told,) = await answered(
        brokers, [Message(SALES, other.key, other.value, (*other.headers, (ORIGIN, origin(dead).encode())))]
    )
    assert origin(told) != origin(dead)


async def test_what_would_not_fit_into_a_dead_letter_is_refused_by_the_broker(brokers: str) -> None:
    """A compressed message may unpack to a thousand times its size: the broker measures what it unpacks to."""
    producer = AIOKafkaProducer(bootstrap_servers=brokers, compression_type="gzip", max_request_size=100 * 1024 * 1024)
    await producer.start()
    with pytest.raises(MessageSizeTooLargeError):
        await producer.send_and_wait(SALES, value=b"0" * (50 * 1024 * 1024), key=KEY)
    await producer.stop()
    largest = message_of(b"x" * (SALE_MESSAGE_BYTES_MAX - 1_000), key=b"REF/" + b"k" * 100)
    (dead,) = await answered(brokers, [largest])
    assert dead.value == largest.value


async def test_dlq_list_shows_each_dead_letter_once(brokers: str) -> None:
    await answered(brokers, [sale_message(lot_id="LISTED", payer_id="NOBODY")])
    listed = await premia(brokers, "dlq", "list", "--json", "--code", "UNKNOWN_ORGANIZATION")
    letters = [json.loads(line) for line in listed.lines]
    (letter,) = [found for found in letters if found["lot"] == "REF/LISTED"]
    assert listed.exit_code == 0
    assert (letter["code"], letter["field"]) == ("UNKNOWN_ORGANIZATION", "payer_id")
    assert letter["size_bytes"] > 300
    everything = await premia(brokers, "dlq", "list")
    assert "REF/LISTED  UNKNOWN_ORGANIZATION payer_id: " in everything.stdout
    origins = [json.loads(line)["origin"] for line in (await premia(brokers, "dlq", "list", "--json")).lines]
    assert len(origins) == len(set(origins))
