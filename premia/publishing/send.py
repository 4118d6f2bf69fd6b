"""Events sent to gold.sales.v1, with their receipts, and what became of them.

Goal: a receipt for each event, and on request its outcome.
Method: outcomes are read from sale.outcomes.v1 by origin, from its end before anything was sent.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

import click
import orjson
from aiokafka import AIOKafkaProducer

from premia.local.talk import progress, say
from premia.printable import printable
from premia.publishing.sale_event import SaleEvent
from premia.sale_outcomes import OutcomeWatch, watch_outcomes
from schemas.sale_outcome import Outcome, SaleOutcome
from schemas.topics import SALES
from services.runtime.kafka import start_producer
from services.runtime.topic_log import TopicMissingError

EXIT_UNANSWERED: Final = 3
IN_FLIGHT_MAX: Final = 5_000  # events sent before their deliveries are awaited: 5 MB in the client.
NAMED_RECEIPTS_MAX: Final = 20  # a screen; above it a count says more.
METADATA_TIMEOUT_S: Final = 5.0  # a broker that is up says in milliseconds whether a topic exists.


@dataclass(frozen=True, slots=True)
class _Receipt:
    """An event that the broker has, and where."""

    event: SaleEvent
    origin: str


async def publish_events(servers: str, events: Sequence[SaleEvent], *, wait_s: float | None, as_json: bool) -> int:
    """Publish, and tell receipts or outcomes; the number of events that were rejected."""
    async with AsyncExitStack() as stack:
        watch = await stack.enter_async_context(watch_outcomes(servers)) if wait_s is not None else None
        receipts = await _send(servers, events)
        if watch is not None and wait_s is not None:
            return await _tell_outcomes(watch, receipts, wait_s, as_json=as_json)
    if as_json or len(receipts) <= NAMED_RECEIPTS_MAX:
        for receipt in receipts:
            _tell_receipt(receipt, as_json=as_json)
    else:
        click.echo(f"published {len(receipts):,} events of {events[0].at:%Y-%m-%d} to {events[-1].at:%Y-%m-%d}")
    return 0


async def _send(servers: str, events: Sequence[SaleEvent]) -> list[_Receipt]:
    producer = await start_producer(servers)
    receipts = []
    try:
        await _require_topic(producer)
        with progress("publishing", len(events)) as advance:
            for start in range(0, len(events), IN_FLIGHT_MAX):
                sent = events[start : start + IN_FLIGHT_MAX]
                deliveries = [
                    await producer.send(SALES, value=event.value, key=event.key, headers=event.headers()) for event in sent
                ]
                for event, place in zip(sent, await asyncio.gather(*deliveries), strict=True):
                    receipts.append(_Receipt(event, f"{place.topic}/{place.partition}/{place.offset}"))
                advance(len(sent))
    finally:
        await producer.stop()
    return receipts


async def _require_topic(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(METADATA_TIMEOUT_S):
            await producer.partitions_for(SALES)
    except TimeoutError as error:
        raise TopicMissingError(f"{SALES} is missing: create it with `premia topics apply`") from error


def _receipt_as_json(receipt: _Receipt) -> dict[str, object]:
    event = receipt.event
    return {
        "origin": receipt.origin,
        "source": event.source,
        "id": event.id,
        "key": event.key_text,
        "bytes": len(event.value),
    }


def _tell_receipt(receipt: _Receipt, *, as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps(_receipt_as_json(receipt)))
    else:
        click.echo(printable(f"published {receipt.event.key_text} as {receipt.origin} id {receipt.event.id}"))


# --- outcomes -----------------------------------------------------------------------------------------------------------


async def _tell_outcomes(watch: OutcomeWatch, receipts: Sequence[_Receipt], timeout_s: float, *, as_json: bool) -> int:
    """Wait for and tell the outcomes; the number of rejected ones. Exit code 3 if one is missing and none was rejected."""
    with progress("waiting for outcomes", len(receipts)) as advance:
        found = await watch.of([receipt.origin for receipt in receipts], timeout_s=timeout_s, advance=advance)
    counts = Counter(outcome.outcome for outcome in found.values())
    for receipt in receipts:
        outcome = found.get(receipt.origin)
        if as_json:
            told = (
                None if outcome is None else outcome.model_dump(mode="json", include={"outcome", "detail", "field", "message"})
            )
            click.echo(orjson.dumps(_receipt_as_json(receipt) | {"place": receipt.event.place} | (told or {"outcome": None})))
        elif outcome is not None and (outcome.outcome is Outcome.REJECTED or len(receipts) <= NAMED_RECEIPTS_MAX):
            click.echo(_outcome_in_words(receipt, outcome))
    if not as_json and len(receipts) > NAMED_RECEIPTS_MAX:
        click.echo(", ".join(f"{kind.value} {counts[kind]:,}" for kind in Outcome))
    missing, rejected = len(receipts) - len(found), counts[Outcome.REJECTED]
    if missing:
        say(f"{missing:,} of {len(receipts):,} events had no outcome within {timeout_s:g} s; they are published")
        say("are the premium calculator and the ledger running? `premia status`; publishing the file again is safe")
    if rejected:
        taken = len(found) - rejected
        say(f"{rejected:,} rejected, {taken:,} taken: correct the rejected ones, with the same lot and revision,")
        say("and publish the whole file again; what was taken is a duplicate then")
    elif missing:
        raise click.exceptions.Exit(EXIT_UNANSWERED)
    return rejected


def _outcome_in_words(receipt: _Receipt, outcome: SaleOutcome) -> str:
    event = receipt.event
    if outcome.outcome is Outcome.REJECTED:
        fault = event.fault(outcome.field or "", outcome.message or "", code=outcome.detail)
        return printable(f"rejected {event.key_text} as {receipt.origin} id {event.id}: {fault}")
    detail = "" if outcome.detail == outcome.outcome.value else f" ({outcome.detail})"
    more = "" if outcome.message is None else f": {outcome.message}"
    return printable(f"{outcome.outcome.value} {event.key_text} as {receipt.origin} id {event.id}{detail}{more}")
