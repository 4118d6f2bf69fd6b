"""All topics of a run, read by a consumer that has the published files alone.

Goal: what the services wrote into Kafka, from processes that ran side by side, is what a stranger was told.
Method: every record of every channel of the AsyncAPI document, from its beginning. What refiners wrote may be anything: it is
kept which of their sales the published schema refuses, to be compared with those that Premia refused as SCHEMA_INVALID.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import orjson

from schemas.dead_letter import CODE
from schemas.topics import (
    ENTITLEMENTS,
    ENTITLEMENTS_DEAD,
    LEDGER_CHECKPOINTS,
    LEDGER_COMMANDS,
    LEDGER_COMMANDS_DEAD,
    LEDGER_TRANSACTIONS,
    PAYOUT_EVENTS,
    RECALCULATIONS,
    REGISTRY,
    REGISTRY_PRIVATE,
    SALE_OUTCOMES,
    SALES,
    SALES_DEAD,
    STATEMENTS,
)
from services.runtime.topic_log import open_log
from tests.contract.consumer import Consumer, newest
from tests.integration.premium_calculator.programme import Record, header, origin, place

# In which run of processes each topic is read, or why in none: a topic that is new has to be put somewhere.
IN_THE_SAMPLE: Final = frozenset(
    {
        SALES,
        REGISTRY,
        REGISTRY_PRIVATE,
        ENTITLEMENTS,
        SALE_OUTCOMES,
        LEDGER_CHECKPOINTS,
        LEDGER_COMMANDS,
        LEDGER_TRANSACTIONS,
        PAYOUT_EVENTS,
        STATEMENTS,
        SALES_DEAD,
    }
)
WITH_BAD_INPUT: Final = frozenset({ENTITLEMENTS_DEAD, LEDGER_COMMANDS_DEAD})
IN_NO_RUN: Final = {RECALCULATIONS: "nobody recalculates there; the lot's story of the contract tests has some"}


@dataclass(slots=True)
class Reading:
    """What was found: how many messages of each name a topic has, everything that breaks a contract, sales by origin."""

    seen: dict[str, Counter[str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    refused_by_schema: set[str] = field(default_factory=set)
    rejected_as_invalid: set[str] = field(default_factory=set)

    @property
    def topics(self) -> set[str]:
        """Topics in which something was found."""
        return {topic for topic, names in self.seen.items() if names}


async def read_all(servers: str) -> Reading:
    """Read every topic that the published document names to its end."""
    consumer = Consumer(newest())
    topics = sorted(consumer.asyncapi["channels"])
    reading = Reading({topic: Counter() for topic in topics})
    async with open_log(*topics, servers=servers) as log:
        async for records in log.to_end():
            for record in records:
                _take(reading, consumer, record)
    return reading


def _take(reading: Reading, consumer: Consumer, record: Record) -> None:
    headers = tuple((name, content or b"") for name, content in record.headers)
    name = consumer.name(record.topic, headers)
    reading.seen[record.topic][name] += 1
    faults = consumer.faults(record.topic, record.key, headers, record.value or b"")
    if record.topic == SALES:
        if faults:
            reading.refused_by_schema.add(place(record))
        return
    if record.topic == SALES_DEAD and header(record, CODE) == "SCHEMA_INVALID":
        reading.rejected_as_invalid.add(origin(record))
    if not faults and consumer.has_schema(name):
        faults = consumer.surprises(name, orjson.loads(record.value))
    reading.faults += [f"{place(record)} {name} {fault}" for fault in faults]
