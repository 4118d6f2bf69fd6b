"""Seal what was posted: bring the log's files up to the journal.

Goal: a checkpoint covers whole posting batches: the sources of a lot are all in it, or none.
Method: the journal's size is read first; commit order is leaf order, so it is a batch's end, and all leaves below it are there.
They are read in bounded pieces, and the checkpoint is signed when the last one is in.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from services.ledger.adapters.checkpoint import Checkpoint
from services.ledger.adapters.growing_log import GrowingLog
from services.ledger.adapters.signed_note import Note
from services.ledger.use_cases.compare_log import JOURNAL_SIZE, LEAVES

if TYPE_CHECKING:
    from services.runtime.database import Connection

# Four bundles. Typical leaves have 1.5 KB, the largest 60: between 1.5 and 60 MB in memory.
LEAVES_MAX: Final = 1_024
RECORDED_AT: Final = "SELECT recorded_at FROM ledger.journal WHERE leaf_index = $1"


@dataclass(frozen=True, slots=True)
class Sealed:
    """What was sealed. `oldest_recorded_at` is when the first of its new leaves was posted."""

    checkpoint: Checkpoint
    note: Note
    oldest_recorded_at: datetime


async def seal_log(conn: Connection, log: GrowingLog) -> Sealed | None:
    """Seal all that is posted now; None if everything is sealed already."""
    size = await conn.fetchval(JOURNAL_SIZE)
    if size <= log.size:
        return None
    oldest = await recorded_at(conn, log.size)
    assert oldest is not None, "a leaf below the journal's size is there, as commit order is leaf order"
    while log.size < size:
        rows = await conn.fetch(LEAVES, log.size, min(size, log.size + LEAVES_MAX))
        await asyncio.to_thread(log.grow, [row["leaf"] for row in rows])
    checkpoint, note = await asyncio.to_thread(log.seal)
    return Sealed(checkpoint, note, oldest)


async def recorded_at(conn: Connection, leaf_index: int) -> datetime | None:
    """When a leaf was posted; None if there is none yet."""
    moment: datetime | None = await conn.fetchval(RECORDED_AT, leaf_index)
    return moment
