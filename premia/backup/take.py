"""Take a backup while everything runs.

Goal: one folder from which the programme can be brought back: the database, the log's files, the documents.
Method: database, tree size and root are of one snapshot, which pg_dump is given. The log's files and the documents are copied
after it, so that they hold all that the database refers to, and perhaps more.
What is in Kafka, which keeps everything, and keys and tokens, which belong elsewhere, is not in it.
Refuses: a folder that is not new or empty.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from premia.backup import programs
from premia.backup.copying import copy_files, copy_growing_log
from premia.backup.errors import BackupError
from premia.backup.manifest import KeptMigration, Manifest, files_below, kept_file, write_manifest
from premia.database import connected
from verifier.merkle import GrowingTree, leaf_hash

if TYPE_CHECKING:
    from services.runtime.database import Connection

DATABASE: Final = "database.dump"
LOG: Final = "log"
DOCUMENTS: Final = "documents"
LEAVES_AT_ONCE: Final = 1_000  # at 2 KB a leaf 2 MB; 60 MB at worst.
ROLES: Final = (
    "SELECT rolname FROM pg_catalog.pg_roles WHERE rolname ~ '^(ledger|payout|portal)_(owner|writer|reader)$' ORDER BY 1"
)
MIGRATIONS: Final = "SELECT schema_name, number, name, sha256 FROM public.premia_migration ORDER BY schema_name, number"


@dataclass(frozen=True, slots=True)
class Sources:
    """What is copied. A folder that is None is not there, and not copied."""

    database_url: str
    log: Path | None
    documents: Path | None


async def take_backup(sources: Sources, target: Path) -> Manifest:
    """Copy everything into `target`. Raises BackupError."""
    await asyncio.to_thread(_make_empty, target)
    async with connected(sources.database_url) as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        snapshot = await conn.fetchval("SELECT pg_export_snapshot()")
        version = int(await conn.fetchval("SHOW server_version_num"))
        dump = [programs.program("pg_dump", version // 10_000), "--format=custom", f"--snapshot={snapshot}", "--no-password"]
        dump.append(f"--file={target / DATABASE}")
        dumping = asyncio.create_task(asyncio.to_thread(programs.run, dump, sources.database_url))
        tree = await _tree(conn)
        await dumping
        roles = tuple(row["rolname"] for row in await conn.fetch(ROLES))
        migrations = tuple(KeptMigration(*row) for row in await conn.fetch(MIGRATIONS))
        postgresql = await conn.fetchval("SHOW server_version")
    if sources.log is not None:
        await asyncio.to_thread(copy_growing_log, sources.log, target / LOG)
    if sources.documents is not None:
        await asyncio.to_thread(copy_files, sources.documents, target / DOCUMENTS)
    files = await asyncio.to_thread(lambda: tuple(kept_file(target, path) for path in files_below(target)))
    manifest = Manifest(
        taken_at=datetime.now(UTC).isoformat(timespec="seconds"),
        postgresql=postgresql,
        tree_size=tree.size,
        root=tree.root().hex(),
        roles=roles,
        migrations=migrations,
        files=files,
    )
    write_manifest(target, manifest)
    return manifest


def _make_empty(target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BackupError(f"{target} is there and not empty: give a new folder")
    target.mkdir(parents=True, exist_ok=True, mode=0o700)


async def _tree(conn: Connection) -> GrowingTree:
    tree = GrowingTree()
    async for row in conn.cursor("SELECT leaf FROM ledger.journal ORDER BY leaf_index", prefetch=LEAVES_AT_ONCE):
        tree.append(leaf_hash(row["leaf"]))
    return tree
