"""Change the state of a payment account, with its history and the event that tells of it."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Final, Literal
from uuid import UUID

from schemas.payout_event import AccountStateChange
from services.payout.adapters.payout_topic import account_state_message
from services.runtime.outbox import enqueue

if TYPE_CHECKING:
    from services.runtime.database import Connection

AccountState = Literal["proposed", "verified", "replaced", "withdrawn"]

SET_STATE: Final = """
    UPDATE payout.account SET state = $2 WHERE account_id = $1
    RETURNING organization_id, currency, last_four"""
REMEMBER: Final = """
    INSERT INTO payout.account_event (account_id, number, state, at, actor, method, checked_on, evidence, reason)
    SELECT $1, count(*) + 1, $2, $3, $4, $5, $6, $7, $8 FROM payout.account_event WHERE account_id = $1"""


async def change_account(
    conn: Connection,
    account_id: UUID,
    state: AccountState,
    *,
    actor: str | None,
    now: datetime,
    method: str | None = None,
    checked_on: date | None = None,
    evidence: str | None = None,
    reason: str | None = None,
) -> None:
    """Set the state inside the caller's SQL transaction. `actor` None: the bank's answer did it."""
    account = await conn.fetchrow(SET_STATE, account_id, state)
    assert account is not None, "the caller read the account in this SQL transaction"
    await conn.execute(REMEMBER, account_id, state, now, actor, method, checked_on, evidence, reason)
    event = AccountStateChange(
        account_id=account_id,
        organization_id=account["organization_id"],
        currency=account["currency"],
        state=state,
        at=now,
        actor=actor,
        method=method,
        checked_on=checked_on,
        reason=reason,
        last_four=account["last_four"],
    )
    await enqueue(conn, "payout", [account_state_message(event)])
