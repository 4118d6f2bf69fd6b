"""Take an account out of use because the bank refused it, or gave a reason that a person must look at.

Goal: no money is sent again by itself where it was refused; two persons must verify an account anew before the next payment.
Method: only reasons that say nothing about the payee (our funds, our file, a technical failure) leave its account payable.
Everything else withdraws it, also a bank's own code or none at all: sending again would repeat the fault, and often the fees.
Source: design, section 7; bank/rejection_reasons.py.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.payout.bank.rejection_reasons import RejectionAction, rejection_action
from services.payout.use_cases.account_events import change_account

if TYPE_CHECKING:
    from services.runtime.database import Connection

STAYS_PAYABLE: Final = frozenset({RejectionAction.RETRY_NEXT_DAY, RejectionAction.TREASURY, RejectionAction.MEND_OUR_FILE})
ACCOUNT_OF_ORDER: Final = """
    SELECT a.account_id FROM payout.payout_order AS o JOIN payout.account AS a USING (account_id)
    WHERE o.order_id = $1 AND a.state = 'verified'"""


async def withdraw_doubted_account(
    conn: Connection, order_id: UUID, *, reason_code: str | None, told: str, now: datetime
) -> None:
    """Withdraw the account that the order was paid to, unless the bank's reason says nothing about it. `told` is on record."""
    if rejection_action(reason_code) in STAYS_PAYABLE:
        return
    account_id = await conn.fetchval(ACCOUNT_OF_ORDER, order_id)
    if account_id is not None:
        await change_account(conn, account_id, "withdrawn", actor=None, reason=told, now=now)
