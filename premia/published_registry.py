"""The registry as it was published, at every version that it ever had.

Goal: a command calculates with, or names the source in, exactly the registry version that is meant.
Method: registry.v1 read to its end and assembled as every reader does; markers that readers ignored are ignored here too.
Refuses: an event that this release cannot read (UnreadableRegistryError).
"""

from __future__ import annotations

from schemas.cloudevents import HeaderFault, from_headers
from schemas.registry_log import RegistryAssembler, Switched, UnreadableRegistryError, read_registry_event
from schemas.registry_snapshot import RegistrySnapshot
from schemas.topics import REGISTRY
from services.runtime.topic_log import open_log


async def published_registries(servers: str) -> list[RegistrySnapshot]:
    """Every version, the oldest first; the last is the one in force. Empty where nothing was ever applied."""
    assembler = RegistryAssembler()
    versions = []
    async with open_log(REGISTRY, servers=servers) as log:
        async for records in log.to_end():
            for record in records:
                attributes = from_headers(record.headers)
                if isinstance(attributes, HeaderFault):
                    raise UnreadableRegistryError(f"{REGISTRY} offset {record.offset}: {attributes.name}")
                taken = assembler.take(read_registry_event(attributes.type, record.value))
                if isinstance(taken, Switched):
                    versions.append(taken.snapshot)
    return versions
