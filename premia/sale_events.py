"""Sales in files, as events that are ready to be sent, and sending them.

Goal: command line and demo read and publish sales by the same code.
Method: each sale becomes a CloudEvent whose id derives from its content (unless the file tells it), so that a rerun is known as a
duplicate. Files are one sale (.json), one sale a line (.jsonl, .ndjson, standard input), or one event a line,
{"at", "id", "source", "key", and "value" or "raw" in base64}, as samples/ has them; each also compressed (.gz).
Refuses: by file and line, giving everything else: what is larger than a sale's message may be, what is no JSON object, and what
does not say refiner and lot, because its key cannot be formed. A file that cannot be read: exit 2.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import gzip
import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, cast

import click
import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from schemas.canonical_json import NotCanonicalError
from schemas.cloudevents import CloudEventAttributes, time_from_text
from schemas.gold_sale import SALE_TYPE, sale_hash
from schemas.identifiers import is_id
from schemas.identity import derived_id
from schemas.topics import SALE_MESSAGE_BYTES_MAX, SALES
from services.runtime.topic_log import TopicMissingError

EXIT_WRONG_INPUT: Final = 2
IN_FLIGHT_MAX: Final = 5_000  # events sent before their deliveries are awaited: 5 MB in the client.
SKIP_BYTES: Final = 1024 * 1024  # read at once of a line that is too long anyway.
METADATA_TIMEOUT_S: Final = 5.0  # a broker that is up says in milliseconds whether a topic exists.
STDIN: Final = Path("-")
WHOLE_FILE_SUFFIXES: Final = frozenset({".json"})
EVENT_FIELDS: Final = frozenset({"at", "id", "source", "key"})


@dataclass(frozen=True, slots=True)
class SaleEvent:
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
class Unpublishable:
    """Why something of a file is not published."""

    place: str
    message: str


# --- sending ------------------------------------------------------------------------------------------------------------


def by_size(events: Sequence[SaleEvent]) -> tuple[list[SaleEvent], list[Unpublishable]]:
    """Tell apart what the sales topic takes and what is too large for it."""
    fitting, too_large = [], []
    for event in events:
        size = DefaultRecordBatchBuilder.estimate_size_in_bytes(event.key, event.value, event.headers())
        if size > SALE_MESSAGE_BYTES_MAX:
            too_large.append(Unpublishable(event.place, _too_large(size)))
        else:
            fitting.append(event)
    return fitting, too_large


async def send_events(producer: AIOKafkaProducer, events: Sequence[SaleEvent]) -> AsyncIterator[list[tuple[SaleEvent, str]]]:
    """Send events in order; gives each with its place topic/partition/offset as soon as the broker has it, some at a time.

    Raises TopicMissingError if the topic is not there.
    """
    await _require_topic(producer)
    for start in range(0, len(events), IN_FLIGHT_MAX):
        sent = events[start : start + IN_FLIGHT_MAX]
        deliveries = [await producer.send(SALES, value=event.value, key=event.key, headers=event.headers()) for event in sent]
        delivered = await asyncio.gather(*deliveries)
        yield [(event, f"{place.topic}/{place.partition}/{place.offset}") for event, place in zip(sent, delivered, strict=True)]


def _too_large(size_bytes: int) -> str:
    return f"is a message of {size_bytes:,} bytes, and at most {SALE_MESSAGE_BYTES_MAX:,} (1 MiB) are taken"


async def _require_topic(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(METADATA_TIMEOUT_S):
            await producer.partitions_for(SALES)
    except TimeoutError as error:
        raise TopicMissingError(f"{SALES} is missing: create it with `premia topics apply`") from error


# --- reading ------------------------------------------------------------------------------------------------------------


def read_events(files: Sequence[Path], at: datetime) -> Iterator[SaleEvent | Unpublishable]:
    """Everything that the files hold, in their order; `at` is the time of sales that do not tell their own.

    Raises click.exceptions.Exit (2) if a file cannot be read.
    """
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


def _read(place: str, content: bytes | int, at: datetime) -> SaleEvent | Unpublishable:
    if isinstance(content, int):
        return Unpublishable(place, _too_large(content))
    try:
        sent = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        return Unpublishable(place, f"is not JSON ({error})")
    if not isinstance(sent, dict):
        return Unpublishable(place, "is no JSON object: one sale is expected here (several go into a .jsonl file, one a line)")
    if sent.keys() >= EVENT_FIELDS:
        return _event(place, sent)
    return _sale(place, content, sent, at)


def _sale(place: str, content: bytes, sent: Mapping[str, object], at: datetime) -> SaleEvent | Unpublishable:
    refiner_id, lot_id = sent.get("refiner_id"), sent.get("lot_id")
    for name, id_ in (("refiner_id", refiner_id), ("lot_id", lot_id)):
        if not isinstance(id_, str) or not is_id(id_):
            return Unpublishable(place, f"{name} is missing or no id, and the event's key is made of it")
    source = f"/refiners/{refiner_id}"
    try:
        content_hash = sale_hash(sent)
    except NotCanonicalError:  # numbers with a fraction, say: the calculator will reject it, and tell the field
        content_hash = hashlib.sha256(content).hexdigest()
    return SaleEvent(
        place=place,
        at=at,
        id=str(derived_id("sale-event", source, content_hash)),
        source=source,
        key=f"{refiner_id}/{lot_id}".encode(),
        value=content,
    )


def _event(place: str, line: Mapping[str, object]) -> SaleEvent | Unpublishable:
    texts = {name: line[name] for name in EVENT_FIELDS}
    for name in sorted(EVENT_FIELDS):
        if not isinstance(texts[name], str) or not texts[name]:
            return Unpublishable(place, f"{name} must be a text")
    try:
        at = time_from_text(str(texts["at"]))
    except ValueError:
        return Unpublishable(place, "at must be a time such as 2025-03-14T10:00:00Z")
    if ("value" in line) == ("raw" in line):
        return Unpublishable(place, "an event has either value or raw")
    if "value" in line:
        value = orjson.dumps(line["value"])
    else:
        try:
            value = base64.b64decode(str(line["raw"]), validate=True)
        except binascii.Error:
            return Unpublishable(place, "raw must be base64")
    return SaleEvent(place, at, str(texts["id"]), str(texts["source"]), str(texts["key"]).encode(), value)
