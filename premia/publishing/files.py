"""Files of sales, read.

Goal: what is wrong with one line is told by its place, and harms no other.
Method: a file is one sale (.json), one sale a line (.jsonl, .ndjson, standard input), a table (.csv), or one event a line,
{"at", "id", "source", "key", and "value" or "raw" in base64}, as samples/ has them; each also compressed (.gz).
Refuses: what is larger than a sale's message may be, what is no JSON object, and what does not say refiner and lot, because
its key cannot be formed. A file that cannot be read: UnreadableFileError.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, cast

import click
import orjson

from premia.publishing.sale_event import Fault, SaleEvent, no_sale, sale_event
from premia.publishing.sales_table import UnreadableTableError, sales_of_table
from schemas.cloudevents import time_from_text
from schemas.topics import SALE_MESSAGE_BYTES_MAX

SKIP_BYTES: Final = 1024 * 1024  # read at once of a line that is too long anyway.
STDIN: Final = Path("-")
WHOLE_FILE_SUFFIXES: Final = frozenset({".json"})
TABLE_SUFFIXES: Final = frozenset({".csv"})
EVENT_FIELDS: Final = frozenset({"at", "id", "source", "key"})


class UnreadableFileError(Exception):
    """A file cannot be read at all; the text is one line with its name."""


def sales_of(files: Sequence[Path], at: datetime) -> Iterator[SaleEvent | Fault]:
    """Everything that the files hold, in their order; `at` is the time of what says none. Raises UnreadableFileError."""
    for file in files:
        try:
            with closing(_opened(file)) as stream:
                if _plain_suffix(file) in TABLE_SUFFIXES:
                    yield from sales_of_table(str(file), stream, at)
                elif _plain_suffix(file) in WHOLE_FILE_SUFFIXES:
                    yield _read(str(file), _whole(stream), at)
                else:
                    for number, line in _lines(stream):
                        yield _read(f"{file}:{number}", line, at)
        except UnreadableTableError as error:
            raise UnreadableFileError(f"{file}: {error}") from error
        except (OSError, EOFError) as error:  # a .gz that is none, or cut short, is an OSError or an EOFError
            raise UnreadableFileError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def too_large(size_bytes: int) -> str:
    """The message about what no broker would take."""
    return f"is a message of {size_bytes:,} bytes, and at most {SALE_MESSAGE_BYTES_MAX:,} (1 MiB) are taken"


def _opened(file: Path) -> BinaryIO:
    if file == STDIN:
        return click.get_binary_stream("stdin")
    return cast("BinaryIO", gzip.open(file)) if file.suffix == ".gz" else file.open("rb")


def _plain_suffix(file: Path) -> str:
    return (Path(file.stem).suffix if file.suffix == ".gz" else file.suffix).lower()


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


def _read(place: str, content: bytes | int, at: datetime) -> SaleEvent | Fault:
    if isinstance(content, int):
        return no_sale(place, too_large(content))
    try:
        sent = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        return no_sale(place, f"is not JSON ({error})")
    if not isinstance(sent, dict):
        return no_sale(place, "is no JSON object: one sale is expected here (several go into a .jsonl file, one a line)")
    if sent.keys() >= EVENT_FIELDS:
        return _event(place, sent)
    return sale_event(place, content, sent, at)


def _event(place: str, line: Mapping[str, object]) -> SaleEvent | Fault:
    texts = {name: line[name] for name in EVENT_FIELDS}
    for name in sorted(EVENT_FIELDS):
        if not isinstance(texts[name], str) or not texts[name]:
            return Fault(place, f"{name} must be a text")
    try:
        at = time_from_text(str(texts["at"]))
    except ValueError:
        return Fault(place, "at must be a time such as 2025-03-14T10:00:00Z")
    if ("value" in line) == ("raw" in line):
        return Fault(place, "an event has either value or raw")
    if "value" in line:
        value = orjson.dumps(line["value"])
    else:
        try:
            value = base64.b64decode(str(line["raw"]), validate=True)
        except ValueError:  # binascii.Error is one, and so is a sign beyond ASCII
            return Fault(place, "raw must be base64")
    return SaleEvent(place, at, str(texts["id"]), str(texts["source"]), str(texts["key"]).encode(), value)
