"""What a journal becomes as files: whole after any crash, the same however often it is made, and never another story."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from schemas.note_signing import NoteKind, new_note_key
from services.ledger.adapters.growing_log import resumed
from services.ledger.adapters.log_folder import LogFolder
from services.ledger.adapters.log_keys import LogKeys
from services.ledger.adapters.signed_note import Note, read_signatures
from services.ledger.log_errors import LogError, LogFault
from services.ledger.use_cases.compare_log import compare_log
from services.ledger.use_cases.just_posted import JustPosted
from services.ledger.use_cases.seal_log import seal_log
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.logs import KEYS, ORIGIN, audit, fill, seal
from tests.integration.ledger.records import entitlement

VERIFIER: Final = KEYS.keys[0].verifier_key()
SIZES: Final = (0, 1, 255, 256, 257, 600)


class CrashError(BaseException):
    """The process is gone."""


class Crashes:
    """Ends the process at the nth thing that it does to its files: before a file is durable, named or removed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left: int | None = None
        self.done = 0
        for owner, name in ((os, "fsync"), (Path, "rename"), (shutil, "rmtree")):
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, really: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            if self.left == self.done:
                raise CrashError
            self.done += 1
            return really(*arguments, **options)

        return counted


def named(path: Path) -> dict[str, bytes]:
    """All files of a log but for the lock and what a crash left half written."""
    files = (file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


async def test_a_log_of_any_size_is_whole_and_extends_the_one_before(ledger: Ledger, tmp_path: Path) -> None:
    await seal(ledger.conn, tmp_path)
    before = audit(tmp_path, VERIFIER)
    assert before.size == 0
    for size in SIZES[1:]:
        await fill(ledger.conn, size)
        await seal(ledger.conn, tmp_path)
        now = audit(tmp_path, VERIFIER)
        assert now.size == size
        assert now.extends(before)
        before = now
    assert before.leaves == [row["leaf"] for row in await ledger.rows("journal", "leaf_index")]


async def test_files_that_are_lost_are_made_again_byte_for_byte(ledger: Ledger, tmp_path: Path) -> None:
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
    await fill(ledger.conn, 700)
    await seal(ledger.conn, tmp_path / "first")
    await seal(ledger.conn, tmp_path / "second")
    assert named(tmp_path / "first") == named(tmp_path / "second")


async def test_partial_tiles_are_dropped_when_the_full_one_is_there(ledger: Ledger, tmp_path: Path) -> None:
    for size in (1, 3, 200, 300, 301):
        await fill(ledger.conn, size)
        await seal(ledger.conn, tmp_path)
    assert sorted(name for name in named(tmp_path) if ".p/" in name) == [
        "tile/0/001.p/44",
        "tile/0/001.p/45",
        "tile/1/000.p/1",
        "tile/entries/001.p/44",
        "tile/entries/001.p/45",
    ]


@pytest.mark.parametrize(("before", "after"), [(0, 3), (3, 257), (254, 256), (300, 520)])
async def test_a_crash_between_any_two_writes_leaves_a_log_that_goes_on(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int, after: int
) -> None:
    sealed = tmp_path / "sealed"
    sealed.mkdir()
    if before:
        await fill(ledger.conn, before)
        await seal(ledger.conn, sealed)
    await fill(ledger.conn, after)
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(sealed, undisturbed)
    crashes = Crashes(monkeypatch)
    await seal(ledger.conn, undisturbed)
    steps = crashes.done
    assert steps > 8
    first = audit(undisturbed, VERIFIER)
    for step in range(steps):
        path = tmp_path / f"crash-{step}"
        shutil.copytree(sealed, path)
        crashes.left, crashes.done = step, 0
        with pytest.raises(CrashError):
            await seal(ledger.conn, path)
        crashes.left = None
        if before:
            left = audit(path, VERIFIER)
            assert left.size in {before, after}
            assert first.extends(left)
        await seal(ledger.conn, path)
        assert audit(path, VERIFIER) == first
        assert named(path).keys() == named(undisturbed).keys(), f"a crash at step {step} left something behind"


async def test_a_sealing_of_many_leaves_reads_them_in_pieces(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.ledger.use_cases.seal_log.LEAVES_MAX", 100)
    await fill(ledger.conn, 1_111)
    await seal(ledger.conn, tmp_path)
    assert audit(tmp_path, VERIFIER).size == 1_111


async def test_leaves_at_hand_are_sealed_as_those_of_the_journal(ledger: Ledger, tmp_path: Path) -> None:
    at_hand = JustPosted()
    from_memory, from_journal = (resumed(LogFolder(tmp_path / name), KEYS, 0) for name in ("memory", "journal"))
    for lot, here in (("A", True), ("B", True), ("C", False), ("D", True)):  # another process posted C
        result = await ledger.post(entitlement(lot=lot, origin_offset=ord(lot)))
        if here:
            at_hand.add(result.rows)
    sizes = []
    while (sealed := await seal_log(ledger.conn, from_memory, at_hand)) is not None:
        sizes.append(sealed.checkpoint.size)
    assert sizes == [2, 4], "A and B together, and what nobody has at hand out of the journal"
    await seal_log(ledger.conn, from_journal)
    assert audit(tmp_path / "memory", VERIFIER) == audit(tmp_path / "journal", VERIFIER)


async def test_nothing_is_sealed_from_memory_after_the_connection_that_holds_the_lock_is_gone(
    ledger: Ledger, tmp_path: Path
) -> None:
    at_hand = JustPosted()
    at_hand.add((await ledger.post(entitlement(lot="A"))).rows)
    closed = await asyncpg.connect(ledger.environment["PREMIA_LEDGER_DATABASE_URL"])
    await closed.close()
    log = resumed(LogFolder(tmp_path), KEYS, 0)
    with pytest.raises(asyncpg.InterfaceError):
        await seal_log(closed, log, at_hand)
    assert log.size == 0


async def refused(ledger: Ledger, path: Path, keys: LogKeys = KEYS) -> LogFault:
    """The code under which the log is not continued."""
    with pytest.raises(LogError) as error:
        await compare_log(ledger.conn, LogFolder(path), keys)
    assert str(path) in str(error.value), "whoever reads it knows where to look"
    assert str(error.value).startswith(f"{error.value.code}: ")
    return error.value.code


async def test_a_journal_that_was_changed_after_it_was_sealed_is_not_continued(ledger: Ledger, tmp_path: Path) -> None:
    await fill(ledger.conn, 300)
    await seal(ledger.conn, tmp_path)
    await ledger.as_administrator("UPDATE ledger.journal SET leaf = 'another story' WHERE leaf_index = 280")
    assert await refused(ledger, tmp_path) is LogFault.TILES_DISAGREE


async def test_another_journal_that_is_ahead_is_not_continued(ledger: Ledger, tmp_path: Path) -> None:
    await fill(ledger.conn, 100)
    await seal(ledger.conn, tmp_path)
    await ledger.as_administrator("UPDATE ledger.journal SET leaf = leaf || 'x'")
    await fill(ledger.conn, 400)
    assert await refused(ledger, tmp_path) is LogFault.TILES_DISAGREE


@pytest.mark.parametrize("name", ["tile/0/001.p/44", "tile/1/000.p/1"])
async def test_a_hash_tile_that_was_changed_or_lost_is_noticed(ledger: Ledger, tmp_path: Path, name: str) -> None:
    await fill(ledger.conn, 300)
    await seal(ledger.conn, tmp_path)
    tile = tmp_path / name
    content = tile.read_bytes()
    tile.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    assert await refused(ledger, tmp_path) is LogFault.TILES_DISAGREE
    tile.unlink()
    assert await refused(ledger, tmp_path) is LogFault.TILES_DISAGREE


async def test_a_tile_is_never_written_over_with_other_bytes(ledger: Ledger, tmp_path: Path) -> None:
    await fill(ledger.conn, 200)
    await seal(ledger.conn, tmp_path)
    stranger = tmp_path / "tile/entries/000"
    stranger.write_bytes(b"not ours")
    await fill(ledger.conn, 256)
    with pytest.raises(LogError, match=r"TILES_DISAGREE: .*/tile/entries/000 is there"):
        await seal(ledger.conn, tmp_path)
    assert stranger.read_bytes() == b"not ours"
    assert audit(tmp_path, VERIFIER).size == 200


async def test_the_checkpoint_of_another_log_and_of_other_keys_stops_it(ledger: Ledger, tmp_path: Path) -> None:
    await fill(ledger.conn, 3)
    await seal(ledger.conn, tmp_path)
    for origin, code in (("other.example/log", LogFault.CHECKPOINT_FOREIGN), (ORIGIN, LogFault.CHECKPOINT_UNSIGNED)):
        assert await refused(ledger, tmp_path, LogKeys((new_note_key(origin, NoteKind.LOG),))) is code
    checkpoint = tmp_path / "checkpoint"
    content = checkpoint.read_text()
    for damaged in ("", content[:-5], content.replace("\n3\n", "\n4\n")):
        checkpoint.write_text(damaged)
        assert await refused(ledger, tmp_path) is LogFault.CHECKPOINT_UNSIGNED


async def test_a_key_is_followed_by_another_without_a_gap(ledger: Ledger, tmp_path: Path) -> None:
    old, new = KEYS.keys[0], new_note_key(ORIGIN, NoteKind.LOG)
    for size, keys in ((3, (old,)), (5, (old, new)), (7, (new,))):
        await fill(ledger.conn, size)
        await seal(ledger.conn, tmp_path, LogKeys(keys))
        for key in keys:
            assert audit(tmp_path, key.verifier_key()).size == size


async def test_a_key_that_was_added_signs_the_checkpoint_that_is_there(ledger: Ledger, tmp_path: Path) -> None:
    old, new = KEYS.keys[0], new_note_key(ORIGIN, NoteKind.LOG)
    await fill(ledger.conn, 3)
    await seal(ledger.conn, tmp_path)
    stored = await compare_log(ledger.conn, LogFolder(tmp_path), LogKeys((old, new)))
    assert stored.stored is not None
    _, note = stored.stored
    (witness,) = read_signatures(new_note_key("witness.example", NoteKind.WITNESS).cosign(note.text, 1_700_000_000))
    both = resumed(LogFolder(tmp_path), LogKeys((old, new)), 3).sign_with_new_keys(Note(note.text, (*note.signatures, witness)))
    assert [audit(tmp_path, key.verifier_key()).size for key in (old, new)] == [3, 3]
    assert both.signatures[-1] == witness
    assert resumed(LogFolder(tmp_path), LogKeys((new,)), 3).sign_with_new_keys(both) is both


def test_a_folder_has_one_writer(tmp_path: Path) -> None:
    first, second = LogFolder(tmp_path), LogFolder(tmp_path)
    assert first.hold()
    assert first.hold()
    assert not second.hold()
