"""The whole log, from its files.

Goal: what the checkpoint stands for is really there, hashes to it, tells one story, and begins with all that an earlier
checkpoint stood for.
Method: one pass over the leaves. Every hash tile is computed anew from the tiles below it, down to the leaves, and compared
with the published one; the root is computed over all leaves, and on the way over as many as the earlier checkpoint had. Where
only hashes are given, everything but the leaves' contents is checked.
Limits: partial tiles of earlier sizes are not looked at; nothing of the current tree rests on them.
Source: c2sp.org/tlog-tiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from verifier.audit import Audit, refuse_repeated_nonce
from verifier.checkpoint import Checkpoint
from verifier.deviation import Deviation, DeviationCode
from verifier.merkle import GrowingTree, leaf_hash
from verifier.tiles import TILE_WIDTH, Source, read_entries, read_tile, subtree_root, tile_path


@dataclass(slots=True)
class _Level:
    """The tile of a level that is being filled."""

    number: int
    hashes: list[bytes]


class TileCheck:
    """Computes all tiles from the hashes of one level, and compares each from `first_level` on with the published one."""

    def __init__(self, source: Source, first_level: int) -> None:
        self._source = source
        self._first_level = first_level
        self._levels: list[_Level] = []

    def take(self, hash_of_subtree: bytes, level: int = 0) -> None:
        """The next hash of a level."""
        while level >= len(self._levels):
            self._levels.append(_Level(0, []))
        tile = self._levels[level]
        tile.hashes.append(hash_of_subtree)
        if len(tile.hashes) == TILE_WIDTH:
            self._compare(level, tile)
            self.take(subtree_root(tile.hashes), level + 1)
            self._levels[level] = _Level(tile.number + 1, [])

    def finish(self) -> None:
        """Compare the last tile of each level, which is not full."""
        for level, tile in enumerate(self._levels):
            if tile.hashes:
                self._compare(level, tile)

    def _compare(self, level: int, tile: _Level) -> None:
        if level < self._first_level:
            return
        width = len(tile.hashes)
        published = read_tile(self._source, level, tile.number, width)
        for at, (theirs, ours) in enumerate(zip(published, tile.hashes, strict=True)):
            if theirs != ours:
                message = f"hash {at} is {theirs.hex()}; from what lies below it is {ours.hex()}"
                raise Deviation(DeviationCode.TILE_WRONG, tile_path(level, tile.number, width), message)


def verify_log(source: Source, checkpoint: Checkpoint, older: Checkpoint | None, *, entries: bool) -> Audit | None:
    """Check the files of a log against a checkpoint. Returns what its leaves say; None where `entries` are not given."""
    if older is not None:
        _require_not_smaller(older, checkpoint)
    audit = Audit() if entries else None
    # Without leaves the lowest tiles are what everything else is computed from.
    tiles, tree = TileCheck(source, 0 if entries else 1), GrowingTree()
    for hash_of_leaf in _leaf_hashes(source, checkpoint.tree_size, audit):
        if older is not None and tree.size == older.tree_size:
            _require_root(older, tree)
        tree.append(hash_of_leaf)
        tiles.take(hash_of_leaf)
    tiles.finish()
    if older is not None and tree.size == older.tree_size:
        _require_root(older, tree)
    if tree.root() != checkpoint.root:
        message = f"the leaves hash to {tree.root().hex()}, the checkpoint says {checkpoint.root.hex()}"
        raise Deviation(DeviationCode.ROOT_WRONG, f"the root of {tree.size} leaves", message)
    if audit is not None:
        audit.finish()
        if repeated := audit.repeated_nonces():
            refuse_repeated_nonce(_leaves(source, checkpoint.tree_size), repeated)
    return audit


def _leaf_hashes(source: Source, tree_size: int, audit: Audit | None) -> Iterator[bytes]:
    if audit is None:
        for number, width in _widths(tree_size):
            yield from read_tile(source, 0, number, width)
    else:
        for leaf in _leaves(source, tree_size):
            audit.take(leaf)
            yield leaf_hash(leaf)


def _leaves(source: Source, tree_size: int) -> Iterator[bytes]:
    for number, width in _widths(tree_size):
        yield from read_entries(source, number, width)


def _widths(tree_size: int) -> Iterator[tuple[int, int]]:
    for number in range(-(-tree_size // TILE_WIDTH)):
        yield number, min(TILE_WIDTH, tree_size - number * TILE_WIDTH)


def _require_not_smaller(older: Checkpoint, checkpoint: Checkpoint) -> None:
    if older.origin != checkpoint.origin:
        message = f"it is of log {older.origin}, the log's own of {checkpoint.origin}"
        raise Deviation(DeviationCode.ORIGIN_WRONG, "the earlier checkpoint", message)
    if older.tree_size > checkpoint.tree_size:
        message = f"the log has {checkpoint.tree_size:,} leaves, and had {older.tree_size:,} before: it was rolled back"
        raise Deviation(DeviationCode.NOT_AN_EXTENSION, "the checkpoint", message)


def _require_root(older: Checkpoint, tree: GrowingTree) -> None:
    if tree.root() != older.root:
        message = f"the first {tree.size:,} leaves hash to {tree.root().hex()}, the earlier checkpoint says {older.root.hex()}"
        raise Deviation(DeviationCode.NOT_AN_EXTENSION, "the earlier checkpoint", message)
