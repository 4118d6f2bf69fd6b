"""The registry as it was published: every version that it ever had, and the private data of now.

Goal: commands say the same of the registry as every service does: what is in force, since when, and what was before.
Method: the topics read to their end and assembled as every reader does. A marker that readers ignored is kept as ignored.
Refuses: an event that this release cannot read, with one line (exit 1).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import click

from schemas.cloudevents import HeaderFault, from_headers
from schemas.registry import PrivateData
from schemas.registry_log import (
    Ignored,
    RegistryAssembler,
    Switched,
    UnreadableRegistryError,
    read_private_record,
    read_registry_event,
)
from schemas.registry_snapshot import RegistrySnapshot
from schemas.topics import REGISTRY, REGISTRY_PRIVATE


class UnreadableRegistry(click.ClickException):
    """A topic of the registry holds what this release cannot read."""

    def __init__(self, place: str, why: object) -> None:
        super().__init__(f"{place} cannot be read by this release: {why}")


@dataclass(frozen=True, slots=True)
class Applied:
    """What the registry was from a moment on."""

    at: datetime
    snapshot: RegistrySnapshot


@dataclass(slots=True)
class PublishedRegistry:
    """All versions, the oldest first; an apply that changes nothing that is calculated with keeps the version's name."""

    applied: list[Applied] = field(default_factory=list)
    ignored: list[Ignored] = field(default_factory=list)

    @property
    def in_force(self) -> RegistrySnapshot | None:
        """The newest; None where nothing was ever applied."""
        return self.applied[-1].snapshot if self.applied else None

    def version(self, name: str) -> RegistrySnapshot | None:
        """The last registry of this version, or None."""
        return next((one.snapshot for one in reversed(self.applied) if one.snapshot.version == name), None)


async def published_registry(servers: str) -> PublishedRegistry:
    """Read registry.v1. Raises UnreadableRegistry, or services.runtime.topic_log.TopicMissingError."""
    from services.runtime.topic_log import open_log  # noqa: PLC0415  takes longer to import than a command's help may

    published, assembler = PublishedRegistry(), RegistryAssembler()
    async with open_log(REGISTRY, servers=servers) as log:
        async for records in log.to_end():
            for record in records:
                place = f"offset {record.offset} of {REGISTRY}"
                attributes = from_headers(record.headers)
                if isinstance(attributes, HeaderFault):
                    raise UnreadableRegistry(place, f"{attributes.name} {attributes.message}")
                try:
                    taken = assembler.take(read_registry_event(attributes.type, record.value))
                except UnreadableRegistryError as error:
                    raise UnreadableRegistry(place, error) from error
                if isinstance(taken, Switched):
                    published.applied.append(Applied(attributes.time, taken.snapshot))
                elif isinstance(taken, Ignored):
                    published.ignored.append(taken)
    return published


async def published_private_data(servers: str) -> dict[str, PrivateData]:
    """Read registry.private.v1: by organization, or by the programme's id. Raises as `published_registry`."""
    from services.runtime.topic_log import open_log  # noqa: PLC0415

    private: dict[str, PrivateData] = {}
    async with open_log(REGISTRY_PRIVATE, servers=servers) as log:
        async for records in log.to_end():
            for record in records:
                try:
                    told = read_private_record(record.value)
                except UnreadableRegistryError as error:
                    raise UnreadableRegistry(f"offset {record.offset} of {REGISTRY_PRIVATE}", error) from error
                if told.body is None:
                    private.pop(told.organization_id, None)
                else:
                    private[told.organization_id] = told.body
    return private
