"""Tiles: how a log's hashes and entries are cut into files that never change (C2SP tlog-tiles).

Goal: which tile holds what, and under which name.
Method: a tile has 256 hashes of one level, where a hash of level L stands for 256**L leaves. The one at the right edge of its
level is partial until it is full; one of n hashes is named by its width n and is the beginning of all that follow it.
Refuses: names that are no tile's, as None.
Source: C2SP tlog-tiles; tile height 8.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from services.ledger.domain.merkle import HASH_BYTES, PerfectSubtree, perfect_root

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 2**TILE_HEIGHT
ENTRIES: Final = "entries"
LEVEL_MAX: Final = 63
ENTRY_LENGTH_BYTES: Final = 2  # big-endian, before each entry

_NAME: Final = re.compile(r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")
_INDEX_GROUPS_MAX: Final = 7  # of three digits: an index of 2**63 has 19
_DIGITS: Final = 3


class Tile(NamedTuple):
    """One tile. `kind` is its level in decimals, or "entries"; `number` counts its kind from 0.

    `width` counts its hashes or entries: 256 in a full one.
    """

    kind: str
    number: int
    width: int = TILE_WIDTH

    @property
    def name(self) -> str:
        """The path below the log's prefix."""
        digits = str(self.number)
        digits = digits.zfill(-(-len(digits) // _DIGITS) * _DIGITS)
        groups = [digits[place : place + _DIGITS] for place in range(0, len(digits), _DIGITS)]
        path = "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])
        return f"tile/{self.kind}/{path}" + ("" if self.is_full else f".p/{self.width}")

    @property
    def is_full(self) -> bool:
        """Whether no more fits in."""
        return self.width == TILE_WIDTH


def tile_named(name: str) -> Tile | None:
    """The tile of a name, or None if it is no tile's."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    kind, path, width = found.groups()
    if kind != ENTRIES and int(kind) > LEVEL_MAX:
        return None
    groups = path.replace("x", "").split("/")
    if len(groups) > _INDEX_GROUPS_MAX or (len(groups) > 1 and groups[0] == "000"):
        return None
    tile = Tile(kind, int("".join(groups)), TILE_WIDTH if width is None else int(width))
    return tile if width is None or tile.width < TILE_WIDTH else None


def partial_tiles(size: int) -> Iterator[Tile]:
    """The hash tiles at the right edge of a log of `size` leaves, from level 0 up."""
    level = 0
    while size:
        if size % TILE_WIDTH:
            yield Tile(str(level), size // TILE_WIDTH, size % TILE_WIDTH)
        size //= TILE_WIDTH
        level += 1


def entry_bundle(entries: list[bytes]) -> bytes:
    """Entries as one tile. Each has less than 64 KiB, or OverflowError is raised."""
    return b"".join([part for entry in entries for part in (len(entry).to_bytes(ENTRY_LENGTH_BYTES, "big"), entry)])


def entries_of(bundle: bytes) -> list[bytes]:
    """The entries of a bundle. Raises ValueError if it ends in the middle of one."""
    entries = []
    place = 0
    while place < len(bundle):
        first = place + ENTRY_LENGTH_BYTES
        place = first + int.from_bytes(bundle[place:first], "big")
        if place > len(bundle):
            raise ValueError("the bundle ends in the middle of an entry")
        entries.append(bundle[first:place])
    return entries


def hashes_of(tile: bytes) -> list[bytes]:
    """The hashes of a tile."""
    return [tile[place : place + HASH_BYTES] for place in range(0, len(tile), HASH_BYTES)]


def subtrees_in_tiles(read: Callable[[Tile], bytes], size: int) -> PerfectSubtree:
    """The perfect subtrees of a log of `size` leaves. `read` gives the bytes of its hash tiles; each is asked for once."""
    read_before: dict[Tile, list[bytes]] = {}

    def subtree(height: int, index: int) -> bytes:
        level, height_in_tile = divmod(height, TILE_HEIGHT)
        first = index << height_in_tile
        tile_index, place = divmod(first, TILE_WIDTH)
        width = min(TILE_WIDTH, size // TILE_WIDTH**level - tile_index * TILE_WIDTH)
        tile = Tile(str(level), tile_index, width)
        hashes = read_before.get(tile)
        if hashes is None:
            hashes = read_before[tile] = hashes_of(read(tile))
        return perfect_root(hashes[place : place + (1 << height_in_tile)])

    return subtree
