"""Bad input, published to a whole stack: each event ends as the design says, visibly, and no service minds.

Method: one stack with the sample's registry; one file of events goes through `premia publish` in the order below. Receipts
name each event's origin, by which its outcome and its dead letter are found.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError

from premia.commands.demo import SCHEMES, apply_registry
from premia.local.stack import LocalStack
from samples.reader import FOLDER, PROGRAMME_FILE
from schemas.message import Message
from schemas.registry_file import load_registry
from schemas.topics import (
    ENTITLEMENTS_DEAD,
    KIB,
    LEDGER_COMMANDS,
    LEDGER_COMMANDS_DEAD,
    MIB,
    SALE_OUTCOMES,
    SALES,
    SALES_DEAD,
)
from tests.contract.reading import WITH_BAD_INPUT, Reading, read_all
from tests.integration.kills import until
from tests.integration.own_stack import own_stack, run_command
from tests.integration.premium_calculator.programme import count, read, send

GOOD: Final[dict[str, Any]] = json.loads((FOLDER / "first-lot.json").read_text(encoding="utf-8"))
DOCUMENT: Final = {"kind": "export_declaration", "number": "118-2025-40-012345", "issuer": "SUNAT"}
OTHER_ASSAYS: Final = [{"party": "seller", "fineness_permille": "870.0"}]
POLL_S: Final = 0.05


def sale(lot_id: str, **changes: Any) -> dict[str, Any]:
    """A good sale of a lot, with some fields changed."""
    return GOOD | {"lot_id": lot_id} | changes


def event(id_: str, lot_id: str, *, value: dict[str, Any] | None = None, raw: bytes | None = None) -> dict[str, Any]:
    """A line of a file of events: `value` as JSON, or `raw` bytes."""
    content = {"value": value} if raw is None else {"raw": base64.b64encode(raw).decode()}
    return {"id": id_, "source": "/refiners/REF-CH-01", "key": f"REF-CH-01/{lot_id}", **content}


def larger_than(size_bytes: int) -> dict[str, Any]:
    """A sale that has nothing wrong but its size."""
    documents = [DOCUMENT] * (size_bytes // len(orjson.dumps(DOCUMENT)))
    return sale("LARGE", documents=documents)


EVENTS: Final = {
    "good": event("good-1", "GOOD", value=sale("GOOD")),
    "bytes that are no text": event("bytes-1", "BYTES", raw=b"\xff\xfe\x00 not JSON \x80"),
    "cut off": event("cut-1", "CUT", raw=orjson.dumps(sale("CUT"))[:-25]),
    "a number for money": event(
        "number-1",
        "NUMBER",
        value=sale(
            "NUMBER",
            benchmark={"price": 2650.25, "currency": "USD", "per": "APZ", "fixing": "LBMA-PM", "on": "2025-12-22"},
        ),
    ),
    "an unknown organization": event(
        "unknown-1",
        "UNKNOWN",
        value=sale("UNKNOWN", sources=[GOOD["sources"][0] | {"organization_id": "ORG-PE-999"}]),
    ),
    "300 KiB": event("large-1", "LARGE", value=larger_than(300 * KIB)),
    "the same id with other content": event("good-1", "GOOD", value=sale("GOOD", assays=OTHER_ASSAYS)),
    "the same revision with other content": event("good-2", "GOOD", value=sale("GOOD", assays=OTHER_ASSAYS)),
    "an event twice": event("good-1", "GOOD", value=sale("GOOD")),
    "a sale under two ids": event("good-3", "GOOD", value=sale("GOOD")),
    "revision 1": event("late-1", "LATE", value=sale("LATE")),
    "revision 3": event("late-3", "LATE", value=sale("LATE", revision=3)),
    "revision 2 after 3": event("late-2", "LATE", value=sale("LATE", revision=2)),
}
REJECTED: Final = {  # code, field, dead-letter topic
    "bytes that are no text": ("SCHEMA_INVALID", "value", SALES_DEAD),
    "cut off": ("SCHEMA_INVALID", "value", SALES_DEAD),
    "a number for money": ("SCHEMA_INVALID", "benchmark.price", SALES_DEAD),
    "an unknown organization": ("UNKNOWN_ORGANIZATION", "sources.0.organization_id", SALES_DEAD),
    "300 KiB": ("SCHEMA_INVALID", "value", SALES_DEAD),
    "the same id with other content": ("CONFLICTING_PAYLOAD", "ce_id", ENTITLEMENTS_DEAD),
    "the same revision with other content": ("CONFLICTING_PAYLOAD", "revision", ENTITLEMENTS_DEAD),
}
AGAINST_THE_SCHEMA: Final = ("bytes that are no text", "cut off", "a number for money")  # it says nothing of size in bytes
USED: Final = {  # outcome, detail
    "good": ("accepted", "posted"),
    "an event twice": ("duplicate", "duplicate"),
    "a sale under two ids": ("duplicate", "duplicate"),
    "revision 1": ("accepted", "posted"),
    "revision 3": ("accepted", "unchanged"),
    "revision 2 after 3": ("accepted", "superseded"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """What was said about the events, by their names above."""

    receipts: Mapping[str, dict[str, Any]]
    outcomes: Mapping[str, dict[str, Any]]
    letters: Mapping[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with own_stack() as running:
        apply_registry(running, load_registry(PROGRAMME_FILE, SCHEMES))
        yield running


@pytest.fixture(scope="module")
def pids(stack: LocalStack) -> dict[str, int]:
    """The processes before anything bad was published."""
    return stack.process_ids()


@pytest.fixture(scope="module")
def told(stack: LocalStack, pids: dict[str, int], tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Publish all events, and wait until each has its outcome."""
    file = tmp_path_factory.mktemp("events") / "events.jsonl"
    lines = [line | {"at": f"2025-12-23T10:{number:02}:00Z"} for number, line in enumerate(EVENTS.values())]
    file.write_bytes(b"\n".join(orjson.dumps(line) for line in lines))
    published = run_command(stack, "publish", file, "--json")
    assert published.returncode == 0, published.stderr
    receipts = dict(zip(EVENTS, map(json.loads, published.stdout.splitlines()), strict=True))
    outcomes = asyncio.run(outcomes_of(stack, {receipt["origin"] for receipt in receipts.values()}))
    letters: dict[str, list[dict[str, Any]]] = {}
    for line in run_command(stack, "dlq", "list", "--json").stdout.splitlines():
        letter = json.loads(line)
        letters.setdefault(letter["origin"], []).append(letter)
    return Told(
        receipts,
        {name: outcomes[receipt["origin"]] for name, receipt in receipts.items()},
        {name: letters.pop(receipt["origin"], []) for name, receipt in receipts.items()} | letters,
    )


async def outcomes_of(stack: LocalStack, origins: set[str]) -> dict[str, dict[str, Any]]:
    """Wait until each of the sales has an outcome; all outcomes by origin."""
    found: dict[str, dict[str, Any]] = {}

    async def all_told() -> bool:
        for record in await read(servers(stack), SALE_OUTCOMES):
            outcome = json.loads(record.value)
            found[outcome["origin"]] = outcome
        return origins <= found.keys()

    await until(all_told, f"outcomes of {sorted(origins)}", poll_s=POLL_S)
    return found


def servers(stack: LocalStack) -> str:
    return stack.environment()["KAFKA_BOOTSTRAP_SERVERS"]


@pytest.mark.parametrize("name", REJECTED)
def test_what_cannot_be_used_lies_in_a_dead_letter_topic_and_its_sender_is_told(told: Told, name: str) -> None:
    code, field, topic = REJECTED[name]
    (letter,) = told.letters[name]
    assert (letter["code"], letter["field"], letter["topic"]) == (code, field, topic)
    assert letter["origin"] == told.receipts[name]["origin"]
    assert letter["message"]
    outcome = told.outcomes[name]
    assert (outcome["outcome"], outcome["detail"], outcome["field"]) == ("rejected", code, field)
    assert outcome["message"] == letter["message"]


@pytest.mark.parametrize("name", USED)
def test_a_repeat_and_a_late_revision_are_outcomes_and_no_errors(told: Told, name: str) -> None:
    outcome = told.outcomes[name]
    assert (outcome["outcome"], outcome["detail"]) == USED[name]
    assert (outcome["source"], outcome["id"]) == ("/refiners/REF-CH-01", EVENTS[name]["id"])
    assert told.letters[name] == []


def test_every_event_has_one_fate_and_a_dead_letter_only_if_it_was_rejected(told: Told) -> None:
    fates = Counter(outcome["outcome"] for outcome in told.outcomes.values())
    assert fates == {"accepted": 4, "duplicate": 2, "rejected": 7}
    assert {name for name, letters in told.letters.items() if letters} == REJECTED.keys()


def test_dead_letters_keep_the_bytes_as_they_were_published(stack: LocalStack, told: Told) -> None:
    async def values(topic: str) -> dict[Any, bytes]:
        return {record.key: record.value for record in await read(servers(stack), topic)}

    dead = asyncio.run(values(SALES_DEAD))
    for name in ("bytes that are no text", "cut off"):
        assert dead[EVENTS[name]["key"].encode()] == base64.b64decode(EVENTS[name]["raw"])
    assert len(dead[EVENTS["300 KiB"]["key"].encode()]) == told.receipts["300 KiB"]["bytes"] >= 300 * KIB


def test_ten_megabytes_are_refused_by_name_and_nothing_is_published(stack: LocalStack, told: Told, tmp_path: Path) -> None:
    assert told.outcomes
    file = tmp_path / "ten-megabytes.json"
    file.write_bytes(orjson.dumps(larger_than(10 * MIB)))
    before = asyncio.run(count(servers(stack), SALES))
    published = run_command(stack, "publish", file)
    assert published.returncode == 4
    assert f"{file}, value: SCHEMA_INVALID, is a message of {file.stat().st_size:,} bytes" in published.stderr
    assert "published 0 events" in published.stdout
    with pytest.raises(MessageSizeTooLargeError):  # who does not use our command is told by the broker
        asyncio.run(send_past_all_limits_of_the_client(servers(stack), file.read_bytes()))
    assert asyncio.run(count(servers(stack), SALES)) == before


async def send_past_all_limits_of_the_client(brokers: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=brokers, max_request_size=20 * MIB) as producer:
        await producer.send_and_wait(SALES, value, key=b"REF-CH-01/LARGE")


def test_afterwards_every_service_is_the_process_that_it_was_and_a_good_sale_is_posted(
    stack: LocalStack, told: Told, pids: dict[str, int], tmp_path: Path
) -> None:
    assert told.outcomes
    file = tmp_path / "next.json"
    file.write_bytes(orjson.dumps(sale("NEXT")))
    published = run_command(stack, "publish", file, "--json", "--time", "2025-12-23T11:00:00Z")
    assert published.returncode == 0, published.stderr
    origin = json.loads(published.stdout)["origin"]
    outcome = asyncio.run(outcomes_of(stack, {origin}))[origin]
    assert (outcome["outcome"], outcome["detail"]) == ("accepted", "posted")
    assert stack.process_ids() == pids
    checked = run_command(stack, "fsck")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_message_on_the_way_keeps_what_was_published_dead_letters_among_them(stack: LocalStack, told: Told) -> None:
    assert told.outcomes
    asyncio.run(send(servers(stack), [Message(LEDGER_COMMANDS, b"ORG-PE-012", b"\xff no command")]))
    reading = asyncio.run(read_until_the_command_is_refused(stack))
    (fault,) = reading.faults
    assert fault.startswith(f"{LEDGER_COMMANDS}/"), "ours, and nobody else's"
    assert reading.topics >= WITH_BAD_INPUT
    assert reading.refused_by_schema == {told.receipts[name]["origin"] for name in AGAINST_THE_SCHEMA}
    assert reading.refused_by_schema <= reading.rejected_as_invalid


async def read_until_the_command_is_refused(stack: LocalStack) -> Reading:
    async def is_refused() -> bool:
        return await count(servers(stack), LEDGER_COMMANDS_DEAD) > 0

    await until(is_refused, "the command lies in dead letters", poll_s=POLL_S)
    return await read_all(servers(stack))
