"""Take an account out of use because the bank refused it.

Goal: no money is sent twice to an account that is closed or wrong; two persons must verify an account anew.
Source: design, section 7; bank/rejection_reasons.py.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.payout.use_cases.account_events import change_account

if TYPE_CHECKING:
    from services.runtime.database import Connection

ACCOUNT_OF_ORDER: Final = """
    SELECT a.account_id FROM payout.payout_order AS o JOIN payout.account AS a USING (account_id)
    WHERE o.order_id = $1 AND a.state = 'verified'"""


async def withdraw_account_of_order(conn: Connection, order_id: UUID, *, reason: str, now: datetime) -> None:
    """Withdraw the account that the order was paid to, unless it is out of use already."""
    account_id = await conn.fetchval(ACCOUNT_OF_ORDER, order_id)
    if account_id is not None:
        await change_account(conn, account_id, "withdrawn", actor=None, reason=reason, now=now)
