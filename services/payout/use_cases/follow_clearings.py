"""Follow what a person cleared: a booking that lay in suspense was the payment of an order, or its return.

Goal: an order that the ledger has settled is settled here too, whoever asked for it, and is never sent afterwards.
Method: the reservation is the order's attempt. Cleared in suspense is as good as booked and matched: the order goes straight
to where the ledger has it, from wherever its money was still set aside. What was already told changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from schemas.ledger_words import TransactionKind
from services.payout.adapters.ledger_topic import ReadTransaction
from services.payout.domain.order_state import OrderState
from services.payout.use_cases.change_orders import OrderChange, change_orders
from services.payout.use_cases.send_bank_files import mark_sent

if TYPE_CHECKING:
    from services.runtime.database import Connection

log = logging.getLogger(__name__)

STATES: Final = {TransactionKind.SETTLED: OrderState.SETTLED, TransactionKind.RETURNED: OrderState.RETURNED}
ORDER: Final = """
    SELECT o.order_id, o.state, t.file_id, f.state AS file_state
    FROM payout.attempt AS t
    JOIN payout.payout_order AS o USING (order_id)
    LEFT JOIN payout.bank_file AS f USING (file_id)
    WHERE t.attempt_id = $1"""


async def follow_clearings(conn: Connection, transactions: Sequence[ReadTransaction], now: datetime) -> None:
    """Move the orders, in the order of the log, inside the caller's SQL transaction, which holds the turn."""
    for entry in sorted(transactions, key=lambda entry: entry.leaf_index):
        if not entry.clearings or entry.reservation_id is None:
            continue
        row = await conn.fetchrow(ORDER, entry.reservation_id)
        state = STATES[TransactionKind(entry.kind)]
        if row is None or row["state"] == state:
            continue
        log.warning("order %s is %s: a person cleared a booking in suspense against it", row["order_id"], state)
        if row["file_state"] == "SENDING":
            await mark_sent(conn, row["file_id"], now)  # a booking is proof that the bank has the file
        await change_orders(conn, [OrderChange(row["order_id"], state, detail="cleared from suspense")], now)
