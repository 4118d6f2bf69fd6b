"""What this process has just committed, for whoever follows the journal: its relay and its sealer.

Goal: a follower that keeps up reads nothing back. One that is behind, or where other processes post too, reads the journal.
Method: each follower has its own queue of batches, in order, and asks by the leaf that it needs next.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from asyncpg import Record

LEAVES_MAX: Final = 4_000  # of a batch, twice what is usual: at 1.5 KB a leaf 6 MB in memory. Larger ones are read in pieces.
WAITING_LEAVES_MAX: Final = 8_000  # four usual batches: a sealer looks five times a second, and posting commits six at most.

Row: TypeAlias = "Sequence[Any] | Record"


class PostedRows(NamedTuple):
    """Rows as the statements of relay_journal give them: leaves on end, and what was posted with its first leaf among them.

    A leaf's row: leaf_index, transaction_id, subject_id, recorded_at, leaf. All rows begin with their (first) leaf's index.
    """

    leaves: Sequence[Row] = ()
    sales: Sequence[Row] = ()
    commands: Sequence[Row] = ()


class JustPosted:
    """The batches that wait for one follower. `wake` is set with each; the follower clears it before it looks."""

    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self._batches: deque[PostedRows] = deque()
        self._waiting_leaves = 0

    def add(self, rows: PostedRows) -> None:
        """Keep a batch that was committed, if it is not too large and not too much waits."""
        leaves = len(rows.leaves)
        if 0 < leaves <= LEAVES_MAX and self._waiting_leaves + leaves <= WAITING_LEAVES_MAX:
            self._batches.append(rows)
            self._waiting_leaves += leaves
        self.wake.set()

    def take(self, leaf_index: int) -> PostedRows | None:
        """The batch that begins with this leaf; None if it is not at hand. Those before it are let go."""
        while self._batches and self._first_leaf() < leaf_index:
            self._next()  # by now it was read from the journal
        return self._next() if self._batches and self._first_leaf() == leaf_index else None

    def take_all(self, leaf_index: int) -> list[Row]:
        """The leaves of all batches at hand that follow each other from this leaf on."""
        leaves: list[Row] = []
        while (rows := self.take(leaf_index + len(leaves))) is not None:
            leaves += rows.leaves
        return leaves

    def _first_leaf(self) -> int:
        first: int = self._batches[0].leaves[0][0]
        return first

    def _next(self) -> PostedRows:
        rows = self._batches.popleft()
        self._waiting_leaves -= len(rows.leaves)
        return rows
