"""One decision at a time.

Goal: what a decision was based on is still true when it commits, without anybody having to think of interleavings.
Method: every SQL transaction that changes payout's state takes one advisory lock first and keeps it to its end. A programme
decides some hundred times a day, so nothing is gained by deciding side by side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from services.runtime.database import Connection

TURN_KEY: Final = 0x7061796F7574  # "payout": any number that nobody else takes in this database.


async def take_turn(conn: Connection) -> None:
    """Wait for the turn; it ends with the caller's SQL transaction."""
    await conn.execute("SELECT pg_advisory_xact_lock($1)", TURN_KEY)
