"""Leaves with proofs that they are in the log.

Goal: whoever may see a leaf can prove it to others, with nothing but the proof and the log's public key.
Method: everything comes out of the log's files, the same that auditors see; a subject's own leaves are found by the journal.
Proofs lead to the newest checkpoint, or to any earlier size.
Refuses: a leaf or a size that the log does not have, as a code.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from services.ledger.adapters.checkpoint import Checkpoint
from services.ledger.adapters.growing_log import stored_checkpoint
from services.ledger.adapters.log_folder import LogFolder
from services.ledger.adapters.log_keys import LogKeys
from services.ledger.adapters.signed_note import Note
from services.ledger.domain.account import SubjectKey
from services.ledger.domain.merkle import inclusion_proof, root_hash
from services.ledger.domain.tiles import TILE_WIDTH, subtrees_in_tiles
from services.ledger.log_errors import LogRefusal

if TYPE_CHECKING:
    from services.runtime.database import Connection

LEAVES_MAX: Final = 100  # a page of the largest leaves is 6 MB; a cooperative's year has fewer.
OF_SUBJECT: Final = """
    SELECT leaf_index, subject_number, leaf FROM ledger.journal
    WHERE subject_kind = $1 AND subject_id = $2 AND subject_number > $3 AND leaf_index < $4 ORDER BY subject_number LIMIT $5"""


@dataclass(frozen=True, slots=True)
class ProvenLeaf:
    """One leaf. `subject_number` is None where the leaf was asked for by its index."""

    leaf_index: int
    subject_number: int | None
    leaf: bytes
    inclusion_proof: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Proven:
    """Leaves that are in the tree of `tree_size`. `note` is None if the newest checkpoint is of another size."""

    tree_size: int
    root: bytes
    note: Note | None
    leaves: Sequence[ProvenLeaf]


async def prove_leaf(folder: LogFolder, keys: LogKeys, leaf_index: int, tree_size: int | None) -> Proven | LogRefusal:
    """One leaf in the tree of `tree_size`, by default the newest. Raises LogError if the log's files are not whole."""
    return await asyncio.to_thread(_prove_leaf, folder, keys, leaf_index, tree_size)


async def prove_subject(
    conn: Connection, folder: LogFolder, keys: LogKeys, *, subject: SubjectKey, after: int, limit: int
) -> Proven:
    """Up to `limit` sealed leaves of a subject after the number `after`, in order, in the newest tree. Raises LogError."""
    stored = await asyncio.to_thread(stored_checkpoint, folder, keys)
    size = 0 if stored is None else stored[0].size
    rows = await conn.fetch(OF_SUBJECT, *subject, after, size, min(limit, LEAVES_MAX))
    return await asyncio.to_thread(
        _proven, folder, stored, size, [(row["leaf_index"], row["subject_number"], row["leaf"]) for row in rows]
    )


def _prove_leaf(folder: LogFolder, keys: LogKeys, leaf_index: int, tree_size: int | None) -> Proven | LogRefusal:
    stored = stored_checkpoint(folder, keys)
    newest = 0 if stored is None else stored[0].size
    size = newest if tree_size is None else tree_size
    if size > newest:
        return LogRefusal.TREE_SIZE_UNKNOWN
    if leaf_index >= size:
        return LogRefusal.LEAF_UNKNOWN
    bundle, place = divmod(leaf_index, TILE_WIDTH)
    leaf = folder.entries(bundle, min(TILE_WIDTH, newest - bundle * TILE_WIDTH))[place]
    return _proven(folder, stored, size, [(leaf_index, None, leaf)])


def _proven(
    folder: LogFolder, stored: tuple[Checkpoint, Note] | None, size: int, leaves: Sequence[tuple[int, int | None, bytes]]
) -> Proven:
    newest = 0 if stored is None else stored[0].size
    # The tiles of the newest tree are there; those of earlier sizes begin them.
    subtree = subtrees_in_tiles(folder.hashes, newest)
    return Proven(
        size,
        root_hash(size, subtree),
        stored[1] if stored is not None and size == newest else None,
        [ProvenLeaf(index, number, leaf, inclusion_proof(index, size, subtree)) for index, number, leaf in leaves],
    )
