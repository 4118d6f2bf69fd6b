"""Seal what was posted: bring the log's files up to the journal.

Goal: a checkpoint covers whole posting batches: the sources of a lot are all in it, or none.
Method: batches that this process has just committed are at hand. Others come from the journal, whose size is read with their
first leaves; commit order is leaf order, so it is a batch's end, and all leaves below it are there. They are read in bounded
pieces, and the checkpoint is signed when the last one is in. One query and one call to a thread for the usual checkpoint: each
turn of the loop waits for posting, which computes for a tenth of a second at a time.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from services.ledger.adapters.checkpoint import Checkpoint
from services.ledger.adapters.growing_log import GrowingLog
from services.ledger.adapters.signed_note import Note

if TYPE_CHECKING:
    from services.ledger.use_cases.just_posted import JustPosted
    from services.runtime.database import Connection

# Four bundles. Typical leaves have 1.5 KB, the largest 60: between 1.5 and 60 MB in memory.
LEAVES_MAX: Final = 1_024
# Up to $3, or where that is null up to the journal's size. Each bound stands alone: so the planner sees how few they are.
LEAVES: Final = """
    SELECT h.tree_size, j.recorded_at, j.leaf FROM ledger.log_head AS h
    JOIN ledger.journal AS j ON j.leaf_index >= $1 AND j.leaf_index < $1 + $2 AND j.leaf_index < coalesce($3, h.tree_size)
    ORDER BY j.leaf_index"""
STILL_CONNECTED: Final = "SELECT 1"
RECORDED_AT: Final = "SELECT recorded_at FROM ledger.journal WHERE leaf_index = $1"


@dataclass(frozen=True, slots=True)
class Sealed:
    """What was sealed. `oldest_recorded_at` is when the first of its new leaves was posted."""

    checkpoint: Checkpoint
    note: Note
    oldest_recorded_at: datetime


async def seal_log(conn: Connection, log: GrowingLog, just_posted: JustPosted | None = None) -> Sealed | None:
    """Seal all that is posted now; None if everything is sealed already."""
    if just_posted is not None and (at_hand := just_posted.take_all(log.size)):
        await conn.fetchval(STILL_CONNECTED)  # whose connection ends has lost the lock under which it seals
        checkpoint, note = await asyncio.to_thread(log.seal, [leaf for *_, leaf in at_hand])
        _, _, _, oldest, _ = at_hand[0]
        return Sealed(checkpoint, note, oldest)
    rows = await conn.fetch(LEAVES, log.size, LEAVES_MAX, None)
    if not rows:
        return None
    size, oldest = rows[0]["tree_size"], rows[0]["recorded_at"]
    while log.size + len(rows) < size:
        await asyncio.to_thread(log.grow, [row["leaf"] for row in rows])
        rows = await conn.fetch(LEAVES, log.size, LEAVES_MAX, size)
        assert rows, "a leaf below the journal's size is there, as commit order is leaf order"
    checkpoint, note = await asyncio.to_thread(log.seal, [row["leaf"] for row in rows])
    return Sealed(checkpoint, note, oldest)


async def recorded_at(conn: Connection, leaf_index: int) -> datetime | None:
    """When a leaf was posted; None if there is none yet."""
    moment: datetime | None = await conn.fetchval(RECORDED_AT, leaf_index)
    return moment
