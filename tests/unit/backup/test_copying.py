"""Copies of a log that grows, and copies that were interrupted."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from premia.backup import copying
from schemas.note_signing import NoteKind, new_note_key
from tests.log_files import checkpoint, tree_hash, write_log
from verifier.tiles import Folder, Tiles, read_entries

LOG = new_note_key("log.example.org/premia", NoteKind.LOG)
LEAVES = [f"leaf {number}".encode() for number in range(300)]


def test_a_log_that_grows_past_a_tile_while_it_is_copied_is_whole_in_the_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, copy, size = tmp_path / "log", tmp_path / "copy", 250
    write_log(source, LEAVES[:size], LOG)

    def listed_before_it_grew(folder: Path) -> Iterator[Path]:
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        write_log(source, LEAVES, LOG)
        for kind in ("0", "entries"):
            shutil.rmtree(source / "tile" / kind / "000.p")
        return iter(paths)

    monkeypatch.setattr(copying, "files_below", listed_before_it_grew)
    copying.copy_growing_log(source, copy)

    assert (copy / "checkpoint").read_text(encoding="utf-8") == checkpoint(LEAVES[:size], LOG)
    assert Tiles(Folder(copy), size).root(size) == tree_hash(LEAVES[:size])
    assert read_entries(Folder(copy), 0, size) == LEAVES[:size]


def test_a_copy_that_was_interrupted_in_the_middle_of_a_file_is_whole_after_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "backup", tmp_path / "log"
    write_log(source, LEAVES, LOG)
    target.mkdir()
    whole = shutil.copy2

    def half(path: Path, copy: Path) -> None:
        copy.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        raise KeyboardInterrupt

    for files_copied in range(len(list(source.rglob("*")))):
        calls = iter([whole] * files_copied + [half])
        monkeypatch.setattr(shutil, "copy2", lambda path, copy, calls=calls: next(calls, whole)(path, copy))
        try:
            copying.restore_log(source, target)
        except KeyboardInterrupt:
            assert not (target / "checkpoint").exists()
    monkeypatch.setattr(shutil, "copy2", whole)
    copying.restore_log(source, target)

    def contents(folder: Path) -> dict[str, bytes]:
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and not path.name.startswith(".")
        }

    assert contents(target) == contents(source)
