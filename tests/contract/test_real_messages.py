"""What the services really produce, read by a consumer that has the published files alone; and the stored examples."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

import pytest
import yaml

import schemes
from schemas.message import Message
from schemas.publish.contracts import CONTRACT_BY_NAME, CONTRACTS, PublishedContract
from schemas.publish.examples import Example, store_examples, stored_examples
from schemas.publish.releases import releases
from schemas.topics import TOPICS
from tests.contract.consumer import Consumer, newest
from tests.contract.reading import IN_NO_RUN, IN_THE_SAMPLE, WITH_BAD_INPUT
from tests.contract.story import Story, told_by
from tests.integration.payout.books import Books

WRITE: Final = bool(os.environ.get("PREMIA_WRITE_EXAMPLES"))  # stores the examples anew; then run `python -m schemas.publish`
# What is made of fixed input alone. Other messages carry times of the clock and random nonces.
REPEATABLE: Final = (
    "gold.sales.v1",
    "premium.entitlements.v1",
    "registry.record.v1",
    "registry.marker.v1",
    "registry.private.v1",
    "recalculation.lots.v1",
    "recalculation.step.v1",
)


async def test_every_message_of_a_lots_way_keeps_what_was_published(books: Books) -> None:
    story = await told_by(books)
    consumer = Consumer(newest())
    for message in story.messages:
        assert consumer.faults(message.topic, message.key, message.headers, message.value) == [], message
    events = {contract.name for contract in CONTRACTS if contract.topic is not None}
    assert {type_ for type_ in events if story.of_type(type_)} == events, "each event appears in the story"
    for type_ in events - {"gold.sales.v1"}:
        for message in story.of_type(type_):
            assert consumer.surprises(type_, json.loads(message.value)) == [], message
    assert consumer.surprises("premium.statement.v1", story.statement) == []
    assert consumer.surprises("registry.file.v1", story.registry) == []
    told = examples_of(story)
    if WRITE:
        for name, examples in told.items():
            store_examples(name, examples)
    for name in REPEATABLE:
        assert list(stored_examples(name)) == told[name], f"{name}: set PREMIA_WRITE_EXAMPLES=1 to store the examples anew"
    for name, examples in told.items():
        assert [one.name for one in stored_examples(name)] == [one.name for one in examples]


def test_every_topic_is_read_in_some_run_of_processes_or_it_is_said_why_not() -> None:
    assert sorted([*IN_THE_SAMPLE, *WITH_BAD_INPUT, *IN_NO_RUN]) == sorted(topic.name for topic in TOPICS)
    assert {topic.name for topic in TOPICS} == Consumer(newest()).asyncapi["channels"].keys()


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_a_stored_example_keeps_its_contract(contract: PublishedContract) -> None:
    name = contract.name
    examples = stored_examples(name)
    assert examples, "each contract shows a real example"
    consumer = Consumer(newest())
    for example in examples:
        assert consumer.surprises(name, example.value) == []
        if example.headers is not None:
            headers = tuple((header, text.encode()) for header, text in example.headers.items())
            assert contract.topic is not None
            key = None if example.key is None else example.key.encode()
            assert consumer.faults(contract.topic, key, headers, json.dumps(example.value).encode()) == []


def test_what_every_release_showed_as_an_example_is_still_taken() -> None:
    made = releases()
    assert made
    for one in made:
        for name, schema in one.schemas.items():
            for example in schema["examples"]:
                assert Consumer(newest()).surprises(name, example) == [], f"{one.folder.name} {name}"
                CONTRACT_BY_NAME[name].adapter.validate_json(json.dumps(example))


def examples_of(story: Story) -> dict[str, list[Example]]:
    """The examples that are worth showing, each with a line on what it is."""
    told = {
        "gold.sales.v1": [_event("final", "the final assay of a lot, after a provisional one", story, "gold.sales.v1", 1)],
        "premium.entitlements.v1": [
            _event("final", "what the lot earns as of its second revision", story, "premium.entitlements.v1", 1),
            _by_value(
                "recalculated", "the same, after the association's status was withdrawn from an earlier day", story,
                "premium.entitlements.v1", cause="recalculation",
            ),
        ],
        "sale.outcome.v1": [
            _by_value("posted", "accepted, and posted by the ledger", story, "sale.outcome.v1", detail="posted"),
            _by_value(
                "conflict", "the same revision came with other content", story, "sale.outcome.v1", detail="CONFLICTING_PAYLOAD"
            ),
            _by_value(
                "rejected", "fineness was sent as a fraction, not in permille", story, "sale.outcome.v1",
                detail="FINENESS_OUT_OF_RANGE",
            ),
        ],
        "ledger.command.v1": [
            _by_value("reserve", "payout asks to set a payment's money aside", story, "ledger.command.v1", kind="reserve"),
            _by_value("settle", "the bank booked it", story, "ledger.command.v1", kind="settle"),
            _by_value("clear", "a booking in suspense was a payer's money", story, "ledger.command.v1", kind="clear"),
            _by_value("exchange", "dollars are sold for soles at the bank", story, "ledger.command.v1", kind="exchange"),
        ],
        "ledger.transaction.v1": [
            _by_value("premium", "a premium was posted", story, "ledger.transaction.v1", kind="premium"),
            _by_value("settled", "a payment was settled", story, "ledger.transaction.v1", kind="settled"),
            _by_value("exchanged", "an exchange, with its rate", story, "ledger.transaction.v1", kind="exchanged"),
            _by_value("corrected", "a correction, with both persons", story, "ledger.transaction.v1", kind="corrected"),
        ],
        "ledger.command-outcome.v1": [
            _by_value("posted", "the command was carried out", story, "ledger.command-outcome.v1", code="POSTED")
        ],
        "ledger.checkpoint.v1": [_event("sealed", "everything so far, signed by the log", story, "ledger.checkpoint.v1", 0)],
        "payout.event.v1": [
            _by_value("ordered", "a cycle ordered a payment", story, "payout.event.v1", kind="cycle_result"),
            _by_value("settled", "the payment was settled", story, "payout.event.v1", kind="order_state", state="settled"),
            _by_value("verified", "an account was verified", story, "payout.event.v1", kind="account_state", state="verified"),
        ],
        "premium.statement-issued.v1": [
            _event("issued", "the statement of a month", story, "premium.statement-issued.v1", 0)
        ],
        "registry.record.v1": [
            _by_value("organization", "an association with its status", story, "registry.record.v1", id="ORG-PE-012"),
            _by_value("scheme", "a version of a scheme", story, "registry.record.v1", id="sbg@2019-07"),
        ],
        "registry.marker.v1": [_event("first", "the end of the first apply", story, "registry.marker.v1", 0)],
        "registry.private.v1": [
            _by_value(
                "organization", "what only payout and portal read", story, "registry.private.v1", organization_id="ORG-PE-012"
            )
        ],
        "recalculation.lots.v1": [_event("lots", "a lot to be calculated again", story, "recalculation.lots.v1", 0)],
        "recalculation.step.v1": [
            _by_value("prepared", "prepared by one person", story, "recalculation.step.v1", kind="prepared"),
            _by_value("approved", "approved by another", story, "recalculation.step.v1", kind="approved"),
            _by_value("published", "its entitlements are published", story, "recalculation.step.v1", kind="published"),
        ],
        "premium.statement.v1": [Example("month", "the statement of a month", story.statement)],
        "registry.file.v1": [Example("programme", "a small programme", story.registry)],
        "scheme.file.v1": [Example("sbg", "a scheme that the project ships", _scheme_file())],
    }  # fmt: skip
    assert told.keys() == {contract.name for contract in CONTRACTS}
    return told


def _scheme_file() -> object:
    # Dates are texts in a scheme file, whatever a reader of YAML 1.1 makes of them.
    text = (Path(schemes.__path__[0]) / "sbg-2019-07.yaml").read_text(encoding="utf-8")
    return yaml.load(text, Loader=yaml.BaseLoader)


def _event(name: str, about: str, story: Story, type_: str, row: int) -> Example:
    return _example(name, about, story.of_type(type_)[row])


def _by_value(name: str, about: str, story: Story, type_: str, **members: str) -> Example:
    return _example(
        name,
        about,
        next(one for one in story.of_type(type_) if members.items() <= _scalars(json.loads(one.value)).items()),
    )


def _scalars(value: dict[str, object]) -> dict[str, str]:
    return {name: member for name, member in value.items() if isinstance(member, str)}


def _example(name: str, about: str, message: Message) -> Example:
    headers = {header: content.decode() for header, content in message.headers}
    key = None if message.key is None else message.key.decode()
    return Example(name, about, json.loads(message.value), key, headers)
