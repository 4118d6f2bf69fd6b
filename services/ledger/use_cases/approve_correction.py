"""Post what one person proposed, because another approves it.

Goal: two persons stand behind every opening balance and every correction; it is posted once, and as it was proposed.
Method: the decision's row is written first, so that of two who decide at once one waits and then finds it decided. Posting is
that of every command, under the lock on the log head, in the same SQL transaction. What the ledger would not post leaves the
proposal open: the caller rolls back.
Refuses: ROLE_MISSING, REGISTRY_MISSING, CORRECTION_UNKNOWN, CORRECTION_CLOSED (it was withdrawn), SAME_ACTOR, and every code
that the ledger refuses to post it with.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from schemas.ledger_correction import CorrectionState
from schemas.ledger_words import OutcomeCode
from services.ledger.actor_roles import ActorRoles
from services.ledger.adapters.correction_command import command_of
from services.ledger.errors import RefusalCode, Refused
from services.ledger.use_cases.post_batch import BatchResult, post_command
from services.ledger.use_cases.read_corrections import read_correction

if TYPE_CHECKING:
    from services.runtime.database import Connection

DECIDE: Final = """
    INSERT INTO ledger.correction_decision (correction_id, decision, decided_by, decided_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (correction_id) DO NOTHING RETURNING true"""


async def approve_correction(
    conn: Connection, correction_id: UUID, *, actor: str, roles: ActorRoles, now: datetime
) -> BatchResult | Refused | None:
    """Approve inside the caller's SQL transaction, which must be rolled back on a refusal. None: it was approved before."""
    refused = roles.refusal(actor, "approve")
    if refused is not None:
        return refused
    correction = await read_correction(conn, correction_id)
    if correction is None:
        return unknown_correction()
    if correction.proposed_by == actor:
        return Refused(RefusalCode.SAME_ACTOR, f"{actor} proposed it: another person approves")
    if await conn.fetchval(DECIDE, correction_id, CorrectionState.APPROVED, actor, now) is None:
        return await decided_before(conn, correction_id, CorrectionState.APPROVED)
    command = command_of(correction, proposed_by=correction.proposed_by, approved_by=actor)
    result, answered = await post_command(conn, command)
    if answered.code != OutcomeCode.POSTED:
        return Refused(OutcomeCode(answered.code), answered.message or "")
    return result


def unknown_correction() -> Refused:
    """The answer to an id that nothing was proposed under."""
    return Refused(RefusalCode.CORRECTION_UNKNOWN, "nothing was proposed under this id: premia corrections list")


async def decided_before(conn: Connection, correction_id: UUID, wanted: CorrectionState) -> Refused | None:
    """None if what is wanted was decided before, else that something else was."""
    correction = await read_correction(conn, correction_id)
    assert correction is not None, "a decision refers to its proposal"
    if correction.state is wanted:
        return None
    return Refused(RefusalCode.CORRECTION_CLOSED, f"it was {correction.state} by {correction.decided_by}")
