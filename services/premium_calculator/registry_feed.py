"""The registry, as the calculator has it at any moment.

Goal: no sale is calculated before the registry was read to its end, nor with half an apply.
Method: registry.v1 from its beginning, by plain aiokafka; `registry` is replaced as a whole when a marker completes an
apply, and a sale is calculated with the one it was given.
Refuses: an event of the registry's that this release cannot read: the exception ends the process, because inside there
is no skipping.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiokafka import ConsumerRecord

from schemas.cloudevents import HeaderFault, from_headers
from schemas.registry_log import Ignored, RegistryAssembler, Switched, UnreadableRegistryError, read_registry_event
from schemas.registry_snapshot import RegistrySnapshot
from schemas.topics import REGISTRY
from services.premium_calculator.adapters.calculating_registry import calculating_registry
from services.premium_calculator.domain.registry import Registry
from services.premium_calculator.metrics import REGISTRY_IGNORED_TOTAL, REGISTRY_SWITCHES_TOTAL
from services.runtime.topic_log import Records, open_log

log = logging.getLogger(__name__)


class RegistryFeed:
    """Follows registry.v1. `loaded` is set once there is a registry and everything published before was read."""

    def __init__(self) -> None:
        """Without a registry."""
        self.loaded = asyncio.Event()
        self._registry: Registry | None = None
        self._assembler = RegistryAssembler()

    @property
    def registry(self) -> Registry:
        """The newest registry. Wait for `loaded` first."""
        assert self._registry is not None, "sales are assigned after the registry was loaded"
        return self._registry

    async def follow(self) -> None:
        """Read until cancelled. Raises UnreadableRegistryError or services.runtime.topic_log.TopicMissingError."""
        async with open_log(REGISTRY) as topic:
            newest: RegistrySnapshot | None = None
            async for records in topic.to_end():
                newest = self._take(records) or newest
            self._use(newest)
            async for records in topic.following():
                self._use(self._take(records))

    def _use(self, snapshot: RegistrySnapshot | None) -> None:
        if snapshot is None:
            return
        self._registry = calculating_registry(snapshot)
        self.loaded.set()
        REGISTRY_SWITCHES_TOTAL.inc()
        log.info(
            "registry %s: %d organizations, %d scheme versions",
            snapshot.version,
            len(snapshot.organizations),
            len(snapshot.schemes),
        )

    def _take(self, records: Records) -> RegistrySnapshot | None:
        """The newest registry that these records complete, if they complete one."""
        newest = None
        for record in records:
            taken = self._assembler.take(_event(record))
            if isinstance(taken, Switched):
                newest = taken.snapshot
            elif isinstance(taken, Ignored):
                REGISTRY_IGNORED_TOTAL.labels(taken.because.value).inc()
                log.warning("apply %s of the registry is ignored: %s", taken.marker.apply_id, taken.because.value)
        return newest


def _event(record: ConsumerRecord[Any, Any]) -> Any:
    attributes = from_headers(record.headers)
    if isinstance(attributes, HeaderFault):
        raise UnreadableRegistryError(f"offset {record.offset} of {REGISTRY}: {attributes.name} {attributes.message}")
    return read_registry_event(attributes.type, record.value or b"")
