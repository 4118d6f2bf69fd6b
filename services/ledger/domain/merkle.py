"""Merkle trees of RFC 6962 and the proofs that people check them by.

Goal: the root of a log, that a leaf is in it (audit path), and that it extends an earlier one (consistency proof).
Method: sections 2.1, 2.1.1 and 2.1.2 as they are written, over a function that gives the hash of a perfect subtree: of the
2**height leaves from index * 2**height on. Any range of leaves at the right edge is put together from such subtrees.
Refuses: a leaf or a tree beyond the size, as ValueError.
Source: RFC 6962, section 2.1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Final

EMPTY_ROOT: Final = sha256().digest()
HASH_BYTES: Final = 32

# The hash of a perfect subtree, by its height above the leaves and its index among those of that height.
PerfectSubtree = Callable[[int, int], bytes]


def leaf_hash(leaf: bytes) -> bytes:
    """Hash of a leaf, 32 bytes."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of two neighbours, 32 bytes."""
    return sha256(b"\x01" + left + right).digest()


def perfect_root(hashes: list[bytes]) -> bytes:
    """Root over 2**n hashes of one height, n >= 0."""
    while len(hashes) > 1:
        hashes = [node_hash(hashes[index], hashes[index + 1]) for index in range(0, len(hashes), 2)]
    return hashes[0]


def root_hash(size: int, subtree: PerfectSubtree) -> bytes:
    """Root of the tree of the first `size` leaves."""
    return _range_hash(0, size, subtree) if size else EMPTY_ROOT


def inclusion_proof(leaf_index: int, size: int, subtree: PerfectSubtree) -> list[bytes]:
    """Audit path of a leaf in the tree of `size` leaves, from the leaf's neighbour to the root's."""
    if not 0 <= leaf_index < size:
        raise ValueError(f"leaf {leaf_index} is not in a tree of {size}")
    return [_range_hash(first, end, subtree) for first, end in _beside(leaf_index, 0, size)]


def consistency_proof(old_size: int, size: int, subtree: PerfectSubtree) -> list[bytes]:
    """Proof that the tree of `size` leaves begins with that of `old_size`; empty if there is nothing to prove."""
    if not 0 <= old_size <= size:
        raise ValueError(f"a tree of {size} does not extend one of {old_size}")
    if old_size in (0, size):
        return []
    return [_range_hash(first, end, subtree) for first, end in _extending(old_size, 0, size)]


def _beside(leaf_index: int, first: int, end: int) -> Iterator[tuple[int, int]]:
    """PATH: what stands beside the leaf on its way up."""
    if end - first == 1:
        return
    split = first + _left_size(end - first)
    if leaf_index < split:
        yield from _beside(leaf_index, first, split)
        yield split, end
    else:
        yield from _beside(leaf_index, split, end)
        yield first, split


def _extending(old_end: int, first: int, end: int) -> Iterator[tuple[int, int]]:
    """SUBPROOF. Whoever checks knows the old root, which is that of the range only while it begins with the first leaf."""
    if old_end == end:
        if first > 0:
            yield first, end
        return
    split = first + _left_size(end - first)
    if old_end <= split:
        yield from _extending(old_end, first, split)
        yield split, end
    else:
        yield from _extending(old_end, split, end)
        yield first, split


def _range_hash(first: int, end: int, subtree: PerfectSubtree) -> bytes:
    """Hash of a range that RFC 6962 cuts out of a tree: it begins at a multiple of the power of two that it fits into."""
    size = end - first
    if size & (size - 1) == 0:
        return subtree(size.bit_length() - 1, first // size)
    left = _left_size(size)
    return node_hash(subtree(left.bit_length() - 1, first // left), _range_hash(first + left, end, subtree))


def _left_size(size: int) -> int:
    """The largest power of two below a size of 2 or more: how many leaves are on the left."""
    return 1 << (size - 1).bit_length() - 1
