"""The journal's leaves against the log that was published of them: invariant 7.

Goal: a leaf that was changed after it was sealed is named, and so is a file of the log that does not stand for the journal.
Method: each leaf's hash is compared with the lowest tiles while the journal is read, and the published leaves with both; tiles
above and the roots of checkpoints are computed from the lowest. A file that cannot be read is told as one that is not there.
Checkpoints are read before the database's snapshot, so that the journal has all that they stand for. The tree
and the files are read with the verifier's code, which shares none with the ledger's.
Source: RFC 6962; c2sp.org/tlog-tiles, c2sp.org/tlog-checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from premia.fsck.deviation import Deviation, DeviationCode
from verifier.checkpoint import TreeHead, read_tree_head
from verifier.deviation import Deviation as Unverified
from verifier.deviation import DeviationCode as Kind
from verifier.log import TileCheck
from verifier.merkle import GrowingTree, leaf_hash
from verifier.note import read_note
from verifier.tiles import (
    CHECKPOINT_BYTES_MAX,
    TILE_WIDTH,
    Folder,
    UnreachableError,
    read_entries,
    read_tile,
    subtree_root,
    tile_path,
)

CHECKPOINT: Final = "checkpoint"


class LogFiles(Folder):
    """The log's files. One that cannot be read is told as one that is not there."""

    def read(self, path: str, bytes_max: int) -> bytes | None:
        """See Source. Raises Unverified."""
        try:
            return super().read(path, bytes_max)
        except UnreachableError as error:
            raise Unverified(Kind.TILE_MISSING, path, str(error)) from error


@dataclass(frozen=True, slots=True)
class KeptCheckpoint:
    """A checkpoint by the place where it was found."""

    place: str
    head: TreeHead


@dataclass(slots=True)
class SealedLog:
    """What was published of the journal. `files` is None where only checkpoints are at hand.

    Signatures are not looked at: whoever doubts them asks `premia verify checkpoint`, with the log's public key.
    """

    files: LogFiles | None = None
    sealed_size: int = 0
    checkpoints: list[KeptCheckpoint] = field(default_factory=list)
    unreadable: list[Deviation] = field(default_factory=list)


def read_sealed_log(folder: Path | None, kept: Sequence[Path]) -> SealedLog:
    """The log in `folder` and checkpoints kept elsewhere. Raises Unverified where one of the latter is no checkpoint."""
    log = SealedLog()
    if folder is not None:
        place = str(folder / CHECKPOINT)
        files = LogFiles(folder)
        try:
            content = files.read(CHECKPOINT, CHECKPOINT_BYTES_MAX)
            head = None if content is None else _head(content, place)
        except Unverified as unverified:
            log.files = files
            log.unreadable.append(Deviation(DeviationCode.LOG_FILE_WRONG, place, "a checkpoint", unverified.message))
        else:
            if head is not None:
                log.files = files
                log.sealed_size = head.tree_size
                log.checkpoints.append(KeptCheckpoint(place, head))
    for path in kept:
        log.checkpoints.append(KeptCheckpoint(str(path), _head(path.read_bytes(), str(path))))
    log.checkpoints.sort(key=lambda checkpoint: checkpoint.head.tree_size)
    return log


def _head(content: bytes, place: str) -> TreeHead:
    return read_tree_head(read_note(content, place), place)


class Tree:
    """The tree over the journal, leaf by leaf."""

    def __init__(self, log: SealedLog) -> None:
        self._files = log.files
        self._sealed_size = log.sealed_size
        self._tree = GrowingTree()
        self._hashes: list[bytes] = []
        self._above = None if log.files is None else TileCheck(log.files, 1)
        self._waiting = list(log.checkpoints)
        self._unreadable = log.unreadable

    def append(self, leaf: bytes) -> list[Deviation]:
        """Take the next leaf of the journal."""
        found = self._roots()
        hash_of_leaf = leaf_hash(leaf)
        self._tree.append(hash_of_leaf)
        if self._tree.size <= self._sealed_size:
            self._hashes.append(hash_of_leaf)
            if len(self._hashes) == TILE_WIDTH or self._tree.size == self._sealed_size:
                found += self._compare()
        return found

    def end(self) -> list[Deviation]:
        """What is left to say once the journal was read."""
        found = [*self._roots(), *self._unreadable]
        for checkpoint in self._waiting:
            expected = f"{checkpoint.head.tree_size} leaves or more"
            found.append(
                Deviation(DeviationCode.JOURNAL_BEHIND_LOG, checkpoint.place, expected, f"{self._tree.size} in the journal")
            )
        return found

    def root(self) -> str:
        """The root of all leaves so far, in hex."""
        return self._tree.root().hex()

    def _roots(self) -> list[Deviation]:
        """Compare with the checkpoints of the size that the tree has now."""
        found = []
        while self._waiting and self._waiting[0].head.tree_size == self._tree.size:
            checkpoint = self._waiting.pop(0)
            if checkpoint.head.root != self._tree.root():
                where = f"{checkpoint.place}: the root of {self._tree.size} leaves"
                found.append(Deviation(DeviationCode.CHECKPOINT_WRONG, where, self.root(), checkpoint.head.root.hex()))
        return found

    def _compare(self) -> list[Deviation]:
        """Compare the lowest tile that was filled, or is the last one, and what it adds to the tiles above."""
        assert self._files is not None, "only a log with files has a size"
        assert self._above is not None, "as above"
        hashes, self._hashes = self._hashes, []
        first = self._tree.size - len(hashes)
        try:
            sealed = read_tile(self._files, 0, first // TILE_WIDTH, len(hashes))
            found = [
                Deviation(DeviationCode.LEAF_SEALED_OTHERWISE, f"leaf {first + at}", f"hash {theirs.hex()}", f"{ours.hex()}")
                for at, (theirs, ours) in enumerate(zip(sealed, hashes, strict=True))
                if theirs != ours
            ]
            found += self._compare_entries(first, hashes, sealed)
            # Above it hangs what was sealed, so that a changed leaf is not told again at every level.
            if len(hashes) == TILE_WIDTH:
                self._above.take(subtree_root(sealed), 1)
            if self._tree.size == self._sealed_size:
                self._above.finish()
        except Unverified as unverified:
            self._sealed_size = 0  # what hangs above cannot be believed
            return [Deviation(DeviationCode.LOG_FILE_WRONG, unverified.place, "what the tiles below give", unverified.message)]
        return found

    def _compare_entries(self, first: int, hashes: Sequence[bytes], sealed: Sequence[bytes]) -> list[Deviation]:
        """Compare published leaves with the journal's and with what was sealed: one of them is the leaf."""
        assert self._files is not None, "as its caller's"
        place = tile_path("entries", first // TILE_WIDTH, len(hashes))
        try:
            entries = read_entries(self._files, first // TILE_WIDTH, len(hashes))
        except Unverified as unverified:
            return [Deviation(DeviationCode.LOG_FILE_WRONG, place, "the leaves that were sealed", unverified.message)]
        for at, (entry, ours, theirs) in enumerate(zip(map(leaf_hash, entries), hashes, sealed, strict=True)):
            if entry not in {ours, theirs}:
                found = f"leaf {first + at} hashes to {entry.hex()}"
                return [Deviation(DeviationCode.LOG_FILE_WRONG, place, f"hash {theirs.hex()}", found)]
        return []
