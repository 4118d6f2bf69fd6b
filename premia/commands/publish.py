"""`premia publish FILE…`: sales from files to gold.sales.v1.

Goal: a refiner's back office sends a file, sees a receipt for each event, and may send the same file again.
Method: each sale becomes a CloudEvent whose id derives from its content (unless told), so a rerun is a duplicate that
everybody recognises. Files are one sale (.json), one sale a line (.jsonl, .ndjson, standard input), or one event a line,
{"at", "id", "source", "key", and "value" or "raw" in base64}, as samples/ has them; each also compressed (.gz).
Refuses: by file and line, publishing everything else (exit 4): what is larger than a sale's message may be, what is no
JSON object, and what does not say refiner and lot, because its key cannot be formed. A file that cannot be read: exit 2.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import gzip
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, cast

import click
import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from premia.kafka import kafka_servers, run
from premia.local.talk import progress
from schemas.canonical_json import NotCanonicalError
from schemas.cloudevents import CloudEventAttributes, time_from_text
from schemas.gold_sale import SALE_TYPE, sale_hash
from schemas.identifiers import is_id
from schemas.identity import derived_id
from schemas.topics import SALE_MESSAGE_BYTES_MAX, SALES
from services.runtime.kafka import start_producer
from services.runtime.topic_log import TopicMissingError

EXIT_WRONG_INPUT: Final = 2
EXIT_REFUSED: Final = 4
EVENTS_MAX: Final = 500_000  # of one call, held in memory to be put in order: 0.5 GB; the sample has 17,000.
IN_FLIGHT_MAX: Final = 5_000  # events sent before their deliveries are awaited: 5 MB in the client.
NAMED_RECEIPTS_MAX: Final = 20  # a screen; above it a count says more.
SKIP_BYTES: Final = 1024 * 1024  # read at once of a line that is too long anyway.
METADATA_TIMEOUT_S: Final = 5.0  # a broker that is up says in milliseconds whether a topic exists.
STDIN: Final = Path("-")
WHOLE_FILE_SUFFIXES: Final = frozenset({".json"})
EVENT_FIELDS: Final = frozenset({"at", "id", "source", "key"})


class _Moment(click.ParamType):
    name = "datetime"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            return time_from_text(str(value))
        except ValueError:
            self.fail(f"{value!r}: write a time as 2025-03-14T10:00:00Z", param, ctx)


@dataclass(frozen=True, slots=True)
class _Event:
    """One event that is ready to be sent, and where it came from."""

    place: str
    at: datetime
    id: str
    source: str
    key: bytes
    value: bytes

    def headers(self) -> list[tuple[str, bytes]]:
        return list(CloudEventAttributes(id=self.id, source=self.source, type=SALE_TYPE, time=self.at).to_headers())


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why something of a file is not published."""

    place: str
    message: str


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True), metavar="FILE…")
@click.option("--id", "event_id", help="Id of the event, where FILE is one sale. Default: derived from its content.")
@click.option("--time", "published_at", type=_Moment(), help="Time of the events (ce_time). Default: now, or the event's own.")
@click.option("--from", "starts_at", type=_Moment(), help="Of a file of events: publish those at or after this time.")
@click.option("--until", "ends_before", type=_Moment(), help="Of a file of events: publish those before this time.")
@click.option("--json", "as_json", is_flag=True, help="Print every receipt as a JSON line.")
def publish(
    files: tuple[Path, ...],
    *,
    event_id: str | None,
    published_at: datetime | None,
    starts_at: datetime | None,
    ends_before: datetime | None,
    as_json: bool,
) -> None:
    """Publish sales from files: one sale (.json), one a line (.jsonl), or a file of events, each also as .gz.

    Prints a receipt for each event, or their number. Publishing the same file again is safe. Exit code 4 if anything of
    a file was refused; the rest of it was published.
    """
    now = datetime.now(UTC)
    events: list[_Event] = []
    refusals: list[_Refusal] = []
    for found in _found(files, published_at or now):
        if isinstance(found, _Refusal):
            refusals.append(found)
        elif (starts_at is None or found.at >= starts_at) and (ends_before is None or found.at < ends_before):
            events.append(found)
        if len(events) > EVENTS_MAX:
            raise click.UsageError(f"more than {EVENTS_MAX:,} events: give fewer files at once")
    if event_id is not None:
        if len(events) != 1:
            raise click.UsageError(f"--id is for one event, and there are {len(events):,}")
        events = [replace(events[0], id=event_id)]
    events.sort(key=lambda event: event.at)  # stable: events of one time stay in the order of their file
    if published_at is not None:
        events = [replace(event, at=published_at) for event in events]
    fitting, too_large = _by_size(events)
    if fitting:
        run(_publish(kafka_servers(), fitting, as_json=as_json))
    elif not as_json:
        click.echo("published 0 events")
    for refusal in (*refusals, *too_large):
        click.echo(f"{refusal.place}: {refusal.message}; not published", err=True)
    if refusals or too_large:
        raise click.exceptions.Exit(EXIT_REFUSED)


# --- sending ------------------------------------------------------------------------------------------------------------


def _by_size(events: Sequence[_Event]) -> tuple[list[_Event], list[_Refusal]]:
    fitting, too_large = [], []
    for event in events:
        size = DefaultRecordBatchBuilder.estimate_size_in_bytes(event.key, event.value, event.headers())
        if size > SALE_MESSAGE_BYTES_MAX:
            too_large.append(_Refusal(event.place, _too_large(size)))
        else:
            fitting.append(event)
    return fitting, too_large


def _too_large(size_bytes: int) -> str:
    return f"is a message of {size_bytes:,} bytes, and at most {SALE_MESSAGE_BYTES_MAX:,} (1 MiB) are taken"


async def _publish(servers: str, events: Sequence[_Event], *, as_json: bool) -> None:
    producer = await start_producer(servers)
    try:
        await _require_topic(producer)
        with progress("publishing", len(events)) as advance:
            for start in range(0, len(events), IN_FLIGHT_MAX):
                sent = events[start : start + IN_FLIGHT_MAX]
                deliveries = [
                    await producer.send(SALES, value=event.value, key=event.key, headers=event.headers()) for event in sent
                ]
                delivered = await asyncio.gather(*deliveries)
                advance(len(sent))
                if as_json or len(events) <= NAMED_RECEIPTS_MAX:
                    for event, place in zip(sent, delivered, strict=True):
                        _receipt(event, f"{place.topic}/{place.partition}/{place.offset}", as_json=as_json)
    finally:
        await producer.stop()
    if not as_json and len(events) > NAMED_RECEIPTS_MAX:
        click.echo(f"published {len(events):,} events of {events[0].at:%Y-%m-%d} to {events[-1].at:%Y-%m-%d}")


async def _require_topic(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(METADATA_TIMEOUT_S):
            await producer.partitions_for(SALES)
    except TimeoutError as error:
        raise TopicMissingError(f"{SALES} is missing: create it with `premia topics apply`") from error


def _receipt(event: _Event, origin: str, *, as_json: bool) -> None:
    key = event.key.decode(errors="replace")
    if as_json:
        receipt = {"origin": origin, "source": event.source, "id": event.id, "key": key, "bytes": len(event.value)}
        click.echo(orjson.dumps(receipt))
    else:
        click.echo(f"published {key} as {origin} id {event.id}")


# --- reading ------------------------------------------------------------------------------------------------------------


def _found(files: Sequence[Path], at: datetime) -> Iterator[_Event | _Refusal]:
    for file in files:
        try:
            with closing(_opened(file)) as stream:
                if _plain_suffix(file) in WHOLE_FILE_SUFFIXES:
                    yield _read(str(file), _whole(stream), at)
                else:
                    for number, line in _lines(stream):
                        yield _read(f"{file}:{number}", line, at)
        except (OSError, EOFError) as error:  # a .gz that is none, or cut short, is an OSError or an EOFError
            click.echo(f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}; nothing was published", err=True)
            raise click.exceptions.Exit(EXIT_WRONG_INPUT) from error


def _opened(file: Path) -> BinaryIO:
    if file == STDIN:
        return click.get_binary_stream("stdin")
    return cast("BinaryIO", gzip.open(file)) if file.suffix == ".gz" else file.open("rb")


def _plain_suffix(file: Path) -> str:
    return Path(file.stem).suffix if file.suffix == ".gz" else file.suffix


def _whole(stream: BinaryIO) -> bytes | int:
    """The content, or its size where it is too large for a message."""
    content = stream.read(SALE_MESSAGE_BYTES_MAX + 1)
    if len(content) <= SALE_MESSAGE_BYTES_MAX:
        return content
    size = len(content)
    while more := stream.read(SKIP_BYTES):
        size += len(more)
    return size


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes | int]]:
    """Number and content of each line that holds something, or its size where it is too large for any message."""
    longest = 2 * SALE_MESSAGE_BYTES_MAX  # base64 takes 4 bytes for 3, and then there are the event's own fields
    number = 0
    while line := stream.readline(longest + 1):
        number += 1
        if len(line) > longest and not line.endswith(b"\n"):
            size = len(line)
            while more := stream.readline(SKIP_BYTES):
                size += len(more)
                if more.endswith(b"\n"):
                    break
            yield number, size
        elif line.strip():
            yield number, line.strip()


def _read(place: str, content: bytes | int, at: datetime) -> _Event | _Refusal:
    if isinstance(content, int):
        return _Refusal(place, _too_large(content))
    try:
        sent = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        return _Refusal(place, f"is not JSON ({error})")
    if not isinstance(sent, dict):
        return _Refusal(place, "is no JSON object: one sale is expected here (several go into a .jsonl file, one a line)")
    if sent.keys() >= EVENT_FIELDS:
        return _event(place, sent)
    return _sale(place, content, sent, at)


def _sale(place: str, content: bytes, sent: Mapping[str, object], at: datetime) -> _Event | _Refusal:
    refiner_id, lot_id = sent.get("refiner_id"), sent.get("lot_id")
    for name, id_ in (("refiner_id", refiner_id), ("lot_id", lot_id)):
        if not isinstance(id_, str) or not is_id(id_):
            return _Refusal(place, f"{name} is missing or no id, and the event's key is made of it")
    source = f"/refiners/{refiner_id}"
    try:
        content_hash = sale_hash(sent)
    except NotCanonicalError:  # numbers with a fraction, say: the calculator will reject it, and tell the field
        content_hash = hashlib.sha256(content).hexdigest()
    return _Event(
        place=place,
        at=at,
        id=str(derived_id("sale-event", source, content_hash)),
        source=source,
        key=f"{refiner_id}/{lot_id}".encode(),
        value=content,
    )


def _event(place: str, line: Mapping[str, object]) -> _Event | _Refusal:
    texts = {name: line[name] for name in EVENT_FIELDS}
    for name in sorted(EVENT_FIELDS):
        if not isinstance(texts[name], str) or not texts[name]:
            return _Refusal(place, f"{name} must be a text")
    try:
        at = time_from_text(str(texts["at"]))
    except ValueError:
        return _Refusal(place, "at must be a time such as 2025-03-14T10:00:00Z")
    if ("value" in line) == ("raw" in line):
        return _Refusal(place, "an event has either value or raw")
    if "value" in line:
        value = orjson.dumps(line["value"])
    else:
        try:
            value = base64.b64decode(str(line["raw"]), validate=True)
        except binascii.Error:
            return _Refusal(place, "raw must be base64")
    return _Event(place, at, str(texts["id"]), str(texts["source"]), str(texts["key"]).encode(), value)
