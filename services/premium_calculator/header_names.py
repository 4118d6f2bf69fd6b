"""Records whose header names are not UTF-8.

Goal: one writer with a broken client cannot stop everybody's sales.
Method: Kafka calls header names strings, but no broker checks them; aiokafka raises UnicodeDecodeError on such a record for
ever, so that its partition never moves again. When that happens, and only then, the names at fault are made readable in
the fetched bytes (each byte beyond ASCII becomes "?", so nothing moves), and the fetch is unpacked anew. The sale is
then judged like any other: without its CloudEvents attributes it goes to dead letters.
Refuses: the same in a compressed batch, which gold.sales.v1 never holds (`compression.type` is uncompressed).
Source: Apache Kafka, record batch format of magic 2.

Leans on aiokafka 0.14.0: consumer.fetcher.PartitionRecords and MemoryRecords (see tests/unit/premium_calculator).
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator
from typing import Any, Final

from aiokafka.consumer import fetcher
from aiokafka.record.memory_records import MemoryRecords

# Base offset, length, leader epoch, magic, checksum, attributes, last offset, two times, producer's id, its epoch and
# sequence, number of records.
BATCH_HEADER: Final = struct.Struct(">qiibIhiqqqhii")
LENGTH_COUNTS_FROM: Final = 12  # the length of a batch does not count base offset and length
MAGIC: Final = 2
COMPRESSION: Final = 0b111  # bits of the attributes

log = logging.getLogger(__name__)


class _Fetched(MemoryRecords):  # type: ignore[misc]  # compiled, without types
    """aiokafka's fetched records, with the bytes that they are in."""

    def __init__(self, fetched: bytes) -> None:
        super().__init__(fetched)
        self.fetched = fetched


class _Unpacked(fetcher.PartitionRecords):  # type: ignore[misc]  # aiokafka ships no types for it
    """aiokafka's unpacking, which mends header names if it must."""

    _records: Any
    _check_crcs: bool

    def _unpack_records(self) -> Iterator[Any]:
        try:
            yield from super()._unpack_records()
        except UnicodeDecodeError as error:
            log.warning("%s offset %d: a header's name is not UTF-8 (%s)", self._tp, self.next_fetch_offset, error)
            self._records = MemoryRecords(with_readable_header_names(self._records.fetched))
            self._check_crcs = False  # they were right before; what was unpacked already is passed over
            yield from super()._unpack_records()


def mend_header_names() -> None:
    """Let every consumer of this process read such records."""
    fetcher.MemoryRecords = _Fetched
    fetcher.PartitionRecords = _Unpacked


def with_readable_header_names(fetched: bytes) -> bytes:
    """Return the batches, of the same length, with "?" for the bytes beyond ASCII in names that are not UTF-8."""
    mended = bytearray(fetched)
    start = 0
    while start + BATCH_HEADER.size <= len(mended):
        fields = BATCH_HEADER.unpack_from(mended, start)
        length, magic, attributes, count = fields[1], fields[3], fields[5], fields[12]
        end = start + LENGTH_COUNTS_FROM + length
        if end > len(mended):
            break  # the broker cut the last batch of a fetch; it comes whole with the next one
        if magic == MAGIC and not attributes & COMPRESSION:
            position = start + BATCH_HEADER.size
            for _ in range(count):
                position = _mend_record(mended, position)
        start = end
    return bytes(mended)


def _mend_record(batch: bytearray, position: int) -> int:
    """Mend the record at `position`; the position after it."""
    length, position = _varint(batch, position)
    end = position + length
    position += 1  # attributes
    for _ in range(2):  # time and offset
        _, position = _varint(batch, position)
    for _ in range(2):  # key and value
        size, position = _varint(batch, position)
        position += max(size, 0)
    headers, position = _varint(batch, position)
    for _ in range(headers):
        size, position = _varint(batch, position)
        _mend_name(batch, position, position + size)
        position += size
        size, position = _varint(batch, position)
        position += max(size, 0)
    return end


def _mend_name(batch: bytearray, start: int, end: int) -> None:
    name = batch[start:end]
    try:
        name.decode()
    except UnicodeDecodeError:
        batch[start:end] = bytes(byte if byte < 0x80 else ord("?") for byte in name)


def _varint(batch: bytearray, position: int) -> tuple[int, int]:
    """A zigzag integer of variable length, and the position after it."""
    value = shift = 0
    while True:
        byte = batch[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return (value >> 1) ^ -(value & 1), position
        shift += 7
