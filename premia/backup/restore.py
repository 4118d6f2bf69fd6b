"""Bring a backup back, into places that are empty.

Goal: what was backed up is there again, on this or another machine, and nothing that was there before is lost.
Method: the backup is checked whole before anything is touched. Roles first, then the database in one transaction, then schemas
up to this code's version, then files. A log that is there already is left: it is as new as the backup's or newer, and what the
database lost since is taken from it when the ledger starts.
Refuses: a damaged backup; a database that holds anything; migrations that this code does not know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import services
from premia.backup import programs
from premia.backup.copying import CHECKPOINT, copy_files, restore_log
from premia.backup.errors import BackupError
from premia.backup.manifest import Manifest, check_files, read_manifest
from premia.backup.take import DATABASE, DOCUMENTS, LOG, Sources
from premia.commands.migrate import SCHEMAS, bring_up_to_date
from premia.database import connected
from services.runtime.migrations import MigrationError, pending_of, read_migrations

if TYPE_CHECKING:
    from services.runtime.database import Connection

TABLES_THERE: Final = """
    SELECT format('%I.%I', schemaname, tablename) FROM pg_catalog.pg_tables
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1 LIMIT 1"""
MAKE_ROLE: Final = """
    SELECT format('CREATE ROLE %I NOLOGIN', $1::text)
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1)"""


async def restore_backup(backup: Path, targets: Sources, known: Mapping[str, str]) -> tuple[Manifest, list[str]]:
    """Restore. Returns what was restored, and in words what was left alone. Raises BackupError, DamagedBackupError."""
    manifest = read_manifest(backup)
    await asyncio.to_thread(check_files, backup, manifest)
    _require_known(manifest)
    async with connected(targets.database_url) as conn:
        table = await conn.fetchval(TABLES_THERE)
        if table is not None:
            raise BackupError(f"the database is not empty, it has {table}: create another one, and name it in DATABASE_URL")
        await _make_roles(conn, manifest)
        version = int(await conn.fetchval("SHOW server_version_num"))
    load = [programs.program("pg_restore", version // 10_000), "--exit-on-error", "--single-transaction", "--no-password"]
    await asyncio.to_thread(programs.run, [*load, str(backup / DATABASE)], targets.database_url)
    await bring_up_to_date(targets.database_url, known)
    left = await asyncio.to_thread(_restore_files, backup, targets)
    return manifest, left


def _require_known(manifest: Manifest) -> None:
    folder = Path(services.__path__[0])
    for schema in SCHEMAS:
        applied = {kept.number: kept.sha256 for kept in manifest.migrations if kept.schema == schema}
        try:
            pending_of(read_migrations(folder / schema / "migrations"), applied, schema=schema)
        except MigrationError as error:
            raise BackupError(f"{error}: restore the backup with the version of Premia that made it, or a newer one") from error


async def _make_roles(conn: Connection, manifest: Manifest) -> None:
    """Roles are the server's, not the database's. Logins are allowed afterwards, as `premia migrate` does."""
    for role in manifest.roles:
        statement = await conn.fetchval(MAKE_ROLE, role)
        if statement is not None:
            await conn.execute(statement)
        if not await conn.fetchval("SELECT pg_has_role(current_user, $1, 'MEMBER')", role):
            await conn.execute(await conn.fetchval("SELECT format('GRANT %I TO CURRENT_USER', $1::text)", role))


def _restore_files(backup: Path, targets: Sources) -> list[str]:
    left = []
    if (backup / LOG).is_dir():
        if targets.log is None:
            left.append("the log's files: PREMIA_LEDGER_LOG names no folder")
        elif (targets.log / CHECKPOINT).exists():
            left.append(f"{targets.log}: it has a log already, which the ledger compares with the database when it starts")
        else:
            restore_log(backup / LOG, targets.log)
    if (backup / DOCUMENTS).is_dir():
        if targets.documents is None:
            left.append("documents: PREMIA_DOCUMENTS_DIR names no folder")
        else:
            copy_files(backup / DOCUMENTS, targets.documents)
    return left
