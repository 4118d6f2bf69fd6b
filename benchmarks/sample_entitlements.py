"""The sample's sales as the calculator would publish them: records of premium.entitlements.v1, without Kafka.

Method: the worker's own pure decision, one partition, origins as if the sales lay in one partition too. Where a benchmark needs
more than there are, the same sales come again as those of other lots.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import orjson
from aiokafka import ConsumerRecord

import schemes
from samples.reader import PROGRAMME_FILE, read_sales
from schemas.canonical_json import canonical_json
from schemas.dead_letter import Origin
from schemas.identity import derived_id_text
from schemas.registry_file import load_registry
from schemas.topics import ENTITLEMENTS, SALES
from services.premium_calculator.adapters.calculating_registry import calculating_registry
from services.premium_calculator.adapters.sale_decision import Calculated, SaleRecord, decide

NUMBERS_APART: Final = 100_000  # sequences and origins of two copies; the sample has 17,000 sales


def sample_entitlements() -> list[ConsumerRecord[Any, Any]]:
    """All entitlements of the sample, in the order of its sales; duplicates and conflicts are among them."""
    registry = calculating_registry(load_registry(PROGRAMME_FILE, Path(schemes.__path__[0])).snapshot)
    records: list[ConsumerRecord[Any, Any]] = []
    for offset, sale in enumerate(read_sales()):
        message = sale.message
        decision = decide(SaleRecord(message.key, message.value, message.headers), registry)
        if isinstance(decision, Calculated):
            headers = tuple(decision.headers(f"{SALES}/0/{offset}"))
            records.append(consumer_record(ENTITLEMENTS, len(records), decision.key, decision.value, headers))
    return records


def copies_of(records: Sequence[ConsumerRecord[Any, Any]], copies: int) -> Iterator[ConsumerRecord[Any, Any]]:
    """The records, then again and again with other lots: `copies` times in all, offsets on end.

    Ids of later copies come after those of earlier ones, as those of later years do.
    """
    for copy in range(copies):
        for record in records:
            offset = copy * len(records) + record.offset
            yield _of_another_lot(record, copy, offset) if copy else record


def _of_another_lot(record: ConsumerRecord[Any, Any], copy: int, offset: int) -> ConsumerRecord[Any, Any]:
    value = orjson.loads(record.value)
    value["lot_id"] = f"{copy:03}-{value['lot_id']}"
    value["sale"]["id"] = f"{copy:03}-{value['sale']['id']}"
    value["entitlement_id"] = derived_id_text("copy", value["entitlement_id"], str(copy))
    headers = dict(record.headers)
    origin = Origin.parse(headers["ce_origin"].decode())
    headers["ce_id"] = value["entitlement_id"].encode()
    headers["ce_origin"] = str(origin._replace(offset=origin.offset + copy * NUMBERS_APART)).encode()
    headers["ce_salesequence"] = str(int(headers["ce_salesequence"]) + copy * NUMBERS_APART).encode()
    key = f"{value['refiner_id']}/{value['lot_id']}".encode()
    return consumer_record(ENTITLEMENTS, offset, key, canonical_json(value), tuple(headers.items()))


def consumer_record(
    topic: str, offset: int, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]]
) -> ConsumerRecord[Any, Any]:
    """A record as aiokafka would give it."""
    return ConsumerRecord(
        topic=topic,
        partition=0,
        offset=offset,
        timestamp=0,
        timestamp_type=0,
        key=key,
        value=value,
        checksum=None,
        serialized_key_size=len(key),
        serialized_value_size=len(value),
        headers=tuple(headers),
    )
