"""`premia backup` and `premia restore`: copies of what a programme keeps outside of Kafka.

Method: premia.backup, as the administrator of DATABASE_URL.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from premia.connection import environment, needed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from premia.backup.manifest import Manifest
    from premia.backup.take import Sources


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def backup(folder: Path) -> None:
    """Copy database, log and documents into FOLDER, which is new or empty, while everything runs.

    As the administrator (DATABASE_URL), with PostgreSQL's pg_dump. Kafka keeps everything itself; keys and tokens are not
    copied.
    """
    from premia.backup.take import take_backup  # noqa: PLC0415  # `premia --help` needs none of it

    sources = _sources(environment())
    for variable, source in (("PREMIA_LEDGER_LOG", sources.log), ("PREMIA_DOCUMENTS_DIR", sources.documents)):
        if source is None:
            click.echo(f"not copied: {variable} names no folder", err=True)
    with _files_in_the_way(folder):
        manifest = asyncio.run(take_backup(sources, folder))
    click.echo(str(folder))
    _say(manifest, f"backed up {len(manifest.files):,} files")
    click.echo(f"keep {folder / 'log' / 'checkpoint'} elsewhere too: it proves later that nothing was changed", err=True)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
def restore(folder: Path) -> None:
    """Bring the backup in FOLDER back into an empty database and empty folders.

    As the administrator (DATABASE_URL), with PostgreSQL's pg_restore, while the services are stopped. Nothing is overwritten.
    """
    from premia.backup.restore import restore_backup  # noqa: PLC0415

    known = environment()
    with _files_in_the_way(folder):
        manifest, left = asyncio.run(restore_backup(folder, _sources(known), known))
    for what in left:
        click.echo(f"left alone: {what}", err=True)
    _say(manifest, f"restored the backup of {manifest.taken_at}")
    click.echo("next: `premia fsck --checkpoint FILE` with a checkpoint kept elsewhere, then start the services", err=True)


@contextmanager
def _files_in_the_way(folder: Path) -> Iterator[None]:
    """Tell in one line which file or folder cannot be written or read, and why: a full disk, or somebody else's folder."""
    from premia.backup.errors import BackupError  # noqa: PLC0415

    try:
        yield
    except OSError as error:
        raise BackupError(f"{error.filename or folder}: {error.strerror or error}: mend that, and begin again") from error


def _say(manifest: Manifest, what: str) -> None:
    click.echo(f"{what}: {manifest.tree_size:,} leaves, root {manifest.root}", err=True)


def _sources(known: Mapping[str, str]) -> Sources:
    from premia.backup.take import Sources  # noqa: PLC0415

    def folder(variable: str) -> Path | None:
        value = known.get(variable)
        return Path(value) if value and Path(value).is_dir() else None

    return Sources(needed("DATABASE_URL", known), folder("PREMIA_LEDGER_LOG"), folder("PREMIA_DOCUMENTS_DIR"))
