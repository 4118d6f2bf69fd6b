"""Numbered SQL migrations: forward only, under a lock, checked by hash.

Goal: a database is either at a known version or refused.
Method: a migration is a folder NNNN_name/up.sql. All pending ones of a schema run in one SQL transaction under an advisory
lock; each is remembered with the SHA-256 of its text, and a text that changed after it was applied is refused.
Source: style R9.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from services.runtime.database import Connection

LOCK_KEY: Final = 0x5052454D4941  # "PREMIA": any number that nobody else takes in this database.
CREATE_REGISTER: Final = """
    CREATE TABLE IF NOT EXISTS public.premia_migration (
        schema_name text NOT NULL, number int NOT NULL, name text NOT NULL, sha256 text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (schema_name, number))"""


class MigrationError(Exception):
    """The database's migrations and the code's do not fit together; the message names the migration."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One migration as it stands in the code."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Hash of the text, in hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read_migrations(folder: Path) -> list[Migration]:
    """All migrations below `folder`, by number. Raises MigrationError unless numbers run 1, 2, 3 without a gap."""
    migrations = [
        Migration(int(path.parent.name[:4]), path.parent.name[5:], path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("[0-9][0-9][0-9][0-9]_*/up.sql"))
    ]
    if [migration.number for migration in migrations] != list(range(1, len(migrations) + 1)):
        raise MigrationError(f"{folder.name}: migrations must be numbered 0001, 0002, … without a gap")
    return migrations


def pending_of(migrations: list[Migration], applied: Mapping[int, str], *, schema: str) -> list[Migration]:
    """Those that are not among the applied ones (number -> SHA-256). Raises MigrationError if the two do not fit together."""
    for migration in migrations:
        if applied.get(migration.number, migration.sha256) != migration.sha256:
            raise MigrationError(f"{schema} {migration.number:04d}_{migration.name}: its text changed after it was applied")
    if unknown := set(applied) - {migration.number for migration in migrations}:
        raise MigrationError(f"{schema}: the database is newer than this code (migration {max(unknown):04d})")
    return [migration for migration in migrations if migration.number not in applied]


async def migrate(conn: Connection, *, schema: str, folder: Path) -> list[Migration]:
    """Apply what is pending for `schema`, as the administrator. Returns the migrations that were applied now."""
    migrations = read_migrations(folder)
    async with conn.transaction():
        await conn.execute("SELECT pg_advisory_xact_lock($1)", LOCK_KEY)
        await conn.execute(CREATE_REGISTER)
        rows = await conn.fetch("SELECT number, sha256 FROM public.premia_migration WHERE schema_name = $1", schema)
        pending = pending_of(migrations, {row["number"]: row["sha256"] for row in rows}, schema=schema)
        for migration in pending:
            await conn.execute(migration.sql)
            await conn.execute(
                "INSERT INTO public.premia_migration (schema_name, number, name, sha256) VALUES ($1, $2, $3, $4)",
                schema,
                migration.number,
                migration.name,
                migration.sha256,
            )
    return pending
