"""Dead letters, as `premia dlq list`, `show` and `export` tell of them.

Goal: everybody can see what was refused, for which field and how often, and where its bytes are.
Method: one line and one about its state for each; all that outsiders wrote without what a terminal would obey.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any, Final

import click
import orjson
from aiokafka import ConsumerRecord

from premia.dead_letters.letters import Letter, headers_of, read_dead_letters, with_records
from premia.dead_letters.wanted import Filter, State
from premia.local.talk import say
from premia.printable import printable
from premia.service_session import of
from schemas.cloudevents import HeaderFault, from_headers, time_text
from schemas.dead_letter import PREFIX

EXIT_WRONG_INPUT: Final = 2
SHOWN_BYTES_MAX: Final = 4_096  # of a value that is no JSON: enough to recognise it.


async def tell_letters(servers: str, wanted: Filter, *, as_json: bool) -> None:
    """Print the letters that are wanted, oldest first."""
    letters = await read_dead_letters(servers)
    found = [letter for letter in letters if wanted.takes(letter)]
    for letter in found:
        if as_json:
            click.echo(orjson.dumps(letter_as_json(letter)))
        else:
            click.echo(line(letter))
            click.echo(f"    {letter.size_bytes:,} bytes from {printable(letter.origin)} · {_state_in_words(letter)}")
    if letters and not found:  # a slip in a code or an id must not read like "nothing was refused"
        say(f"none of {of(len(letters), 'event')} in dead letters is meant{_by_code(letters)}")
        return
    say(f"{of(len(found), 'event')} in dead letters{_by_code(found)}")
    waiting = sum(letter.redrivable for letter in found)
    if waiting:
        say(f"{waiting} not settled: look at one with `premia dlq show ORIGIN`, try again with `premia dlq redrive`")


def _by_code(letters: Sequence[Letter]) -> str:
    counts = Counter(letter.reason.code for letter in letters)
    by_code = ", ".join(f"{printable(name)} {count}" for name, count in sorted(counts.items()))
    return f": {by_code}" if by_code else ""


def line(letter: Letter) -> str:
    """When, which lot, why."""
    reason = letter.reason
    field = f" {reason.field}" if reason.field else ""
    lot = letter.lot or "lot unreadable"
    return printable(f"{reason.at.isoformat(timespec='seconds')}  {lot}  {reason.code}{field}: {reason.message}")


def _state_in_words(letter: Letter) -> str:
    again = len(letter.reason.history)
    match letter.state:
        case State.WAITING:
            return "waiting"
        case State.FAILED_AGAIN:
            return f"redriven, failed again {again} {'time' if again == 1 else 'times'}"
        case State.ACCEPTED:
            return "redriven and accepted"
        case State.MENDED:
            return "sent anew and accepted"
        case State.NEVER_REDRIVEN:
            return "never redriven"


def letter_as_json(letter: Letter) -> dict[str, object]:
    """The same, for software."""
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


async def tell_letter(servers: str, origin: str, *, raw: bool) -> None:
    """Print one letter, or nothing but the bytes of its value."""
    letter, record = await _one(servers, origin)
    if raw:
        output = click.get_binary_stream("stdout")
        output.write(record.value or b"")
        output.flush()
        return
    click.echo(line(letter))
    click.echo(f"origin    {printable(letter.origin)}")
    click.echo(f"lies at   {letter.place}")
    click.echo(f"state     {_state_in_words(letter)}")
    for number, failure in enumerate(letter.failures, start=1):
        click.echo(f"failure {number}  {failure.at.isoformat(timespec='seconds')}  {printable(failure.code)}")
    for name, content in headers_of(record):
        if not name.startswith(PREFIX):
            click.echo(f"header    {printable(name)}: {_text(content)}")
    click.echo(f"key       {_text(record.key or b'')}")
    click.echo(f"value     {letter.size_bytes:,} bytes")
    click.echo(_value_in_words(record.value or b""))


async def _one(servers: str, origin: str) -> tuple[Letter, ConsumerRecord[Any, Any]]:
    found = by_origin(await read_dead_letters(servers), [origin])
    async with aclosing(with_records(servers, found)) as records:
        async for letter, record in records:
            return letter, record
    raise RuntimeError(f"{origin} was in its topic a moment ago")


def by_origin(letters: Sequence[Letter], origins: Sequence[str]) -> list[Letter]:
    """The letters of these origins. Exit code 2 if one has none."""
    known = {letter.origin: letter for letter in letters}
    for origin in origins:
        if origin not in known:
            say(f"no dead letter has the origin {origin}: `premia dlq list` shows all")
            raise click.exceptions.Exit(EXIT_WRONG_INPUT)
    return [known[origin] for origin in dict.fromkeys(origins)]


def _value_in_words(value: bytes) -> str:
    try:
        return "\n".join(
            printable(line) for line in orjson.dumps(orjson.loads(value), option=orjson.OPT_INDENT_2).decode().split("\n")
        )
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        more = f" … and {len(value) - SHOWN_BYTES_MAX:,} bytes more (--raw)" if len(value) > SHOWN_BYTES_MAX else ""
        return _text(value[:SHOWN_BYTES_MAX]) + more


def _text(content: bytes) -> str:
    return printable(content.decode(errors="backslashreplace"))


async def export_letters(servers: str, wanted: Filter) -> int:
    """Print events that can be corrected and published, one JSON object a line; their number."""
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
        "dead_letter": letter_as_json(letter)
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
