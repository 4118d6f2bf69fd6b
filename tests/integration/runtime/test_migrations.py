"""Migrations: forward only, one process at a time, and never on a database that this code does not know."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import pytest

from services.runtime.migrations import MigrationError, migrate

Connections = list["asyncpg.Connection[asyncpg.Record]"]
ONE, TWO, THREE = "CREATE TABLE one (a int)", "CREATE TABLE two (a int)", "INSERT INTO one VALUES (1)"


@pytest.fixture
async def admins(new_database: Callable[[], str]) -> AsyncIterator[Connections]:
    """Two connections of the administrator to an empty database."""
    url = new_database()
    connections = [await asyncpg.connect(url) for _ in range(2)]
    yield connections
    for connection in connections:
        await connection.close()


def write(folder: Path, *texts: str) -> Path:
    """The migrations of a schema, from 0001 on."""
    for number, text in enumerate(texts, start=1):
        path = folder / f"{number:04d}_step{number}"
        path.mkdir(parents=True, exist_ok=True)
        (path / "up.sql").write_text(text)
    return folder


async def applied(conn: asyncpg.Connection[asyncpg.Record]) -> list[int]:
    """Numbers of the migrations that the database has."""
    return [row["number"] for row in await conn.fetch("SELECT number FROM public.premia_migration ORDER BY number")]


async def test_two_that_migrate_at_once_apply_everything_once(admins: Connections, tmp_path: Path) -> None:
    folder = write(tmp_path, ONE, TWO, THREE)
    done = await asyncio.gather(*(migrate(conn, schema="example", folder=folder) for conn in admins))
    assert sorted(len(migrations) for migrations in done) == [0, 3]
    assert await applied(admins[0]) == [1, 2, 3]
    assert await admins[0].fetchval("SELECT count(*) FROM one") == 1


async def test_only_what_is_new_is_applied(admins: Connections, tmp_path: Path) -> None:
    await migrate(admins[0], schema="example", folder=write(tmp_path, ONE))
    done = await migrate(admins[1], schema="example", folder=write(tmp_path, ONE, TWO))
    assert [migration.name for migration in done] == ["step2"]
    assert await migrate(admins[0], schema="example", folder=tmp_path) == []


async def test_a_text_that_changed_after_it_was_applied_is_refused_and_nothing_more_is_applied(
    admins: Connections, tmp_path: Path
) -> None:
    await migrate(admins[0], schema="example", folder=write(tmp_path, ONE))
    write(tmp_path, ONE + " ", TWO)
    with pytest.raises(MigrationError, match="example 0001_step1: its text changed"):
        await migrate(admins[0], schema="example", folder=tmp_path)
    assert await applied(admins[0]) == [1]
    assert await admins[0].fetchval("SELECT to_regclass('two')") is None


async def test_a_database_that_is_newer_than_the_code_is_refused(admins: Connections, tmp_path: Path) -> None:
    await migrate(admins[0], schema="example", folder=write(tmp_path / "new", ONE, TWO))
    with pytest.raises(MigrationError, match=r"newer than this code \(migration 0002\)"):
        await migrate(admins[0], schema="example", folder=write(tmp_path / "old", ONE))


async def test_one_that_fails_takes_the_others_of_its_run_back(admins: Connections, tmp_path: Path) -> None:
    with pytest.raises(asyncpg.PostgresSyntaxError):
        await migrate(admins[0], schema="example", folder=write(tmp_path, ONE, TWO, "NO SQL"))
    assert await admins[0].fetchval("SELECT to_regclass('one')") is None
    mended = await migrate(admins[0], schema="example", folder=write(tmp_path, ONE, TWO, THREE))
    assert [migration.number for migration in mended] == [1, 2, 3]


async def test_numbers_with_a_gap_are_refused(admins: Connections, tmp_path: Path) -> None:
    write(tmp_path, ONE, TWO, THREE)
    (tmp_path / "0002_step2").rename(tmp_path / "0005_step2")
    with pytest.raises(MigrationError, match="without a gap"):
        await migrate(admins[0], schema="example", folder=tmp_path)
