"""Where a sale was first read, also when it is published again after a dead letter.

Goal: all counts by origin stay true, and nobody can speak in the name of another's event.
Method: a redriven record names its origin in a header. Anyone may write gold.sales.v1, so the header counts only if the
record at that place has the same key and the same bytes; else the record's own place is its origin.
Source: design, section 3.4.
"""

from __future__ import annotations

from typing import Any

from aiokafka import ConsumerRecord, TopicPartition

from schemas.dead_letter import ORIGIN, Origin
from services.runtime.batch_consumer import read_record, record_sha256


async def origin_of(record: ConsumerRecord[Any, Any]) -> Origin:
    """The origin of a record; reads one more from Kafka where a header claims another place.

    Raises TimeoutError if the broker does not give that one.
    """
    own = Origin(record.topic, record.partition, record.offset)
    claimed = _claimed(record)
    if claimed is None or claimed.topic != own.topic or claimed.partition != own.partition or claimed.offset >= own.offset:
        return own
    first = await read_record(TopicPartition(claimed.topic, claimed.partition), claimed.offset)
    return own if first is None or record_sha256(first) != record_sha256(record) else claimed


def _claimed(record: ConsumerRecord[Any, Any]) -> Origin | None:
    for name, content in record.headers:
        if name == ORIGIN:
            try:
                return Origin.parse((content or b"").decode())
            except ValueError:  # UnicodeDecodeError is one too
                return None
    return None
