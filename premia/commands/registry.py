"""`premia registry apply`: a programme's registry and schemes, from files to the registry's topics.

Goal: everybody switches to the new registry at once, or nobody does.
Method: reads both topics to their end, writes only what differs from the files, and the marker last; then reads back
whether the readers took it. The same files again write nothing; an apply that was torn by a crash is completed by
running it again, because its id derives from its content.
Refuses: files with a mistake (file, line, field; exit 2). An apply of somebody else that came between (exit 1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from premia.connection import give_local_tokens
from premia.kafka import kafka_servers, run
from premia.published_registry import published_private_data, published_registry
from schemas.registry_file import RegistryFileError, load_registry
from schemas.registry_log import AnyRecord, RegistryApply, plan_apply
from schemas.registry_snapshot import LoadedRegistry, RegistrySnapshot
from services.runtime.kafka import publish, start_producer

EXIT_OVERTAKEN: Final = 1
EXIT_WRONG_INPUT: Final = 2
NAMED_CHANGES_MAX: Final = 20  # a screen; above it counts say more.


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
    run(_apply(kafka_servers(), wanted))
    programme = wanted.snapshot.programme
    give_local_tokens(() if programme is None else (actor.id for actor in programme.actors))


async def _apply(servers: str, wanted: LoadedRegistry) -> None:
    before = await published_registry(servers)
    for ignored in before.ignored:
        click.echo(f"apply {ignored.marker.apply_id} was ignored by all readers: {ignored.because}", err=True)
    plan = plan_apply(before.in_force, await published_private_data(servers), wanted)
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
    after = (await published_registry(servers)).in_force
    if after is None or after.version != wanted.snapshot.version:
        click.echo("another apply came between, and readers took that one: run this again", err=True)
        raise click.exceptions.Exit(EXIT_OVERTAKEN)
    _tell(plan, before.in_force, wanted.snapshot.version)


def _tell(plan: RegistryApply, before: RegistrySnapshot | None, version: str) -> None:
    changes = [(_verb(record, before), record.kind, record.id) for record in plan.records]
    if len(changes) <= NAMED_CHANGES_MAX:
        for verb, kind, id_ in changes:
            click.echo(f"{verb} {kind} {id_}")
    else:
        for line in _counted(changes):
            click.echo(line)
    if plan.private_records:
        click.echo(f"changed private data of {len(plan.private_records)}")
    was = before.version if before else "none"
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
