"""Proofs as whoever gets them checks them: RFC 9162, sections 2.1.3.2 and 2.1.4.2. Shares nothing with the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256


def hash_of_leaf(leaf: bytes) -> bytes:
    """The leaf's hash."""
    return sha256(b"\0" + leaf).digest()


def _above(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


def is_included(leaf_hash: bytes, leaf_index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the audit path leads from the leaf to the root."""
    if leaf_index >= size:
        return False
    place, last = leaf_index, size - 1
    found = leaf_hash
    for hash_ in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = _above(hash_, found)
            while not place & 1 and place != 0:
                place, last = place >> 1, last >> 1
        else:
            found = _above(found, hash_)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def is_consistent(old_size: int, size: int, old_root: bytes, root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the tree begins with the old one, which has one leaf at least."""
    if old_size == size:
        return not proof and old_root == root
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    place, last = old_size - 1, size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old_found = found = path[0]
    for hash_ in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old_found, found = _above(hash_, old_found), _above(hash_, found)
            while not place & 1 and place != 0:
                place, last = place >> 1, last >> 1
        else:
            found = _above(found, hash_)
        place, last = place >> 1, last >> 1
    return last == 0 and old_found == old_root and found == root
