"""`premia topics`, `registry` and `publish` against a real broker, as a user runs them."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.cloudevents import CloudEventAttributes, from_headers
from schemas.message import Message
from schemas.registry_log import read_private_record
from schemas.topics import LEDGER_COMMANDS_DEAD, REGISTRY, REGISTRY_PRIVATE, SALE_MESSAGE_BYTES_MAX, SALES, SALES_DEAD, TOPICS
from services.premium_calculator.adapters.sale_decision import SaleRecord, decide
from services.premium_calculator.domain.registry import Registry
from tests.integration.command import premia
from tests.integration.premium_calculator.programme import Record, create_topics, read, sale_message, send
from tests.integration.premium_calculator.worker_process import until
from tests.unit.premium_calculator import programme

NOBODY: Final = "127.0.0.1:1"
SCHEME: Final[dict[str, Any]] = {
    "id": "gram",
    "version": "1",
    "valid": {"from": "2010-01-01"},
    "currency": "USD",
    "rate": {"kind": "per_mass", "amount": "0.70", "unit": "GRM"},
    "eligible_statuses": ["in"],
    "provisional_share": "0.90",
    "split": {"producer": "1"},
    "citations": ["https://example.org/terms"],
    "verified": "assumed",
}
ORGANIZATIONS: Final[list[dict[str, Any]]] = [
    {"id": "REF", "name": "Refiner", "country": "CH", "kind": "refiner"},
    {"id": "EXP", "name": "Exporter", "country": "PE", "kind": "exporter"},
    {"id": "PAY", "name": "Payer", "country": "CH", "kind": "payer"},
    {
        "id": "ORG-A",
        "name": "Mine",
        "country": "PE",
        "kind": "producer",
        "statuses": [{"scheme": "gram", "status": "in", "from": "2015-01-01"}],
        "tax_id": {"scheme": "RUC", "value": "20601234567"},
    },
]


# --- topics -------------------------------------------------------------------------------------------------------------


async def test_topics_are_created_once_and_a_second_run_changes_nothing(kafka: str) -> None:
    first = await premia(kafka, "topics", "apply")
    assert (first.exit_code, sorted(first.lines)) == (0, sorted(f"created {topic.name}" for topic in TOPICS))
    second = await premia(kafka, "topics", "apply")
    assert (second.exit_code, second.stdout) == (0, "")
    assert f"{len(TOPICS)} were there already" in second.stderr


async def test_a_topic_that_differs_from_the_plan_is_named_and_left_alone(kafka: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(SALES, 6, 1, topic_configs={"retention.ms": "60000"}), NewTopic(REGISTRY, 2, 1)])
        await until(lambda: retention_is(admin, SALES, "60000"), what="the broker knows the configuration")
        applied = await premia(kafka, "topics", "apply")
        assert applied.exit_code == 1
        assert f"differs {SALES}: retention.ms is 60000, planned -1" in applied.lines
        assert f"differs {SALES}: compression.type is producer, planned uncompressed" in applied.lines
        assert f"differs {REGISTRY}: 2 partitions, must be 1" in applied.lines
        assert not any("6 partitions" in line for line in applied.lines), "more partitions are a deployment's choice"
        assert await retention_is(admin, SALES, "60000")
    finally:
        await admin.close()


async def retention_is(admin: AIOKafkaAdminClient, topic: str, wanted: str) -> bool:
    (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": ""})])
    entries = answer.resources[0][4]
    return bool(entries) and entries[0][1] == wanted


@pytest.mark.parametrize("arguments", [("topics", "apply"), ("dlq", "list"), ("publish", "-")])
async def test_a_broker_that_does_not_answer_is_one_line_and_exit_3(arguments: tuple[str, ...]) -> None:
    sale = sale_message().value
    ended = await premia(NOBODY, *arguments, stdin=sale)
    assert ended.exit_code == 3
    assert ended.stderr.startswith(f"Error: Kafka at {NOBODY} does not answer: ")
    assert len(ended.stderr.splitlines()) == 1


# --- registry -----------------------------------------------------------------------------------------------------------


def write_registry(folder: Path, organizations: list[dict[str, Any]] = ORGANIZATIONS, **scheme: Any) -> tuple[Path, Path]:
    file, schemes = folder / "registry.yaml", folder / "schemes"
    schemes.mkdir(exist_ok=True)
    file.write_text(yaml.safe_dump({"organizations": organizations}, allow_unicode=True), encoding="utf-8")
    (schemes / "gram.json").write_text(json.dumps(SCHEME | scheme), encoding="utf-8")
    return file, schemes


async def test_an_apply_publishes_what_differs_and_the_same_file_again_nothing(kafka: str, tmp_path: Path) -> None:
    await create_topics(kafka)
    file, schemes = write_registry(tmp_path)
    first = await premia(kafka, "registry", "apply", file, "--schemes", schemes)
    assert first.exit_code == 0, first
    assert first.lines[:-1] == [
        "added organization EXP",
        "added organization ORG-A",
        "added organization PAY",
        "added organization REF",
        "added scheme gram@1",
        "changed private data of 1",
    ]
    version = first.lines[-1].split()[1]
    published = len(await read(kafka, REGISTRY, REGISTRY_PRIVATE))

    again = await premia(kafka, "registry", "apply", file, "--schemes", schemes)
    assert (again.exit_code, again.lines) == (0, [f"unchanged {version}"])
    assert len(await read(kafka, REGISTRY, REGISTRY_PRIVATE)) == published

    rate = {"kind": "per_mass", "amount": "0.80", "unit": "GRM"}
    write_registry(tmp_path, [row for row in ORGANIZATIONS if row["id"] != "PAY"], rate=rate)
    changed = await premia(kafka, "registry", "apply", file, "--schemes", schemes, "--yes")
    assert changed.lines[:2] == ["removed organization PAY", "changed scheme gram@1"]
    assert changed.lines[2].endswith(f"(was {version})")
    assert len(await read(kafka, REGISTRY)) == published - 1 + 3  # two records and a marker; private data untouched


async def test_what_is_private_is_not_on_the_public_topic(kafka: str, tmp_path: Path) -> None:
    await create_topics(kafka)
    file, schemes = write_registry(tmp_path)
    await premia(kafka, "registry", "apply", file, "--schemes", schemes)
    assert not any(b"20601234567" in record.value for record in await read(kafka, REGISTRY))
    (private,) = await read(kafka, REGISTRY_PRIVATE)
    assert read_private_record(private.value).body.tax_id.value == "20601234567"  # type: ignore[union-attr]


async def test_a_file_with_a_mistake_is_one_line_with_file_line_and_field(kafka: str, tmp_path: Path) -> None:
    await create_topics(kafka)
    file, schemes = write_registry(tmp_path)
    file.write_text(file.read_text(encoding="utf-8").replace("country: CH", "country: Switzerland", 1), encoding="utf-8")
    applied = await premia(kafka, "registry", "apply", file, "--schemes", schemes)
    assert applied.exit_code == 2
    assert applied.stderr.startswith(f"{file}:2: organizations.0.country: ")
    assert await read(kafka, REGISTRY) == []


# --- publish ------------------------------------------------------------------------------------------------------------


def registry_for_sales() -> Registry:
    return programme.registry()


def is_accepted(record: Record) -> bool:
    return hasattr(decide(SaleRecord(record.key, record.value, record.headers), registry_for_sales()), "entitlement_id")


async def test_a_sale_from_a_file_is_an_event_that_the_calculator_takes(kafka: str, tmp_path: Path) -> None:
    await create_topics(kafka)
    file = tmp_path / "sale.json"
    file.write_bytes(programme.encoded(programme.sale()))
    published = await premia(kafka, "publish", file)
    (record,) = await read(kafka, SALES)
    attributes = from_headers(record.headers)
    assert isinstance(attributes, CloudEventAttributes)
    assert published.exit_code == 0, published
    assert published.lines == [f"published REF/LOT-1 as {SALES}/{record.partition}/0 id {attributes.id}"]
    assert record.value == file.read_bytes()
    assert is_accepted(record)


async def test_publishing_a_file_again_makes_the_same_ids_also_after_it_was_compressed(kafka: str, tmp_path: Path) -> None:
    await create_topics(kafka)
    lines = b"".join(programme.encoded(programme.sale(lot_id=f"L-{number}")) + b"\n" for number in range(30))
    (tmp_path / "sales.jsonl").write_bytes(lines)
    (tmp_path / "sales.jsonl.gz").write_bytes(gzip.compress(lines))
    first = await premia(kafka, "publish", tmp_path / "sales.jsonl")
    assert first.stdout.startswith("published 30 events")
    ids = {dict(record.headers)["ce_id"] for record in await read(kafka, SALES)}
    assert len(ids) == 30
    await premia(kafka, "publish", tmp_path / "sales.jsonl.gz")
    assert {dict(record.headers)["ce_id"] for record in await read(kafka, SALES)} == ids
    # The sequence counts messages and is no content: a resend may carry another.
    again = programme.encoded(programme.sale(lot_id="L-0", sequence=9_999))
    receipt = json.loads((await premia(kafka, "publish", "--json", "-", stdin=again)).stdout)
    assert receipt["id"].encode() in ids


async def test_id_and_time_can_be_told(kafka: str) -> None:
    await create_topics(kafka)
    sale = programme.encoded(programme.sale())
    told = await premia(kafka, "publish", "-", "--id", "mine", "--time", "2025-03-14T10:00:00+01:00", stdin=sale)
    assert told.exit_code == 0, told
    (record,) = await read(kafka, SALES)
    headers = dict(record.headers)
    assert (headers["ce_id"], headers["ce_time"]) == (b"mine", b"2025-03-14T09:00:00Z")
    two = await premia(kafka, "publish", "-", "--id", "mine", stdin=sale + b"\n" + sale)
    assert two.exit_code == 2
    assert (await premia(kafka, "publish", "-", "--time", "yesterday", stdin=sale)).exit_code == 2


async def test_what_cannot_be_published_is_refused_by_file_and_line_and_the_rest_goes(kafka: str, tmp_path: Path) -> None:
    await create_topics(kafka)
    good = programme.encoded(programme.sale())
    # A line that is too long even to be read, one that is too large as a message, and one that nearly is.
    huge = good[:-1] + b', "refiner_reference": "' + b"x" * 10_000_000 + b'"}'
    large = good[:-1] + b', "refiner_reference": "' + b"x" * SALE_MESSAGE_BYTES_MAX + b'"}'
    nearly = good[:-1] + b', "refiner_reference": "' + b"x" * (SALE_MESSAGE_BYTES_MAX - 2_000) + b'"}'
    file = tmp_path / "mixed.jsonl"
    file.write_bytes(b"\n".join([good, b"", huge, large, nearly, b"no json", b"[1]", b'{"lot_id": "L"}', good[:-9]]) + b"\n")
    mixed = await premia(kafka, "publish", file)
    assert mixed.exit_code == 4
    assert [record.value for record in await read(kafka, SALES)] == [good, nearly]
    refused = {line.split(",", 1)[0]: line for line in mixed.stderr.splitlines() if line.startswith(str(file))}
    assert set(refused) == {f"{file}:{number}" for number in (3, 4, 6, 7, 8, 9)}
    assert all(": SCHEMA_INVALID, " in line for line in refused.values())
    assert f"is a message of {len(huge) + 1:,} bytes, and at most 1,048,576 (1 MiB) are taken" in refused[f"{file}:3"]
    assert "at most 1,048,576 (1 MiB) are taken" in refused[f"{file}:4"]
    assert "refiner_id: SCHEMA_INVALID, is required and missing: add it" in refused[f"{file}:8"]


async def test_a_file_that_cannot_be_read_publishes_nothing(kafka: str, tmp_path: Path) -> None:
    await create_topics(kafka)
    (tmp_path / "sale.json").write_bytes(programme.encoded(programme.sale()))
    (tmp_path / "torn.jsonl.gz").write_bytes(gzip.compress(b"{}" * 1000)[:-10])
    for name in ("missing.json", "torn.jsonl.gz"):
        ended = await premia(kafka, "publish", tmp_path / "sale.json", tmp_path / name)
        assert ended.exit_code == 2
        assert ended.stderr.startswith(f"{tmp_path / name}: cannot be read: ")
    assert await read(kafka, SALES) == []


def event(at: str, lot_id: str, **fields: Any) -> dict[str, Any]:
    sale = programme.sale(lot_id=lot_id)
    told = {"at": at, "id": f"id-{lot_id}", "source": "/refiners/REF", "key": f"REF/{lot_id}", "value": sale}
    return told | fields


async def test_events_are_published_in_the_order_of_their_times_and_only_the_part_that_is_wanted(
    kafka: str, tmp_path: Path
) -> None:
    await create_topics(kafka)
    raw = b"\xff no JSON"
    spoiled = event("2016-01-01T00:00:00Z", "B", key="REF/A", raw=base64.b64encode(raw).decode())
    del spoiled["value"]
    events = [
        event("2017-01-01T00:00:00Z", "A"),
        spoiled,
        event("2015-06-30T23:59:59Z", "A"),
        event("2014-01-01T00:00:00Z", "A"),
    ]
    file = tmp_path / "events.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in events), encoding="utf-8")
    part = await premia(kafka, "publish", file, "--from", "2015-01-01T00:00:00Z", "--until", "2017-01-01T00:00:00Z")
    assert part.exit_code == 0, part
    earlier, later = await read(kafka, SALES)
    assert (dict(earlier.headers)["ce_time"], dict(earlier.headers)["ce_id"]) == (b"2015-06-30T23:59:59Z", b"id-A")
    assert json.loads(earlier.value) == programme.sale(lot_id="A")
    assert (later.key, later.value, dict(later.headers)["ce_id"]) == (b"REF/A", raw, b"id-B")


@pytest.mark.parametrize(
    ("spoiled", "reason"),
    [
        ({"at": "soon"}, "at must be a time"),
        ({"id": 7}, "id must be a text"),
        ({"raw": "e30="}, "either value or raw"),
        ({"value": None, "raw": "%"}, "either value or raw"),
        ({"value": ..., "raw": "%"}, "raw must be base64"),
        ({"value": ..., "raw": "e30=\x80"}, "raw must be base64"),
    ],
)
async def test_an_event_that_is_not_well_formed_is_refused_by_line(spoiled: dict[str, Any], reason: str) -> None:
    sent = {name: member for name, member in (event("2015-01-01T00:00:00Z", "A") | spoiled).items() if member is not ...}
    line = json.dumps(sent).encode()
    refused = await premia(NOBODY, "publish", "-", stdin=line)
    assert refused.exit_code == 4
    assert refused.stderr.startswith("-:1: ")
    assert reason in refused.stderr


async def test_without_services_the_wait_ends_and_says_that_the_events_are_published(kafka: str) -> None:
    await create_topics(kafka)
    waited = await premia(kafka, "publish", "-", "--wait", "--timeout", "0.5", stdin=programme.encoded(programme.sale()))
    assert waited.exit_code == 3
    assert "1 of 1 events had no outcome within 0.5 s; they are published" in waited.stderr


# --- dlq (what services really refuse: test_dlq.py) ---------------------------------------------------------------------


async def test_commands_of_the_ledger_are_never_redriven_and_forged_letters_do_not_stop_the_list(kafka: str) -> None:
    await create_topics(kafka)
    reason = (
        ("premia_dlq_code", b"SCHEMA_INVALID"),
        ("premia_dlq_field", b"kind"),
        ("premia_dlq_message", b"must be \x1b[31mred"),
        ("premia_dlq_origin", b"ledger.commands.v1/0/7"),
        ("premia_dlq_at", b"2025-03-14T10:00:00+00:00"),
    )
    command = Message(LEDGER_COMMANDS_DEAD, b"ORG-1", b"{}", reason)
    forged = [Message(SALES_DEAD, b"k", b"\xff\x00", ()), Message(SALES_DEAD, None, b"{}", (("premia_dlq_at", b"soon"),))]
    await send(kafka, [command, *forged])
    letters = [json.loads(line) for line in (await premia(kafka, "dlq", "list", "--json")).lines]
    assert [letter["state"] for letter in letters] == ["never_redriven"] * 3
    assert "\x1b" not in (await premia(kafka, "dlq", "list")).stdout
    everything = await premia(kafka, "dlq", "redrive", "--all")
    assert (everything.exit_code, everything.stdout) == (0, "")
    one = await premia(kafka, "dlq", "redrive", "ledger.commands.v1/0/7")
    assert one.exit_code == 4
    assert "is never redriven" in one.stderr
    unnamed = await premia(kafka, "dlq", "redrive")
    assert unnamed.exit_code == 2
    assert (await premia(kafka, "dlq", "show", "gold.sales.v1/0/0")).exit_code == 2
