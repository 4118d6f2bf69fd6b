"""Roots and proofs are those of RFC 6962: published vectors, and any size and any leaf checked as a receiver would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ledger.domain.merkle import (
    EMPTY_ROOT,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    perfect_root,
    root_hash,
)
from tests.unit.ledger.domain.proof_checks import hash_of_leaf, is_consistent, is_included

# The vectors of the first Certificate Transparency implementation, which all others since have taken over.
LEAVES: Final = tuple(
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
)
ROOTS: Final = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
INCLUSION: Final = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CONSISTENCY: Final = {
    (1, 1): [],
    (1, 8): INCLUSION[0, 8],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): INCLUSION[1, 5][1:],
    (6, 7): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}
SIZE_MAX: Final = 300
HASHES: Final = [hash_of_leaf(b"%d" % index) for index in range(SIZE_MAX)]


def subtrees(hashes: list[bytes]) -> Callable[[int, int], bytes]:
    return lambda height, index: perfect_root(hashes[index << height : (index + 1) << height])


OF_VECTORS: Final = subtrees([leaf_hash(leaf) for leaf in LEAVES])
OF_HASHES: Final = subtrees(HASHES)


@pytest.mark.parametrize("size", range(len(ROOTS)))
def test_roots_are_the_published_ones(size: int) -> None:
    assert root_hash(size, OF_VECTORS).hex() == ROOTS[size]


def test_hashes_are_the_published_ones() -> None:
    assert leaf_hash(b"L123456").hex() == "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"
    assert node_hash(b"N123", b"N456").hex() == "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"
    assert EMPTY_ROOT.hex() == ROOTS[0]


@pytest.mark.parametrize(("leaf_index", "size"), INCLUSION)
def test_audit_paths_are_the_published_ones(leaf_index: int, size: int) -> None:
    found = [hash_.hex() for hash_ in inclusion_proof(leaf_index, size, OF_VECTORS)]
    assert found == INCLUSION[leaf_index, size]


@pytest.mark.parametrize(("old_size", "size"), CONSISTENCY)
def test_consistency_proofs_are_the_published_ones(old_size: int, size: int) -> None:
    assert [hash_.hex() for hash_ in consistency_proof(old_size, size, OF_VECTORS)] == CONSISTENCY[old_size, size]


@given(st.data())
def test_any_leaf_of_any_size_is_proven_and_no_other_leaf_by_its_path(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, SIZE_MAX))
    index = data.draw(st.integers(0, size - 1))
    proof, root = inclusion_proof(index, size, OF_HASHES), root_hash(size, OF_HASHES)
    assert is_included(HASHES[index], index, size, proof, root)
    assert not is_included(hash_of_leaf(b"another"), index, size, proof, root)
    assert size == 1 or not is_included(HASHES[index], (index + 1) % size, size, proof, root)


@given(st.data())
def test_any_size_extends_any_earlier_one_and_no_other(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, SIZE_MAX))
    old_size = data.draw(st.integers(1, size))
    old_root, root = root_hash(old_size, OF_HASHES), root_hash(size, OF_HASHES)
    proof = consistency_proof(old_size, size, OF_HASHES)
    assert is_consistent(old_size, size, old_root, root, proof)
    assert not is_consistent(old_size, size, hash_of_leaf(b"fork"), root, proof)
    assert not is_consistent(old_size, size, old_root, hash_of_leaf(b"fork"), proof)


def test_what_is_not_in_the_tree_has_no_proof() -> None:
    with pytest.raises(ValueError, match="leaf 8 is not in a tree of 8"):
        inclusion_proof(8, 8, OF_VECTORS)
    with pytest.raises(ValueError, match="a tree of 7 does not extend one of 8"):
        consistency_proof(8, 7, OF_VECTORS)
    assert consistency_proof(0, 8, OF_VECTORS) == []
