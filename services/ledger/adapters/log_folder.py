"""The log as files: a checkpoint, tiles of hashes, tiles of entries, as C2SP tlog-tiles names them.

Goal: whoever looks, at any moment and after any crash, finds a whole log: the checkpoint and every tile that it needs.
Method: a file is written under another name, made durable and renamed; folders are made durable once for each set of files;
the checkpoint comes last. A partial tile is dropped when the full one is there, which tlog-tiles allows and readers expect: at
any time a level has the partial tiles of one full one at most.
Refuses: to write other bytes over a tile (TILES_DISAGREE). Two writers of one folder.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from services.ledger.domain.merkle import HASH_BYTES
from services.ledger.domain.tiles import ENTRIES, TILE_WIDTH, Tile, entries_of, entry_bundle, partial_tiles
from services.ledger.log_errors import LogError, LogFault

CHECKPOINT: Final = "checkpoint"
LOCK: Final = ".lock"
TILE_MODE: Final = 0o644


class LogFolder:
    """The folder of one log, which exists. Methods block: a tile takes a millisecond or two."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    def release(self) -> None:
        """Let another process become the writer."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def hold(self) -> bool:
        """Become the folder's one writer, until it is released or the process ends. False while another process is."""
        if self._lock is None:
            descriptor = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, TILE_MODE)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return False
            self._lock = descriptor
        return True

    def checkpoint(self) -> bytes | None:
        """The checkpoint with its signatures; None in a new folder."""
        try:
            return (self.path / CHECKPOINT).read_bytes()
        except FileNotFoundError:
            return None

    def hashes(self, tile: Tile) -> bytes:
        """The bytes of a hash tile; those of a partial one that was dropped out of the full one. Raises LogError."""
        return self._content(tile)[: tile.width * HASH_BYTES]

    def entries(self, index: int, width: int) -> list[bytes]:
        """The first `width` entries of a bundle. Raises LogError."""
        tile = Tile(ENTRIES, index, width)
        try:
            entries = entries_of(self._content(tile))
        except ValueError as error:
            raise LogError(LogFault.TILES_DISAGREE, f"{self.path / tile.name}: {error}") from error
        if len(entries) < width:
            raise LogError(LogFault.TILES_DISAGREE, f"{self.path / tile.name} has {len(entries)} entries")
        return entries[:width]

    def file(self, tile: Tile) -> Path | None:
        """The file of a tile, if it is there."""
        path = self.path / tile.name
        return path if path.is_file() else None

    def add(self, tiles: Iterable[tuple[Tile, bytes]]) -> None:
        """Write tiles that are not there yet, durably. Raises LogError (TILES_DISAGREE) if one is there with other bytes."""
        touched: set[Path] = set()
        superseded: list[Path] = []
        for tile, content in tiles:
            path = self.path / tile.name
            self._make_folder(path.parent, touched)
            touched.add(path.parent)
            if not path.exists():
                _write(path, content)
            elif path.read_bytes() != content:
                raise LogError(
                    LogFault.TILES_DISAGREE, f"{path} is there and holds something else than the journal's leaves give"
                )
            if tile.is_full:
                superseded.append(_partial_folder(path))
        for folder in sorted(touched):
            _make_durable(folder)
        for folder in superseded:  # not before the full tile's name is durable: the checkpoint of before needs one of the two
            shutil.rmtree(folder, ignore_errors=True)

    def replace_checkpoint(self, note: bytes) -> None:
        """Write the checkpoint, durably."""
        _write(self.path / CHECKPOINT, note)
        _make_durable(self.path)

    def drop_beyond(self, size: int) -> None:
        """Remove tiles that a log of `size` leaves does not have, which a restore left behind. Keeps its partial ones."""
        self.add(self._partial(size))
        for kind in (ENTRIES, *_levels(self.path)):
            end = size if kind == ENTRIES else size // TILE_WIDTH ** int(kind)
            index, width = divmod(end, TILE_WIDTH)
            while (full := self.path / Tile(kind, index).name).exists() or _partial_folder(full).exists():
                full.unlink(missing_ok=True)
                for partial in _partial_folder(full).glob("*"):
                    if not partial.name.isdigit() or int(partial.name) > width:
                        partial.unlink()
                index, width = index + 1, 0

    def _partial(self, size: int) -> Iterator[tuple[Tile, bytes]]:
        for tile in partial_tiles(size):
            yield tile, self.hashes(tile)
            if tile.kind == "0":
                yield tile._replace(kind=ENTRIES), entry_bundle(self.entries(tile.number, tile.width))

    def _content(self, tile: Tile) -> bytes:
        names = [tile.name] if tile.is_full else [tile.name, Tile(tile.kind, tile.number).name]
        for name in names:
            try:
                return (self.path / name).read_bytes()
            except FileNotFoundError:
                continue
        raise LogError(LogFault.TILES_DISAGREE, f"{self.path / tile.name} is missing")

    def _make_folder(self, folder: Path, touched: set[Path]) -> None:
        if not folder.is_dir():
            self._make_folder(folder.parent, touched)
            folder.mkdir()
            touched.add(folder.parent)


def _levels(path: Path) -> list[str]:
    return sorted(level.name for level in (path / "tile").glob("*") if level.name.isdigit())


def _partial_folder(full: Path) -> Path:
    return full.with_name(f"{full.name}.p")


def _write(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all. A name of before is used again, so that crashes leave no heap."""
    partial = path.with_name(f".{path.name}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, TILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    partial.rename(path)


def _make_durable(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
