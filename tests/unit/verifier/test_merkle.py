"""Tree hashes and proofs, beside known roots and a writer that follows the definition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.log_files import consistency_proof, inclusion_proof, tree_hash
from verifier.merkle import EMPTY_ROOT, GrowingTree, ProofError, leaf_hash, root_of_inclusion, verify_consistency

# The eight leaves that implementations of RFC 6962 have always been tested with, and the roots of the first 1 to 8 of them.
LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
sizes = st.integers(1, 70)


def numbered(size: int) -> list[bytes]:
    return [str(number).encode() for number in range(size)]


def test_the_known_leaves_have_the_known_roots() -> None:
    tree = GrowingTree()
    assert tree.root() == EMPTY_ROOT
    for size, root in enumerate(ROOTS, start=1):
        tree.append(leaf_hash(LEAVES[size - 1]))
        assert (tree.size, tree.root().hex()) == (size, root)
        assert tree_hash(LEAVES[:size]).hex() == root


@given(sizes, st.data())
def test_a_proof_leads_from_its_leaf_to_the_root_and_from_no_other(size: int, data: st.DataObject) -> None:
    index, leaves = data.draw(st.integers(0, size - 1)), numbered(size)
    proof, root = inclusion_proof(index, leaves), tree_hash(leaves)
    assert root_of_inclusion(leaf_hash(leaves[index]), index, size, proof) == root
    assert root_of_inclusion(leaf_hash(b"another"), index, size, proof) != root
    other = data.draw(st.integers(0, size + 1).filter(lambda place: place != index))
    try:
        assert root_of_inclusion(leaf_hash(leaves[index]), other, size, proof) != root
    except ProofError:
        assert other >= size or len(inclusion_proof(other, leaves)) != len(proof)
    for wrong in (proof[:-1], [*proof, b"\0" * 32]):
        if wrong != proof:
            with pytest.raises(ProofError, match=r"too (few|many) hashes"):
                root_of_inclusion(leaf_hash(leaves[index]), index, size, wrong)


@given(sizes, st.data())
def test_a_consistency_proof_shows_that_a_tree_extends_another_and_no_other(size: int, data: st.DataObject) -> None:
    old_size, leaves = data.draw(st.integers(0, size)), numbered(size)
    proof, old, new = consistency_proof(old_size, leaves), tree_hash(leaves[:old_size]), tree_hash(leaves)
    verify_consistency(old_size, old, size, new, proof)
    changed = [*leaves]
    if old_size:
        changed[data.draw(st.integers(0, old_size - 1))] = b"changed"
        fork = tree_hash(changed)
        with pytest.raises(ProofError):
            verify_consistency(old_size, old, size, fork, consistency_proof(old_size, changed))
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        for wrong in (proof[:at] + proof[at + 1 :], [*proof, b"\0" * 32], [*proof[:at], b"\0" * 32, *proof[at + 1 :]]):
            with pytest.raises(ProofError):
                verify_consistency(old_size, old, size, new, wrong)


def test_a_tree_that_shrank_or_has_two_roots_is_consistent_by_no_proof() -> None:
    four, three = tree_hash(numbered(4)), tree_hash(numbered(3))
    for old_size, old, new_size, new, proof in (
        (4, four, 3, three, []),
        (4, four, 4, three, []),
        (4, four, 4, four, [four]),
        (0, EMPTY_ROOT, 4, four, [four]),
        (0, three, 4, four, []),
        (0, EMPTY_ROOT, 0, four, []),
        (0, four, 0, four, []),
        (3, three, 4, four, []),
    ):
        with pytest.raises(ProofError):
            verify_consistency(old_size, old, new_size, new, proof)
