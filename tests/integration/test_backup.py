"""A programme is backed up while it runs, lost, restored, and found the same, by fsck and by a checkpoint kept outside."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import asyncpg
import orjson
import pytest

from premia.commands.migrate import bring_up_to_date
from premia.local.stack import LocalStack
from services.payout.adapters.document_store import store_document
from tests.conftest import environment_with_database
from tests.integration.command import Finished, premia_with
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.logs import seal
from tests.integration.ledger.records import entitlement
from tests.integration.ledger.story import fill

TABLES: Final = """
    SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname IN ('ledger', 'payout', 'public')"""


@pytest.fixture
async def programme(
    servers: LocalStack, new_database: Callable[[], str], tmp_path: Path
) -> AsyncIterator[tuple[Ledger, dict[str, str]]]:
    """A ledger with a story, its log sealed, a document; and the variables of an empty place elsewhere."""
    here, elsewhere = [_environment(servers, new_database(), tmp_path / name) for name in ("here", "elsewhere")]
    await bring_up_to_date(here["DATABASE_URL"], here)
    conn = await asyncpg.connect(here["PREMIA_LEDGER_DATABASE_URL"])
    try:
        ledger = Ledger(conn, here)
        await fill(ledger)
        await seal(conn, Path(here["PREMIA_LEDGER_LOG"]))
        store_document(Path(here["PREMIA_DOCUMENTS_DIR"]), b"a statement")
        yield ledger, elsewhere
    finally:
        await conn.close()


def _environment(servers: LocalStack, database_url: str, folder: Path) -> dict[str, str]:
    for name in ("log", "documents"):
        (folder / name).mkdir(parents=True)
    return environment_with_database(servers, database_url) | {
        "PREMIA_LEDGER_LOG": str(folder / "log"),
        "PREMIA_DOCUMENTS_DIR": str(folder / "documents"),
    }


async def contents(environment: dict[str, str]) -> dict[str, list[str]]:
    """All rows of all tables."""
    conn = await asyncpg.connect(environment["DATABASE_URL"])
    try:
        names = [row["name"] for row in await conn.fetch(TABLES)]
        return {
            name: [row["row"] for row in await conn.fetch(f"SELECT t::text AS row FROM {name} AS t ORDER BY 1")]
            for name in sorted(names)
        }
    finally:
        await conn.close()


def files(folder: str) -> dict[str, bytes]:
    """All files below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


async def backed_up(environment: dict[str, str], folder: Path) -> Finished:
    """A backup that was made."""
    done = await premia_with(environment, "backup", folder)
    assert done.exit_code == 0, done.stderr
    return done


async def test_what_is_restored_is_what_was_backed_up(programme: tuple[Ledger, dict[str, str]], tmp_path: Path) -> None:
    ledger, elsewhere = programme
    backup, kept = tmp_path / "backup", tmp_path / "checkpoint"
    done = await backed_up(ledger.environment, backup)
    assert done.lines == [str(backup)]
    kept.write_bytes((backup / "log" / "checkpoint").read_bytes())

    restored = await premia_with(elsewhere, "restore", backup)

    assert restored.exit_code == 0, restored.stderr
    assert "31 leaves" in restored.stderr
    assert await contents(elsewhere) == await contents(ledger.environment)
    for variable in ("PREMIA_LEDGER_LOG", "PREMIA_DOCUMENTS_DIR"):
        assert {name: content for name, content in files(ledger.environment[variable]).items() if name != ".lock"} == {
            name: content for name, content in files(elsewhere[variable]).items() if name != ".lock"
        }
    checked = await premia_with(elsewhere, "fsck", "--checkpoint", kept, "--json")
    assert checked.exit_code == 0, checked.stdout
    manifest = orjson.loads((backup / "manifest.json").read_bytes())
    assert orjson.loads(checked.lines[-1])["root"] == manifest["root"]
    conn = await asyncpg.connect(elsewhere["PREMIA_LEDGER_DATABASE_URL"])
    try:
        await Ledger(conn, elsewhere).post(entitlement(lot="AFTER", origin_offset=1_000))
        assert await Ledger(conn, elsewhere).deviations() == []
    finally:
        await conn.close()


async def test_what_a_restore_lost_is_detected_by_a_checkpoint_kept_elsewhere_and_by_the_log(
    programme: tuple[Ledger, dict[str, str]], tmp_path: Path
) -> None:
    ledger, elsewhere = programme
    await backed_up(ledger.environment, tmp_path / "backup")
    await ledger.post(entitlement(lot="AFTER", origin_offset=1_000))
    await seal(ledger.conn, Path(ledger.environment["PREMIA_LEDGER_LOG"]))
    newest = Path(ledger.environment["PREMIA_LEDGER_LOG"])
    shutil.rmtree(elsewhere["PREMIA_LEDGER_LOG"])

    restored = await premia_with(elsewhere | {"PREMIA_LEDGER_LOG": str(newest)}, "restore", tmp_path / "backup")

    assert restored.exit_code == 0, restored.stderr
    assert f"left alone: {newest}" in restored.stderr
    for options in ({"PREMIA_LEDGER_LOG": str(newest)}, {}):
        checked = await premia_with(elsewhere | options, "fsck", "--checkpoint", newest / "checkpoint", "--json")
        codes = {orjson.loads(line).get("code") for line in checked.lines[:-1]}
        assert (checked.exit_code, codes) == (1, {"JOURNAL_BEHIND_LOG"})


async def test_a_backup_that_was_changed_is_not_restored(programme: tuple[Ledger, dict[str, str]], tmp_path: Path) -> None:
    ledger, elsewhere = programme
    backup = tmp_path / "backup"
    await backed_up(ledger.environment, backup)
    tile = next(path for path in (backup / "log" / "tile").rglob("*") if path.is_file())
    for damage, said in (
        (lambda: tile.write_bytes(tile.read_bytes() + b"x"), "was changed since"),
        (tile.unlink, "is missing from the backup"),
        (lambda: (backup / "database.dump").rename(backup / "other"), "missing"),
        ((backup / "manifest.json").unlink, "this is no backup"),
    ):
        damage()
        refused = await premia_with(elsewhere, "restore", backup)
        assert (refused.exit_code, said in refused.stderr) == (1, True), refused.stderr
        assert await contents(elsewhere) == {}


async def test_nothing_is_overwritten(programme: tuple[Ledger, dict[str, str]], tmp_path: Path) -> None:
    ledger, elsewhere = programme
    backup = tmp_path / "backup"
    await backed_up(ledger.environment, backup)
    again = await premia_with(ledger.environment, "backup", backup)
    assert (again.exit_code, "not empty" in again.stderr) == (4, True)
    before = await contents(ledger.environment)
    refused = await premia_with(ledger.environment, "restore", backup)
    assert (refused.exit_code, "the database is not empty" in refused.stderr) == (4, True)
    assert await contents(ledger.environment) == before
    manifest = orjson.loads((backup / "manifest.json").read_bytes())
    manifest["migrations"].append({"schema": "ledger", "number": 9_999, "name": "later", "sha256": "0"})
    (backup / "manifest.json").write_bytes(orjson.dumps(manifest))
    newer = await premia_with(elsewhere, "restore", backup)
    assert (newer.exit_code, "newer than this code" in newer.stderr) == (4, True), newer.stderr
    assert await contents(elsewhere) == {}


async def test_a_folder_that_cannot_be_written_is_told_in_one_line(
    programme: tuple[Ledger, dict[str, str]], tmp_path: Path
) -> None:
    ledger, _ = programme
    (tmp_path / "file").touch()
    refused = await premia_with(ledger.environment, "backup", tmp_path / "file" / "backup")
    assert (refused.exit_code, refused.stderr.count("\n")) == (4, 1), refused.stderr
    assert "Not a directory" in refused.stderr


@pytest.mark.parametrize("manifest", [b"", b"{}", b"[]", b"{", b"\xff", b'{"format": "premia.backup.v1"}'])
async def test_a_manifest_that_is_none_is_told_without_riddles(
    programme: tuple[Ledger, dict[str, str]], tmp_path: Path, manifest: bytes
) -> None:
    _, elsewhere = programme
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup" / "manifest.json").write_bytes(manifest)
    refused = await premia_with(elsewhere, "restore", tmp_path / "backup")
    assert (refused.exit_code, "is no manifest of a backup" in refused.stderr) == (1, True), refused.stderr
