"""Tiles are named and cut as C2SP tlog-tiles says, and a growing edge gives the same roots as the whole tree."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ledger.domain.merkle import consistency_proof, inclusion_proof, root_hash
from services.ledger.domain.right_edge import RightEdge
from services.ledger.domain.tiles import (
    Tile,
    entries_of,
    entry_bundle,
    hashes_of,
    partial_tiles,
    subtrees_in_tiles,
    tile_named,
)
from tests.unit.ledger.domain.proof_checks import hash_of_leaf, is_consistent, is_included

SIZE: Final = 66_000  # three levels: 257 full tiles, then 1 full and 1 partial above, then 1
HASHES: Final = [hash_of_leaf(b"%d" % index) for index in range(SIZE)]
CHECKED: Final = (0, 1, 255, 256, 257, 65_535, 65_536, 65_537)


class Log:
    """All that a log of SIZE leaves ever wrote: its full tiles, and its root at some sizes."""

    def __init__(self) -> None:
        self.full: dict[Tile, bytes] = {}
        self.roots: dict[int, bytes] = {}
        edge = RightEdge()
        for size in range(SIZE + 1):
            if size in CHECKED:
                self.roots[size] = edge.root()
            if size < SIZE:
                self.full.update(edge.append(HASHES[size]))
        self.partial = dict(edge.partial())

    def read(self, tile: Tile) -> bytes:
        whole = self.full.get(Tile(tile.kind, tile.number)) or self.partial[Tile(tile.kind, tile.number, _width(tile))]
        return whole[: tile.width * 32]


def _width(tile: Tile) -> int:
    return SIZE // 256 ** int(tile.kind) - tile.number * 256


LOG: Final = Log()


def test_names_are_those_of_the_specification() -> None:
    assert Tile("0", 1_234_067).name == "tile/0/x001/x234/067"
    assert Tile("entries", 273, 112).name == "tile/entries/273.p/112"
    assert [(tile.kind, tile.number, tile.width) for tile in partial_tiles(70_000)] == [
        ("0", 273, 112),
        ("1", 1, 17),
        ("2", 0, 1),
    ]
    assert list(partial_tiles(256)) == [Tile("1", 0, 1)]
    assert list(partial_tiles(0)) == []


@given(
    st.sampled_from(["entries", *map(str, range(64))]),
    st.one_of(st.integers(0, 1_001_000), st.integers(0, 2**63)),
    st.integers(1, 256),
)
def test_a_name_leads_to_its_tile_and_back(kind: str, index: int, width: int) -> None:
    assert tile_named(Tile(kind, index, width).name) == Tile(kind, index, width)


@pytest.mark.parametrize(
    "name",
    [
        "tile/64/000",
        "tile/00/000",
        "tile/-1/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/000",
        "tile/0/001/002",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/999",
        "tile/0/../../checkpoint",
        "tile/0/x001/../000",
        "tile/entries/000/",
        "tile/0/000\n",
        "tile/0/\u0660\u0660\u0660",
        "tile/0/" + "x001/" * 7 + "000",
        "checkpoint",
        "",
    ],
)
def test_what_is_no_tiles_name_names_none(name: str) -> None:
    assert tile_named(name) is None


def test_the_growing_edge_gives_the_roots_of_whole_trees() -> None:
    for size, root in LOG.roots.items():
        assert root == root_hash(size, subtrees_in_tiles(LOG.read, size)), size


def test_full_tiles_hold_what_the_tiles_below_them_hash_to() -> None:
    assert sorted(LOG.full) == sorted([*(Tile("0", index) for index in range(257)), Tile("1", 0)])
    assert hashes_of(LOG.full[Tile("0", 256)]) == HASHES[65_536:65_792]
    assert [(tile.name, len(content)) for tile, content in LOG.partial.items()] == [
        ("tile/0/257.p/208", 208 * 32),
        ("tile/1/001.p/1", 32),
        ("tile/2/000.p/1", 32),
    ]


@settings(max_examples=60)
@given(st.data())
def test_proofs_out_of_tiles_hold_at_any_size(data: st.DataObject) -> None:
    size = data.draw(st.one_of(st.sampled_from(CHECKED[1:]), st.integers(1, SIZE)))
    index = data.draw(st.integers(0, size - 1))
    old_size = data.draw(st.integers(1, size))
    subtree = subtrees_in_tiles(LOG.read, size)
    root, old_root = root_hash(size, subtree), root_hash(old_size, subtrees_in_tiles(LOG.read, old_size))
    assert is_included(HASHES[index], index, size, inclusion_proof(index, size, subtree), root)
    assert is_consistent(old_size, size, old_root, root, consistency_proof(old_size, size, subtree))


@settings(max_examples=40)
@given(st.integers(0, SIZE - 600), st.integers(0, 600))
def test_an_edge_resumed_at_any_size_goes_on_as_if_it_had_never_stopped(size: int, more: int) -> None:
    edge = RightEdge.resumed(size, [(tile, hashes_of(LOG.read(tile))) for tile in partial_tiles(size)])
    for hash_ in HASHES[size : size + more]:
        for tile, content in edge.append(hash_):
            assert LOG.full[tile] == content
    assert edge.size == size + more
    assert edge.root() == root_hash(size + more, subtrees_in_tiles(LOG.read, size + more))
    assert all(LOG.read(tile) == content for tile, content in edge.partial())


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_bundles_give_their_entries_back(entries: list[bytes]) -> None:
    bundle = entry_bundle(entries)
    assert entries_of(bundle) == entries
    for cut in (1, 2):
        if entries and cut <= 2 + len(entries[-1]) - 1:
            with pytest.raises(ValueError, match="in the middle of an entry"):
                entries_of(bundle[:-cut])


def test_the_largest_entry_fits_and_one_more_byte_does_not() -> None:
    assert entries_of(entry_bundle([b"x" * 65_535])) == [b"x" * 65_535]
    with pytest.raises(OverflowError):
        entry_bundle([b"x" * 65_536])
