"""`premia dlq`: events that could not be used, and what can be done about them.

Goal: nothing is dropped. Everybody can see what was refused, for which field, and where its bytes are; and once the cause is
mended (the registry has the organization now, say), the same event is judged again.
Method: a redrive publishes the original key, bytes and headers again to the topic they are from, with the origin: the event
keeps its id, and all counts stay what they are. It may be repeated, and be cut off, at any point.
Refuses: to redrive commands of the ledger, which were answered and whose senders acted on it; what was accepted; what is
larger than its topic takes with the origin added (exit 4).
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

import click
import orjson
from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from premia.dead_letters import Letter, State, headers_of, read_dead_letters, with_records
from premia.kafka import kafka_servers, run
from premia.local.talk import progress, say
from premia.moment import Moment
from premia.sale_outcomes import OutcomeWatch, watch_outcomes
from schemas.cloudevents import HeaderFault, from_headers, time_text
from schemas.dead_letter import ATTEMPTS_MAX, PREFIX
from schemas.message import Message
from schemas.sale_outcome import Outcome
from schemas.topics import MESSAGE_BYTES_MAX_BY_TOPIC, SALES
from services.runtime.kafka import publish, start_producer

EXIT_WRONG_INPUT: Final = 2
EXIT_UNANSWERED: Final = 3
EXIT_REFUSED: Final = 4
SENT_AT_ONCE: Final = 500  # events whose delivery is awaited together; a few MB.
SHOWN_BYTES_MAX: Final = 4_096  # of a value that is no JSON: enough to recognise it.
TIMEOUT_S: Final = 30.0  # a sale is answered in milliseconds; half a minute covers a service that is just starting.

_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class _Filter:
    """Which letters are meant."""

    code: str | None
    refiner: str | None
    since: datetime | None
    until: datetime | None
    state: str | None = None

    def takes(self, letter: Letter) -> bool:
        at = letter.reason.at
        return (
            (self.code is None or letter.reason.code == self.code)
            and (self.refiner is None or (letter.lot or "").partition("/")[0] == self.refiner)
            and (self.since is None or at >= self.since)
            and (self.until is None or at < self.until)
            and (self.state is None or letter.state == self.state)
        )

    @property
    def is_empty(self) -> bool:
        return self == _Filter(None, None, None, None)


def _filtered(command: _Command) -> _Command:
    for option in (
        click.option("--until", type=Moment(), help="Only those that were refused before this time."),
        click.option("--since", type=Moment(), help="Only those that were refused at or after this time."),
        click.option("--refiner", metavar="ID", help="Only those of this refiner."),
        click.option("--code", help="Only those that were last refused with this code."),
    ):
        command = option(command)
    return command


@click.group()
def dlq() -> None:
    """List, show, export and redrive events that could not be used."""


# --- list ---------------------------------------------------------------------------------------------------------------


@dlq.command(name="list")
@_filtered
@click.option("--state", type=click.Choice([state.value for state in State]), help="Only those in this state.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(
    code: str | None, refiner: str | None, since: datetime | None, until: datetime | None, state: str | None, *, as_json: bool
) -> None:
    """List events that could not be used, each origin once with its last state, oldest first."""
    wanted = _Filter(code, refiner, since, until, state)
    found = [letter for letter in run(read_dead_letters(kafka_servers())) if wanted.takes(letter)]
    for letter in found:
        if as_json:
            click.echo(orjson.dumps(_as_json(letter)))
        else:
            click.echo(_line(letter))
            click.echo(f"    {letter.size_bytes:,} bytes from {_printable(letter.origin)} · {_state_in_words(letter)}")
    say(f"{len(found)} events in dead letters{_by_code(found)}")
    waiting = sum(letter.redrivable for letter in found)
    if waiting:
        say(f"{waiting} not settled: look at one with `premia dlq show ORIGIN`, try again with `premia dlq redrive`")


def _by_code(letters: Sequence[Letter]) -> str:
    counts = Counter(letter.reason.code for letter in letters)
    by_code = ", ".join(f"{_printable(name)} {count}" for name, count in sorted(counts.items()))
    return f": {by_code}" if by_code else ""


def _line(letter: Letter) -> str:
    reason = letter.reason
    field = f" {reason.field}" if reason.field else ""
    lot = letter.lot or "lot unreadable"
    return _printable(f"{reason.at.isoformat(timespec='seconds')}  {lot}  {reason.code}{field}: {reason.message}")


def _state_in_words(letter: Letter) -> str:
    again = len(letter.reason.history)
    match letter.state:
        case State.WAITING:
            return "waiting"
        case State.FAILED_AGAIN:
            return f"redriven, failed again {again} {'time' if again == 1 else 'times'}"
        case State.ACCEPTED:
            return "redriven and accepted"
        case State.NEVER_REDRIVEN:
            return "never redriven"


def _as_json(letter: Letter) -> dict[str, object]:
    reason = letter.reason
    return {
        "topic": letter.topic,
        "origin": letter.origin,
        "code": reason.code,
        "field": reason.field,
        "message": reason.message,
        "at": reason.at.isoformat(timespec="seconds"),
        "lot": letter.lot,
        "size_bytes": letter.size_bytes,
        "state": letter.state,
        "failures": [{"code": failure.code, "at": failure.at} for failure in letter.failures],
    }


# --- show ---------------------------------------------------------------------------------------------------------------


@dlq.command()
@click.argument("origin")
@click.option("--raw", is_flag=True, help="Print the original bytes of the value and nothing else.")
def show(origin: str, *, raw: bool) -> None:
    """Show one event: why it was refused and how often, its headers, key and value.

    ORIGIN is topic/partition/offset, as `premia dlq list` prints it.
    """
    letter, record = run(_one(kafka_servers(), origin))
    if raw:
        output = click.get_binary_stream("stdout")
        output.write(record.value or b"")
        output.flush()
        return
    click.echo(_line(letter))
    click.echo(f"origin    {_printable(letter.origin)}")
    click.echo(f"lies at   {letter.place}")
    click.echo(f"state     {_state_in_words(letter)}")
    for number, failure in enumerate(letter.failures, start=1):
        click.echo(f"failure {number}  {failure.at.isoformat(timespec='seconds')}  {_printable(failure.code)}")
    for name, content in headers_of(record):
        if not name.startswith(PREFIX):
            click.echo(f"header    {_printable(name)}: {_text(content)}")
    click.echo(f"key       {_text(record.key or b'')}")
    click.echo(f"value     {letter.size_bytes:,} bytes")
    click.echo(_value_in_words(record.value or b""))


async def _one(servers: str, origin: str) -> tuple[Letter, ConsumerRecord[Any, Any]]:
    found = _by_origin(await read_dead_letters(servers), [origin])
    async with aclosing(with_records(servers, found)) as records:
        async for letter, record in records:
            return letter, record
    raise RuntimeError(f"{origin} was in its topic a moment ago")


def _by_origin(letters: Sequence[Letter], origins: Sequence[str]) -> list[Letter]:
    known = {letter.origin: letter for letter in letters}
    for origin in origins:
        if origin not in known:
            say(f"no dead letter has the origin {origin}: `premia dlq list` shows all")
            raise click.exceptions.Exit(EXIT_WRONG_INPUT)
    return [known[origin] for origin in dict.fromkeys(origins)]


def _value_in_words(value: bytes) -> str:
    try:
        return "\n".join(
            _printable(line) for line in orjson.dumps(orjson.loads(value), option=orjson.OPT_INDENT_2).decode().split("\n")
        )
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        more = f" … and {len(value) - SHOWN_BYTES_MAX:,} bytes more (--raw)" if len(value) > SHOWN_BYTES_MAX else ""
        return _text(value[:SHOWN_BYTES_MAX]) + more


def _text(content: bytes) -> str:
    return _printable(content.decode(errors="backslashreplace"))


def _printable(text: str) -> str:
    """What outsiders wrote, without what a terminal would obey."""
    return "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in text)


# --- export -------------------------------------------------------------------------------------------------------------


@dlq.command()
@_filtered
@click.option("--state", type=click.Choice([state.value for state in State]), help="Only those in this state.")
def export(code: str | None, refiner: str | None, since: datetime | None, until: datetime | None, state: str | None) -> None:
    """Write events to standard output, one JSON object a line: reason, headers, and the event as it was sent.

    Those of gold.sales.v1 can be corrected and published: `premia publish FILE.jsonl`. The value is under "value" where it is
    JSON whose bytes can be made again, else in base64 under "raw".
    """
    written = run(_export(kafka_servers(), _Filter(code, refiner, since, until, state)))
    say(f"exported {written} events")


async def _export(servers: str, wanted: _Filter) -> int:
    letters = [letter for letter in await read_dead_letters(servers) if wanted.takes(letter)]
    written = 0
    if letters:
        async for letter, record in with_records(servers, letters):
            click.echo(orjson.dumps(_exported(letter, record)))
            written += 1
    return written


def _exported(letter: Letter, record: ConsumerRecord[Any, Any]) -> dict[str, object]:
    headers = headers_of(record)
    read = from_headers(headers)
    event = None if isinstance(read, HeaderFault) else read
    return {
        "at": time_text(event.time) if event else None,
        "id": event.id if event else None,
        "source": event.source if event else None,
        "key": None if record.key is None else record.key.decode(errors="backslashreplace"),
        **_value(record.value or b""),
        "dead_letter": _as_json(letter)
        | {
            "headers": {
                name: content.decode(errors="backslashreplace") for name, content in headers if not name.startswith(PREFIX)
            }
        },
    }


def _value(value: bytes) -> dict[str, object]:
    try:
        sent = orjson.loads(value)
        if orjson.dumps(sent) == value:
            return {"value": sent}
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        pass
    return {"raw": base64.b64encode(value).decode()}


# --- redrive ------------------------------------------------------------------------------------------------------------


@dlq.command()
@click.argument("origins", nargs=-1, metavar="[ORIGIN…]")
@_filtered
@click.option("--all", "everything", is_flag=True, help="All that are not settled.")
@click.option("--dry-run", is_flag=True, help="Only say what would be published again.")
@click.option("--wait", is_flag=True, help="Wait for what becomes of each sale; exit code 4 if one is rejected again.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=0), default=TIMEOUT_S, show_default=True, help="Seconds.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def redrive(
    origins: tuple[str, ...],
    *,
    code: str | None,
    refiner: str | None,
    since: datetime | None,
    until: datetime | None,
    everything: bool,
    dry_run: bool,
    wait: bool,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Publish events again, as they were, after the cause was mended: those of ORIGIN…, or those that the options name.

    Their ids and origins stay the same, so nothing is counted twice, and redriving twice does no harm.
    """
    wanted = _Filter(code, refiner, since, until)
    if not origins and wanted.is_empty and not everything:
        raise click.UsageError("name origins, filter with --code, --refiner, --since or --until, or say --all")
    refused = run(
        _redrive(kafka_servers(), origins, wanted, dry_run=dry_run, wait_s=timeout_s if wait else None, as_json=as_json)
    )
    if refused:
        raise click.exceptions.Exit(EXIT_REFUSED)


async def _redrive(
    servers: str, origins: Sequence[str], wanted: _Filter, *, dry_run: bool, wait_s: float | None, as_json: bool
) -> int:
    letters = await read_dead_letters(servers)
    named = _by_origin(letters, origins) if origins else letters
    chosen = [letter for letter in named if wanted.takes(letter)]
    fit = [letter for letter in chosen if letter.redrivable and len(letter.failures) <= ATTEMPTS_MAX]
    if origins:
        for letter in chosen:
            if letter not in fit:
                say(f"{letter.origin}: {_why_not(letter)}; left alone")
    elif len(fit) < len(chosen):
        say(f"{len(chosen) - len(fit)} were accepted already, or are never redriven; left alone")
    if not fit:
        say("nothing to redrive")
        return len(chosen) if origins else 0
    if dry_run:
        for letter in fit:
            click.echo(orjson.dumps(_as_json(letter)) if as_json else _line(letter))
        say(f"would redrive {len(fit)} events; nothing was published")
        return 0
    async with watch_outcomes(servers) as watch:
        redriven, too_large = await _publish_again(servers, fit)
        say(f"redrove {len(redriven)} events: their ids are the same as before")
        if wait_s is None:
            for letter in redriven:
                click.echo(orjson.dumps(_as_json(letter)) if as_json else f"redriven {_line(letter)}")
            say("what became of them: `premia dlq list`")
            return too_large
        return too_large + await _tell_outcomes(watch, redriven, wait_s, as_json=as_json)


def _why_not(letter: Letter) -> str:
    if letter.state is State.ACCEPTED:
        return "was accepted"
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
            click.echo(_printable(f"{outcome.outcome} {letter.lot} {letter.origin} {outcome.detail}{why}"))
    if len(found) < len(sales) and not rejected:
        say("are the premium calculator and the ledger running? `premia status`")
        raise click.exceptions.Exit(EXIT_UNANSWERED)
    return rejected
