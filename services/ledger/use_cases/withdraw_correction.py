"""Give up a proposal that nobody approved.

Refuses: ROLE_MISSING (it takes a role to propose or to approve), REGISTRY_MISSING, CORRECTION_UNKNOWN, CORRECTION_CLOSED (it
was approved: what is posted is taken back by another correction).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from schemas.ledger_correction import CorrectionState
from services.ledger.actor_roles import ActorRoles
from services.ledger.errors import Refused
from services.ledger.use_cases.approve_correction import DECIDE, decided_before, unknown_correction
from services.ledger.use_cases.read_corrections import read_correction

if TYPE_CHECKING:
    from services.runtime.database import Connection


async def withdraw_correction(
    conn: Connection, correction_id: UUID, *, actor: str, roles: ActorRoles, now: datetime
) -> Refused | None:
    """Withdraw inside the caller's SQL transaction. A repeat changes nothing."""
    if roles.refusal(actor, "prepare") is not None:
        refused = roles.refusal(actor, "approve")
        if refused is not None:
            return refused
    if await read_correction(conn, correction_id) is None:
        return unknown_correction()
    if await conn.fetchval(DECIDE, correction_id, CorrectionState.WITHDRAWN, actor, now) is None:
        return await decided_before(conn, correction_id, CorrectionState.WITHDRAWN)
    return None
