"""The registry as a log of events: writing the difference, and reading it back whole.

Goal: nobody ever calculates with half an apply, also when an apply was torn by a crash or two ran at once.
Method: an apply writes the changed records, each with its apply_id, and last a marker (previous version, version,
count). A reader collects records by apply_id and switches, at once, on a marker that starts from the version it has,
whose records are all there, and whose result has the version it promises. It ignores and reports every other marker,
forgetting its records. The apply_id derives from the content: running a torn apply again completes it.
Refuses: a record or marker that cannot be read (UnreadableRegistryError): inside there is no skipping.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeVar
from uuid import UUID

import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError

from schemas.canonical_json import canonical_json, payload_hash
from schemas.cloudevents import CloudEventAttributes
from schemas.contract import first_fault
from schemas.identity import derived_id
from schemas.message import Message
from schemas.registry import (
    MARKER_TYPE,
    PRIVATE_TYPE,
    RECORD_TYPE,
    REGISTRY_RECORD,
    Organization,
    OrganizationRecord,
    PrivateData,
    PrivateRecord,
    Programme,
    ProgrammeRecord,
    RegistryMarker,
    SchemeRecord,
)
from schemas.registry_snapshot import LoadedRegistry, RegistrySnapshot, registry_snapshot
from schemas.scheme import Scheme
from schemas.topics import REGISTRY, REGISTRY_PRIVATE

SOURCE: Final = "/registry"
# Records of applies that never got their marker. A whole programme has some hundred records; past this the oldest
# apply is forgotten, which is safe: its marker would then be ignored for its count.
COLLECTED_RECORDS_MAX: Final = 100_000

AnyRecord = ProgrammeRecord | OrganizationRecord | SchemeRecord


class UnreadableRegistryError(ValueError):
    """An event of the registry's topics that this release cannot read."""


# --- writing ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RegistryApply:
    """What `premia registry apply` writes. Without public changes there are no records and no marker."""

    records: tuple[AnyRecord, ...]
    marker: RegistryMarker | None
    private_records: tuple[PrivateRecord, ...]

    def messages(self, at: datetime) -> Iterator[Message]:
        """The Kafka messages in the order in which they must be written: private data, records, and the marker last."""
        for private in self.private_records:
            yield _message(REGISTRY_PRIVATE, PRIVATE_TYPE, private.key, private, at)
        for record in self.records:
            yield _message(REGISTRY, RECORD_TYPE, record.key, record, at)
        if self.marker is not None:
            yield _message(REGISTRY, MARKER_TYPE, self.marker.key, self.marker, at)


def plan_apply(
    current: RegistrySnapshot | None, current_private: Mapping[str, PrivateData], wanted: LoadedRegistry
) -> RegistryApply:
    """The difference between what the topics say and what the files say."""
    old, new = _bodies(current), _bodies(wanted.snapshot)
    changed = {key: new.get(key) for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)}
    private = {
        id_: wanted.private.get(id_)
        for id_ in sorted(current_private.keys() | wanted.private.keys())
        if current_private.get(id_) != wanted.private.get(id_)
    }
    previous_version = current.version if current else None
    apply_id = derived_id(
        "registry-apply",
        previous_version or "none",
        wanted.snapshot.version,
        payload_hash([[kind, id_, _dumped(body)] for (kind, id_), body in changed.items()]),
        payload_hash([[id_, _dumped(body)] for id_, body in private.items()]),
    )
    records = tuple(_record(apply_id, kind, id_, body) for (kind, id_), body in changed.items())
    marker = RegistryMarker(
        apply_id=apply_id, previous_version=previous_version, version=wanted.snapshot.version, count=len(records)
    )
    return RegistryApply(
        records,
        marker if records or current is None else None,
        tuple(PrivateRecord(apply_id=apply_id, organization_id=id_, body=body) for id_, body in private.items()),
    )


_Body = Programme | Organization | Scheme


def _bodies(snapshot: RegistrySnapshot | None) -> dict[tuple[str, str], _Body]:
    bodies: dict[tuple[str, str], _Body] = {}
    if snapshot is not None:
        if snapshot.programme is not None:
            bodies["programme", snapshot.programme.id] = snapshot.programme
        bodies |= {("organization", id_): organization for id_, organization in snapshot.organizations.items()}
        bodies |= {("scheme", id_): scheme for id_, scheme in snapshot.schemes.items()}
    return bodies


def _record(apply_id: UUID, kind: str, id_: str, body: _Body | None) -> AnyRecord:
    return REGISTRY_RECORD.validate_python({"apply_id": apply_id, "kind": kind, "id": id_, "body": body})


def _dumped(body: BaseModel | None) -> object:
    return None if body is None else body.model_dump(mode="json", by_alias=True, exclude_none=True)


def _message(topic: str, type_: str, key: str, event: AnyRecord | RegistryMarker | PrivateRecord, at: datetime) -> Message:
    # Derived, as the apply and the key together may be longer than an event's id.
    id_ = str(derived_id("registry-event", str(event.apply_id), key))
    attributes = CloudEventAttributes(id=id_, source=SOURCE, type=type_, time=at)
    value = event.model_dump(mode="json", by_alias=True, exclude_none=True)
    value.setdefault("body", None) if not isinstance(event, RegistryMarker) else value.setdefault("previous_version", None)
    return Message(topic, key.encode(), canonical_json(value), attributes.to_headers())


# --- reading ----------------------------------------------------------------------------------------------------------


def read_registry_event(type_: str, value: bytes) -> AnyRecord | RegistryMarker:
    """Read an event of registry.v1 by its ce_type. Raises UnreadableRegistryError."""
    if type_ == RECORD_TYPE:
        return _read(REGISTRY_RECORD, value)
    if type_ == MARKER_TYPE:
        return _read(_MARKER, value)
    raise UnreadableRegistryError(f"{type_} is no type of registry.v1")


def read_private_record(value: bytes) -> PrivateRecord:
    """Read an event of registry.private.v1. Raises UnreadableRegistryError."""
    return _read(_PRIVATE, value)


_MARKER: Final = TypeAdapter(RegistryMarker)
_PRIVATE: Final = TypeAdapter(PrivateRecord)
_Event = TypeVar("_Event")


def _read(contract: TypeAdapter[_Event], value: bytes) -> _Event:
    try:
        sent = orjson.loads(value)
        return contract.validate_python(sent)
    except orjson.JSONDecodeError as error:
        raise UnreadableRegistryError(f"is not JSON: {error}") from error
    except ValidationError as error:
        fault = first_fault(error, sent)
        raise UnreadableRegistryError(f"{fault.field}: {fault.message}") from error


class IgnoredBecause(StrEnum):
    """Why a marker changed nothing."""

    OTHER_START = "other_start"  # it starts from a version that is not the current one
    RECORDS_MISSING = "records_missing"  # torn: not all of its records are there
    OTHER_RESULT = "other_result"  # its records make another version than it says


@dataclass(frozen=True, slots=True)
class Collected:
    """A record waits for its marker."""


@dataclass(frozen=True, slots=True)
class Switched:
    """The registry is another one from here on."""

    snapshot: RegistrySnapshot


@dataclass(frozen=True, slots=True)
class Ignored:
    """A marker was ignored; somebody should know."""

    marker: RegistryMarker
    because: IgnoredBecause


class RegistryAssembler:
    """Makes whole registries of the events of registry.v1, taken in their order."""

    def __init__(self) -> None:
        """Start without a registry, at the beginning of the log."""
        self.current: RegistrySnapshot | None = None
        self._collected: dict[UUID, dict[str, AnyRecord]] = {}

    def take(self, event: AnyRecord | RegistryMarker) -> Collected | Switched | Ignored:
        """Take the next event of the log."""
        if isinstance(event, RegistryMarker):
            return self._finish(event, self._collected.pop(event.apply_id, {}))
        self._collected.setdefault(event.apply_id, {})[event.key] = event
        while sum(map(len, self._collected.values())) > COLLECTED_RECORDS_MAX:
            del self._collected[next(iter(self._collected))]
        return Collected()

    def _finish(self, marker: RegistryMarker, records: Mapping[str, AnyRecord]) -> Switched | Ignored:
        if marker.previous_version != (self.current.version if self.current else None):
            return Ignored(marker, IgnoredBecause.OTHER_START)
        if len(records) != marker.count:
            return Ignored(marker, IgnoredBecause.RECORDS_MISSING)
        snapshot = _changed(self.current, records)
        if snapshot.version != marker.version:
            return Ignored(marker, IgnoredBecause.OTHER_RESULT)
        self.current = snapshot
        return Switched(snapshot)


def _changed(current: RegistrySnapshot | None, records: Mapping[str, AnyRecord]) -> RegistrySnapshot:
    programme = current.programme if current else None
    organizations = dict(current.organizations) if current else {}
    schemes = dict(current.schemes) if current else {}
    for record in records.values():
        match record:
            case ProgrammeRecord(body=None):
                programme = programme if programme and programme.id != record.id else None
            case ProgrammeRecord(body=body):
                programme = body
            case OrganizationRecord(body=None):
                organizations.pop(record.id, None)
            case OrganizationRecord(body=organization) if organization:
                organizations[record.id] = organization
            case SchemeRecord(body=None):
                schemes.pop(record.id, None)
            case SchemeRecord(body=scheme) if scheme:
                schemes[record.id] = scheme
    return registry_snapshot(programme, organizations, schemes)
