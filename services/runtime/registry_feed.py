"""registry.v1, followed from its beginning.

Goal: a service that keeps no copy of the registry has the newest whole one, and never half of an apply.
Method: a plain consumer outside any group. What was published before the start is read to its end and given as one registry;
after that each marker that completes an apply gives the next.
Refuses: an event that this release cannot read, by UnreadableRegistryError: inside there is no skipping.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from aiokafka import ConsumerRecord

from schemas.cloudevents import HeaderFault, from_headers
from schemas.registry_log import Ignored, RegistryAssembler, Switched, UnreadableRegistryError, read_registry_event
from schemas.registry_snapshot import RegistrySnapshot
from schemas.topics import REGISTRY
from services.runtime.topic_log import Records, open_log

log = logging.getLogger(__name__)


async def follow_registry(
    switched: Callable[[RegistrySnapshot], None], ignored: Callable[[Ignored], None] = lambda _: None
) -> None:
    """Read until cancelled. Raises UnreadableRegistryError or services.runtime.topic_log.TopicMissingError."""
    assembler = RegistryAssembler()

    def newest(records: Records) -> RegistrySnapshot | None:
        found = None
        for record in records:
            taken = assembler.take(_event(record))
            if isinstance(taken, Switched):
                found = taken.snapshot
            elif isinstance(taken, Ignored):
                ignored(taken)
                log.warning("apply %s of the registry is ignored: %s", taken.marker.apply_id, taken.because.value)
        return found

    async with open_log(REGISTRY) as topic:
        at_the_end: RegistrySnapshot | None = None
        async for records in topic.to_end():
            at_the_end = newest(records) or at_the_end
        if at_the_end is not None:
            switched(at_the_end)
        async for records in topic.following():
            snapshot = newest(records)
            if snapshot is not None:
                switched(snapshot)


def _event(record: ConsumerRecord[Any, Any]) -> Any:
    attributes = from_headers(record.headers)
    if isinstance(attributes, HeaderFault):
        raise UnreadableRegistryError(f"offset {record.offset} of {REGISTRY}: {attributes.name} {attributes.message}")
    return read_registry_event(attributes.type, record.value or b"")
