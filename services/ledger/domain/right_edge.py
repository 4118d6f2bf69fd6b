"""The right edge of a growing log: all that must be kept to let it grow and to know its root.

Goal: n leaves cost n hashes and no reading, whatever the size of the log.
Method: for each level the hashes of its partial tile. One that fills up is given out, and its root goes to the level above.
Source: C2SP tlog-tiles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from services.ledger.domain.merkle import EMPTY_ROOT, node_hash, perfect_root
from services.ledger.domain.tiles import TILE_WIDTH, Tile, partial_tiles


class RightEdge:
    """See the module. `size` is the number of leaves."""

    def __init__(self) -> None:
        self.size = 0
        self._levels: list[list[bytes]] = []

    @classmethod
    def resumed(cls, size: int, tiles: Iterable[tuple[Tile, list[bytes]]]) -> RightEdge:
        """The edge of a log of `size` leaves out of the hashes of its partial tiles."""
        edge = cls()
        edge.size = size
        for tile, hashes in tiles:
            edge._level(int(tile.kind)).extend(hashes)
        return edge

    def append(self, leaf_hash: bytes) -> list[tuple[Tile, bytes]]:
        """Add a leaf. Returns the tiles that it fills up, from level 0 up, with their bytes."""
        index = self.size
        self.size += 1
        full: list[tuple[Tile, bytes]] = []
        rising = leaf_hash
        level = 0
        while True:
            hashes = self._level(level)
            hashes.append(rising)
            index //= TILE_WIDTH
            if len(hashes) < TILE_WIDTH:
                return full
            full.append((Tile(str(level), index), b"".join(hashes)))
            rising = perfect_root(hashes)
            hashes.clear()
            level += 1

    def partial(self) -> Iterator[tuple[Tile, bytes]]:
        """The tiles that are not full, from level 0 up, with their bytes."""
        for tile in partial_tiles(self.size):
            yield tile, b"".join(self._levels[int(tile.kind)])

    def root(self) -> bytes:
        """Root of the whole log."""
        root: bytes | None = None
        for hashes in self._levels:
            end = len(hashes)
            while end:
                width = end & -end
                left = perfect_root(hashes[end - width : end])
                root = left if root is None else node_hash(left, root)
                end -= width
        return EMPTY_ROOT if root is None else root

    def _level(self, level: int) -> list[bytes]:
        while len(self._levels) <= level:
            self._levels.append([])
        return self._levels[level]
