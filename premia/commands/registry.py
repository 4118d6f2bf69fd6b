"""`premia registry apply`: a programme's registry and schemes, from files to the registry's topics.

Goal: everybody switches to the new registry at once, or nobody does.
Method: reads both topics to their end, writes only what differs from the files, and the marker last; then reads back
whether the readers took it. The same files again write nothing; an apply that was torn by a crash is completed by
running it again, because its id derives from its content.
Refuses: files with a mistake (file, line, field; exit 2). An apply of somebody else that came between (exit 1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from premia.connection import give_local_tokens
from premia.kafka import kafka_servers, run
from schemas.cloudevents import HeaderFault, from_headers
from schemas.registry import PrivateData
from schemas.registry_file import RegistryFileError, load_registry
from schemas.registry_log import (
    AnyRecord,
    Ignored,
    RegistryApply,
    RegistryAssembler,
    UnreadableRegistryError,
    plan_apply,
    read_private_record,
    read_registry_event,
)
from schemas.registry_snapshot import LoadedRegistry, RegistrySnapshot
from schemas.topics import REGISTRY, REGISTRY_PRIVATE
from services.runtime.kafka import publish, start_producer
from services.runtime.topic_log import open_log

EXIT_OVERTAKEN: Final = 1
EXIT_WRONG_INPUT: Final = 2
NAMED_CHANGES_MAX: Final = 20  # a screen; above it counts say more.


@dataclass(slots=True)
class _Published:
    """What the registry's topics say."""

    snapshot: RegistrySnapshot | None = None
    private: dict[str, PrivateData] = field(default_factory=dict)
    ignored: list[Ignored] = field(default_factory=list)


@click.group()
def registry() -> None:
    """Apply a programme's registry and schemes."""


@registry.command()
@click.argument("registry_file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--schemes", "schemes_dir", required=True, type=click.Path(path_type=Path), help="Folder of schemes.")
def apply(registry_file: Path, schemes_dir: Path) -> None:
    """Publish what differs between FILE and the registry that is in force.

    Prints what changed and the version that calculations use from now on. Exit code 2 if a file has a mistake.
    """
    try:
        wanted = load_registry(registry_file, schemes_dir)
    except RegistryFileError as error:
        click.echo(str(error), err=True)
        raise click.exceptions.Exit(EXIT_WRONG_INPUT) from error
    try:
        run(_apply(kafka_servers(), wanted))
    except UnreadableRegistryError as error:
        raise click.ClickException(f"the registry's topics hold what this release cannot read: {error}") from error
    programme = wanted.snapshot.programme
    give_local_tokens(() if programme is None else (actor.id for actor in programme.actors))


async def _apply(servers: str, wanted: LoadedRegistry) -> None:
    before = await _read(servers)
    for ignored in before.ignored:
        click.echo(f"apply {ignored.marker.apply_id} was ignored by all readers: {ignored.because}", err=True)
    plan = plan_apply(before.snapshot, before.private, wanted)
    if plan.marker is None and not plan.private_records:
        click.echo(f"unchanged {wanted.snapshot.version}")
        return
    producer = await start_producer(servers)
    try:
        *body, last = plan.messages(datetime.now(UTC))
        await publish(producer, body)
        await publish(producer, [last])  # apart: a marker must never be there before what it completes
    finally:
        await producer.stop()
    after = await _read(servers)
    if after.snapshot is None or after.snapshot.version != wanted.snapshot.version:
        click.echo("another apply came between, and readers took that one: run this again", err=True)
        raise click.exceptions.Exit(EXIT_OVERTAKEN)
    _tell(plan, before, wanted.snapshot.version)


async def _read(servers: str) -> _Published:
    published, assembler = _Published(), RegistryAssembler()
    async with open_log(REGISTRY, servers=servers) as log:
        async for records in log.to_end():
            for record in records:
                attributes = from_headers(record.headers)
                if isinstance(attributes, HeaderFault):
                    raise UnreadableRegistryError(f"{REGISTRY} offset {record.offset}: {attributes.name}")
                taken = assembler.take(read_registry_event(attributes.type, record.value))
                if isinstance(taken, Ignored):
                    published.ignored.append(taken)
    async with open_log(REGISTRY_PRIVATE, servers=servers) as log:
        async for records in log.to_end():
            for record in records:
                private = read_private_record(record.value)
                if private.body is None:
                    published.private.pop(private.organization_id, None)
                else:
                    published.private[private.organization_id] = private.body
    published.snapshot = assembler.current
    return published


def _tell(plan: RegistryApply, before: _Published, version: str) -> None:
    changes = [(_verb(record, before.snapshot), record.kind, record.id) for record in plan.records]
    if len(changes) <= NAMED_CHANGES_MAX:
        for verb, kind, id_ in changes:
            click.echo(f"{verb} {kind} {id_}")
    else:
        for line in _counted(changes):
            click.echo(line)
    if plan.private_records:
        click.echo(f"changed private data of {len(plan.private_records)}")
    was = before.snapshot.version if before.snapshot else "none"
    click.echo(f"version {version}" + ("" if was == version else f" (was {was})"))


def _verb(record: AnyRecord, before: RegistrySnapshot | None) -> str:
    if record.body is None:
        return "removed"
    known: Mapping[str, object] = {}
    if before is not None:
        programme = {before.programme.id: before.programme} if before.programme else {}
        known = {"programme": programme, "organization": before.organizations, "scheme": before.schemes}[record.kind]
    return "changed" if record.id in known else "added"


def _counted(changes: Sequence[tuple[str, str, str]]) -> list[str]:
    counts: dict[tuple[str, str], int] = {}
    for verb, kind, _ in changes:
        counts[verb, kind] = counts.get((verb, kind), 0) + 1
    return [f"{verb} {count} {kind}{'' if count == 1 else 's'}" for (verb, kind), count in counts.items()]
