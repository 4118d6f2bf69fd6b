"""Take in what the registry's topics say.

Goal: a restart knows the same registry as before, without reading Kafka from its beginning.
Method: events of registry.v1 are appended as they are, private records replace those of the same organization; the view in
memory takes both. All in the consumer's SQL transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from schemas.registry_log import UnreadableRegistryError
from schemas.topics import REGISTRY
from services.payout.registry_view import RegistryView
from services.payout.use_cases.take_turn import take_turn

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

    from services.runtime.database import Connection

log = logging.getLogger(__name__)

APPEND: Final = """
    INSERT INTO payout.registry_event (position, type, value)
    SELECT coalesce(max(position) + 1, 0), $1, $2 FROM payout.registry_event"""
REPLACE: Final = """
    INSERT INTO payout.private_record (organization_id, value) VALUES ($1, $2)
    ON CONFLICT (organization_id) DO UPDATE SET value = excluded.value"""


async def apply_registry_batch(conn: Connection, records: Sequence[ConsumerRecord[Any, Any]], registry: RegistryView) -> None:
    """Apply records of registry.v1 and registry.private.v1. Raises UnreadableRegistryError: inside there is no skipping."""
    await take_turn(conn)
    for record in records:
        value = record.value or b""
        if record.topic == REGISTRY:
            type_ = _type(record)
            ignored = registry.take_event(type_, value)
            if ignored is not None:
                log.warning("registry marker %s was ignored: %s", ignored.marker.version, ignored.because)
            await conn.execute(APPEND, type_, value)
        else:
            await conn.execute(REPLACE, registry.take_private_record(value), value)


def _type(record: ConsumerRecord[Any, Any]) -> str:
    for name, value in record.headers:
        if name == "ce_type" and value:
            return str(value.decode(errors="replace"))
    raise UnreadableRegistryError(f"{record.topic}/{record.partition}/{record.offset} has no ce_type")
