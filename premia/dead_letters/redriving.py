"""Dead letters, published again.

Goal: once the cause is mended (the registry has the organization now, say), the same event is judged again.
Method: the original key, bytes and headers go to the topic they are from, with the origin: the event keeps its id, and all
counts stay what they are. It may be repeated, and be cut off, at any point.
Refuses: commands of the ledger, which were answered and whose senders acted on it; recalculations that came too late; what was
accepted, or sent anew and accepted; what is larger than its topic takes with the origin added.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click
import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from premia.dead_letters.letters import Letter, headers_of, read_dead_letters, with_records
from premia.dead_letters.telling import by_origin, letter_as_json, line
from premia.dead_letters.wanted import Filter, State
from premia.local.talk import progress, say
from premia.printable import printable
from premia.sale_outcomes import OutcomeWatch, watch_outcomes
from premia.service_session import of
from schemas.dead_letter import ATTEMPTS_MAX
from schemas.message import Message
from schemas.sale_outcome import Outcome
from schemas.topics import MESSAGE_BYTES_MAX_BY_TOPIC, SALES
from services.runtime.kafka import publish, start_producer

EXIT_UNANSWERED: Final = 3
SENT_AT_ONCE: Final = 500  # events whose delivery is awaited together; a few MB.


async def redrive_letters(
    servers: str, origins: Sequence[str], wanted: Filter, *, dry_run: bool, wait_s: float | None, as_json: bool
) -> int:
    """Publish again the letters that are named or wanted, and tell of it; how many were refused."""
    letters = await read_dead_letters(servers)
    named = by_origin(letters, origins) if origins else letters
    chosen = [letter for letter in named if wanted.takes(letter)]
    fit = [letter for letter in chosen if letter.redrivable and len(letter.failures) <= ATTEMPTS_MAX]
    if origins:
        for letter in chosen:
            if letter not in fit:
                say(f"{letter.origin}: {_why_not(letter)}; left alone")
    elif len(fit) < len(chosen):
        say(f"{len(chosen) - len(fit)} were accepted or mended already, or are never redriven; left alone")
    if not fit:
        say("nothing to redrive")
        return len(chosen) if origins else 0
    if dry_run:
        for letter in fit:
            click.echo(orjson.dumps(letter_as_json(letter)) if as_json else line(letter))
        say(f"would redrive {of(len(fit), 'event')}; nothing was published")
        return 0
    async with watch_outcomes(servers) as watch:
        redriven, too_large = await _publish_again(servers, fit)
        say(f"redrove {of(len(redriven), 'event')}: ids are the same as before")
        if wait_s is None:
            for letter in redriven:
                click.echo(orjson.dumps(letter_as_json(letter)) if as_json else f"redriven {line(letter)}")
            say("what became of them: `premia dlq list`")
            return too_large
        return too_large + await _tell_outcomes(watch, redriven, wait_s, as_json=as_json)


def _why_not(letter: Letter) -> str:
    if letter.state is State.ACCEPTED:
        return "was accepted"
    if letter.state is State.MENDED:
        return "was sent anew, and this or a later revision of the lot was accepted"
    if letter.state is State.NEVER_REDRIVEN:
        return "is never redriven: its sender has the answer, its lot moved on, or nobody can read why it lies here"
    return f"failed {len(letter.failures)} times: correct the event and send it anew"


async def _publish_again(servers: str, letters: Sequence[Letter]) -> tuple[list[Letter], int]:
    producer = await start_producer(servers)
    redriven: list[Letter] = []
    too_large = 0
    try:
        with progress("redriving", len(letters)) as advance:
            batch: list[tuple[Letter, Message]] = []
            async for letter, record in with_records(servers, letters):
                message = letter.reason.to_redriven(
                    topic=letter.topic, key=record.key, value=record.value, headers=headers_of(record)
                )
                if _size_bytes(message) > MESSAGE_BYTES_MAX_BY_TOPIC[message.topic]:
                    say(f"{letter.origin}: with its origin it is larger than {message.topic} takes; not redriven")
                    too_large += 1
                    continue
                batch.append((letter, message))
                if len(batch) == SENT_AT_ONCE:
                    redriven += await _send(producer, batch)
                    advance(len(batch))
                    batch = []
            redriven += await _send(producer, batch)
            advance(len(batch))
    finally:
        await producer.stop()
    return redriven, too_large


async def _send(producer: AIOKafkaProducer, batch: Sequence[tuple[Letter, Message]]) -> list[Letter]:
    await publish(producer, (message for _, message in batch))
    return [letter for letter, _ in batch]


def _size_bytes(message: Message) -> int:
    size: int = DefaultRecordBatchBuilder.estimate_size_in_bytes(message.key, message.value, list(message.headers))
    return size


async def _tell_outcomes(watch: OutcomeWatch, redriven: Sequence[Letter], timeout_s: float, *, as_json: bool) -> int:
    """Wait for and print outcomes; the number of those that were rejected again. Exit code 3 if one does not come."""
    sales = [letter for letter in redriven if letter.reason.origin.topic == SALES]  # of others nobody tells an outcome
    with progress("waiting for outcomes", len(sales)) as advance:
        found = await watch.of([letter.origin for letter in sales], timeout_s=timeout_s, advance=advance)
    rejected = 0
    for letter in sales:
        outcome = found.get(letter.origin)
        if outcome is None:
            say(f"{letter.origin}: no outcome within {timeout_s:g} s")
            continue
        rejected += outcome.outcome is Outcome.REJECTED
        if as_json:
            click.echo(outcome.model_dump_json())
        else:
            why = f" {outcome.field}: {outcome.message}" if outcome.outcome is Outcome.REJECTED else ""
            click.echo(printable(f"{outcome.outcome} {letter.lot} {letter.origin} {outcome.detail}{why}"))
    if len(found) < len(sales) and not rejected:
        say("are the premium calculator and the ledger running? `premia status`")
        raise click.exceptions.Exit(EXIT_UNANSWERED)
    return rejected
