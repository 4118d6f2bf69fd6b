"""The tree over all leaves of a log.

Goal: a root of 32 bytes stands for every leaf and its place; a short proof shows that a leaf is under it, or that one root
extends another.
Method: SHA-256 of 0x00 and the leaf, of 0x01 and two hashes below. A tree of n leaves splits at the largest power of two
below n. Proofs are walked from the bottom, as RFC 9162 writes down for the same tree.
Source: RFC 6962, section 2.1; RFC 9162, sections 2.1.3.2 and 2.1.4.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Final

HASH_BYTES: Final = 32
PROOF_HASHES_MAX: Final = 63  # the height of a tree of 2^63 leaves
EMPTY_ROOT: Final = sha256(b"").digest()


class ProofError(ValueError):
    """A proof does not show what it should; the message says in which way."""


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees side by side."""
    return sha256(b"\x01" + left + right).digest()


def root_of_inclusion(hash_of_leaf: bytes, index: int, tree_size: int, proof: Sequence[bytes]) -> bytes:
    """The root of the tree in which the proof puts the leaf at `index`. Raises ProofError if no such tree has this shape."""
    if index >= tree_size:
        raise ProofError(f"puts it at place {index}, outside a tree of {tree_size}")
    root = hash_of_leaf
    for sibling, is_left in _siblings(index, tree_size - 1, proof):
        root = node_hash(sibling, root) if is_left else node_hash(root, sibling)
    return root


def verify_consistency(old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Raises ProofError unless the proof shows that the new tree begins with all leaves of the old one."""
    if old_size > new_size:
        raise ProofError("cannot exist: the tree became smaller")
    if old_size in {0, new_size}:
        if proof:
            raise ProofError("must be empty here")
        if old_size == new_size and old_root != new_root:
            raise ProofError("cannot exist: trees of one size have different roots")
        if old_size == 0 and old_root != EMPTY_ROOT:
            raise ProofError("cannot exist: the root of no leaves is another one")
        return
    # An old tree of 2^n leaves is itself a subtree of the new one, and its root the first hash.
    hashes = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    if not hashes:
        raise ProofError("has too few hashes")
    node, last = old_size - 1, new_size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = hashes[0]
    for sibling, is_left in _siblings(node, last, hashes[1:]):
        if is_left:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
        else:
            new = node_hash(new, sibling)
    if old != old_root:
        raise ProofError("does not lead to the old root")
    if new != new_root:
        raise ProofError("does not lead to the new root")


def _siblings(node: int, last: int, proof: Sequence[bytes]) -> Iterator[tuple[bytes, bool]]:
    """The hashes beside the path from a node to the root, and whether each stands on the left. `last`: the row's last node."""
    for sibling in proof:
        if last == 0:
            raise ProofError("has too many hashes")
        is_left = bool(node & 1) or node == last
        if is_left:
            # The last node of a row has no sibling: it moves up as it is until it is on the right of one.
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        yield sibling, is_left
        node, last = node >> 1, last >> 1
    if last:
        raise ProofError("has too few hashes")


class GrowingTree:
    """A tree that leaves are appended to; keeps the roots of its complete subtrees only, one for each bit of its size."""

    def __init__(self) -> None:
        self.size = 0
        self._subtrees: list[bytes] = []  # the largest, which lies on the left, first

    def append(self, hash_of_leaf: bytes) -> None:
        """Add a leaf."""
        size, subtree = self.size, hash_of_leaf
        while size & 1:
            subtree = node_hash(self._subtrees.pop(), subtree)
            size >>= 1
        self._subtrees.append(subtree)
        self.size += 1

    def root(self) -> bytes:
        """The root of all leaves so far."""
        if not self._subtrees:
            return EMPTY_ROOT
        root = self._subtrees[-1]
        for subtree in reversed(self._subtrees[:-1]):
            root = node_hash(subtree, root)
        return root
