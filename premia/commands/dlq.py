"""`premia dlq list`: events that could not be used, and why.

Goal: nothing is dropped, and everybody can see what was refused, for which field, and where its bytes are.
Method: reads all dead-letter topics to their end. A redriven event that fails again has the same origin as before; the
last letter of an origin counts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import click
import orjson
from aiokafka import ConsumerRecord

from premia.kafka import kafka_servers, run
from schemas.dead_letter import DeadLetter
from schemas.identifiers import is_id
from schemas.topics import DEAD_LETTER_TOPICS
from services.runtime.topic_log import open_log

UNREADABLE: Final = "UNREADABLE_DEAD_LETTER"  # written by something else than our services


@dataclass(frozen=True, slots=True)
class _Listed:
    """One dead letter, as it is shown."""

    topic: str
    origin: str
    code: str
    field: str | None
    message: str
    at: str
    lot: str | None
    size_bytes: int


@click.group()
def dlq() -> None:
    """List events that could not be used."""


@dlq.command(name="list")
@click.option("--code", help="Only those that were refused with this code.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(code: str | None, *, as_json: bool) -> None:
    """List events that could not be used, each once, oldest first."""
    found = [letter for letter in run(_read(kafka_servers())) if code is None or letter.code == code]
    for letter in found:
        if as_json:
            click.echo(orjson.dumps(letter))
        else:
            _show(letter)
    counts = Counter(letter.code for letter in found)
    by_code = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    click.echo(f"{len(found)} events in dead letters" + (f": {by_code}" if by_code else ""), err=True)


async def _read(servers: str) -> list[_Listed]:
    by_origin: dict[tuple[str, str], _Listed] = {}
    async with open_log(*DEAD_LETTER_TOPICS, servers=servers) as log:
        async for records in log.to_end():
            for record in records:
                letter = _listed(record)
                by_origin[letter.topic, letter.origin] = letter
    return sorted(by_origin.values(), key=lambda letter: (letter.at, letter.origin))


def _listed(record: ConsumerRecord[Any, Any]) -> _Listed:
    lot, size_bytes = _lot(record.key, record.value), len(record.value or b"")
    try:
        letter = DeadLetter.from_headers(record.headers)
    except (KeyError, ValueError) as error:
        place = f"{record.topic}/{record.partition}/{record.offset}"
        return _Listed(record.topic, place, UNREADABLE, None, f"without a readable reason: {error}", "", lot, size_bytes)
    return _Listed(
        topic=record.topic,
        origin=str(letter.origin),
        code=letter.code,
        field=letter.field,
        message=letter.message,
        at=letter.at.isoformat(timespec="seconds"),
        lot=lot,
        size_bytes=size_bytes,
    )


def _lot(key: bytes | None, value: bytes | None) -> str | None:
    """refiner/lot as the value says, else as the key does; None where neither can be read."""
    try:
        sent = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        sent = None
    if isinstance(sent, dict):
        ids = [sent.get("refiner_id"), sent.get("lot_id")]
        if all(isinstance(id_, str) and is_id(id_) for id_ in ids):
            return f"{ids[0]}/{ids[1]}"
    try:
        refiner_id, _, lot_id = (key or b"").decode().partition("/")
    except UnicodeDecodeError:
        return None
    return f"{refiner_id}/{lot_id}" if is_id(refiner_id) and is_id(lot_id) else None


def _show(letter: _Listed) -> None:
    field = f" {letter.field}" if letter.field else ""
    click.echo(f"{letter.at}  {letter.lot or 'lot unreadable'}  {letter.code}{field}: {letter.message}")
    click.echo(f"    {letter.size_bytes:,} bytes from {letter.origin}")
