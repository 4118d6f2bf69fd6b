"""The sample's sales as the calculator would publish them: records of premium.entitlements.v1, without Kafka.

Method: the worker's own pure decision, one partition, origins as if the sales lay in one partition too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiokafka import ConsumerRecord

import schemes
from samples.reader import PROGRAMME_FILE, read_sales
from schemas.registry_file import load_registry
from schemas.topics import ENTITLEMENTS, SALES
from services.premium_calculator.adapters.calculating_registry import calculating_registry
from services.premium_calculator.adapters.sale_decision import Calculated, SaleRecord, decide


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
