"""Hand the bank the files that were fixed, each exactly once.

Goal: a payment file reaches the bank, and after a crash it is neither lost nor sent a second time.
Method: a file in state SENDING was committed before the folder was touched. Whoever finds one asks the folders (does it, or a
copy that the bank took, lie there?) and the bank's answers (was one to its message id read?): then it is with the bank, and
becomes SENT. Else the very same bytes are dropped under the very same name. Only one process sends: the caller holds a lock.
Refuses: BankFileConflictError, BankFolderUnusableError: the file stays SENDING until a person mended the folder.
Source: design, section 7.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.payout.bank.drop_folder import Whereabouts, drop_payment_file, whereabouts
from services.payout.bank.errors import BankFolderUnusableError
from services.payout.domain.order_state import OrderState
from services.payout.use_cases.change_orders import OrderChange, change_orders
from services.payout.use_cases.take_turn import take_turn

if TYPE_CHECKING:
    from services.runtime.database import Connection, Pool

SENDING: Final = "SELECT file_id FROM payout.bank_file WHERE state = 'SENDING' ORDER BY written_at, file_id"
STILL_SENDING: Final = "SELECT name, content FROM payout.bank_file WHERE file_id = $1 AND state = 'SENDING'"
SET_SENT: Final = "UPDATE payout.bank_file SET state = 'SENT', sent_at = $2 WHERE file_id = $1 AND state = 'SENDING'"
ORDERS_OF_FILE: Final = """
    SELECT o.order_id FROM payout.attempt AS t JOIN payout.payout_order AS o USING (order_id)
    WHERE t.file_id = $1 AND o.state = 'sending'"""


async def send_bank_files(pool: Pool, outgoing: Path, clock: Callable[[], datetime]) -> int:
    """Send what is in state SENDING; a file that the bank has already is only recorded. Returns how many became SENT.

    A file whose answer was read is SENT by that (read_bank_file), so it is not found here.
    """
    async with pool.acquire() as conn:
        file_ids = [row["file_id"] for row in await conn.fetch(SENDING)]
    sent = 0
    for file_id in file_ids:
        # The folder is touched while the turn is ours: an answer that is read meanwhile waits, and one read before is seen.
        async with pool.acquire() as conn, conn.transaction():
            await take_turn(conn)
            file = await conn.fetchrow(STILL_SENDING, file_id)
            if file is None:
                continue
            await asyncio.to_thread(_drop_once, outgoing, file["name"], file["content"])
            await mark_sent(conn, file_id, clock())
            sent += 1
    return sent


async def mark_sent(conn: Connection, file_id: UUID, now: datetime) -> None:
    """Record that the bank has the file, inside the caller's SQL transaction; nothing changes if that is known."""
    await take_turn(conn)
    if await conn.execute(SET_SENT, file_id, now) == "UPDATE 0":
        return
    rows = await conn.fetch(ORDERS_OF_FILE, file_id)
    await change_orders(conn, [OrderChange(row["order_id"], OrderState.SENT) for row in rows], now)


def _drop_once(outgoing: Path, name: str, content: bytes) -> None:
    try:
        if whereabouts(outgoing, name) is Whereabouts.ABSENT:
            drop_payment_file(outgoing, name, content)
    except OSError as error:
        raise BankFolderUnusableError(f"{outgoing}: {error}") from error
