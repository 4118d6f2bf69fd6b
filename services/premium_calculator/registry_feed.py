"""The registry, as the calculator has it at any moment.

Goal: no sale is calculated before the registry was read to its end, nor with half an apply.
Method: registry.v1 from its beginning; `registry` is replaced as a whole when a marker completes an apply, and a sale is
calculated with the one it was given.
Refuses: an event of the registry's that this release cannot read: the exception ends the process, because inside there
is no skipping.
"""

from __future__ import annotations

import asyncio
import logging

from schemas.registry import Programme
from schemas.registry_log import Ignored
from schemas.registry_snapshot import RegistrySnapshot
from services.premium_calculator.adapters.calculating_registry import calculating_registry
from services.premium_calculator.domain.registry import Registry
from services.premium_calculator.metrics import REGISTRY_IGNORED_TOTAL, REGISTRY_SWITCHES_TOTAL
from services.runtime.registry_feed import follow_registry

log = logging.getLogger(__name__)


class RegistryFeed:
    """Follows registry.v1. `loaded` is set once there is a registry and everything published before was read."""

    def __init__(self) -> None:
        """Without a registry."""
        self.loaded = asyncio.Event()
        self.programme: Programme | None = None  # the newest; None where there is none
        self._registry: Registry | None = None

    @property
    def registry(self) -> Registry:
        """The newest registry. Wait for `loaded` first."""
        assert self._registry is not None, "sales are assigned after the registry was loaded"
        return self._registry

    async def follow(self) -> None:
        """Read until cancelled. Raises UnreadableRegistryError or services.runtime.topic_log.TopicMissingError."""
        await follow_registry(self._use, self._count)

    def _use(self, snapshot: RegistrySnapshot) -> None:
        self._registry = calculating_registry(snapshot)
        self.programme = snapshot.programme
        self.loaded.set()
        REGISTRY_SWITCHES_TOTAL.inc()
        log.info(
            "registry %s: %d organizations, %d scheme versions",
            snapshot.version,
            len(snapshot.organizations),
            len(snapshot.schemes),
        )

    def _count(self, ignored: Ignored) -> None:
        REGISTRY_IGNORED_TOTAL.labels(ignored.because.value).inc()
