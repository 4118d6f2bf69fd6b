"""Verify a proposed payment account: the second of the two persons.

Goal: an account is payable after two different persons vouched for it, with how and when it was checked.
Method: the account becomes the organization's payable one in its currency; one that was payable before is replaced.
Refuses: ROLE_MISSING, ACCOUNT_UNKNOWN, SAME_ACTOR, ACCOUNT_NOT_PROPOSED (withdrawn or replaced: propose it anew).
Source: design, section 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.payout.errors import RefusalCode, Refused
from services.payout.registry_view import RegistryView
from services.payout.use_cases.account_events import change_account
from services.payout.use_cases.take_turn import take_turn

if TYPE_CHECKING:
    from services.runtime.database import Connection

ACCOUNT: Final = "SELECT organization_id, currency, state, proposed_by FROM payout.account WHERE account_id = $1"
PAYABLE: Final = "SELECT account_id FROM payout.account WHERE organization_id = $1 AND currency = $2 AND state = 'verified'"


@dataclass(frozen=True, slots=True)
class AccountVerified:
    """The account is payable. `verified_now` is false for a repeat, which changes nothing."""

    account_id: UUID
    verified_now: bool


async def verify_account(
    conn: Connection,
    *,
    account_id: UUID,
    method: str,
    checked_on: date,
    evidence: str | None,
    actor: str,
    registry: RegistryView,
    now: datetime,
) -> AccountVerified | Refused:
    """Verify inside the caller's SQL transaction."""
    await take_turn(conn)
    if not registry.may(actor, "accounts"):
        return Refused(RefusalCode.ROLE_MISSING, f"{actor} does not have the role accounts in the programme's list of actors")
    account = await conn.fetchrow(ACCOUNT, account_id)
    if account is None:
        return Refused(RefusalCode.ACCOUNT_UNKNOWN, f"there is no account {account_id}: premia accounts list shows them")
    if account["proposed_by"] == actor:
        return Refused(RefusalCode.SAME_ACTOR, f"{actor} proposed this account: another person must verify it")
    if account["state"] == "verified":
        return AccountVerified(account_id, verified_now=False)
    if account["state"] != "proposed":
        return Refused(RefusalCode.ACCOUNT_NOT_PROPOSED, f"the account is {account['state']}: propose it again first")
    before = await conn.fetchval(PAYABLE, account["organization_id"], account["currency"])
    if before is not None:
        await change_account(conn, before, "replaced", actor=actor, now=now, reason=f"by {account_id}")
    await change_account(
        conn,
        account_id,
        "verified",
        actor=actor,
        now=now,
        method=method,
        checked_on=checked_on,
        evidence=evidence,
    )
    return AccountVerified(account_id, verified_now=True)
