"""What two persons decide, without their HTTP requests: ana proposes, bruno approves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from schemas.canonical_json import canonical_json
from schemas.ledger_correction import CorrectionProposal, CorrectionState
from schemas.ledger_words import OutcomeCode
from services.ledger.adapters.correction_command import command_of
from services.ledger.domain.books import Answered
from services.ledger.use_cases import approve_correction, propose_correction
from services.ledger.use_cases.post_batch import post_command
from services.runtime.database import Connection

AT: Final = datetime(2025, 4, 1, tzinfo=UTC)


async def decided(conn: Connection, content: dict[str, Any]) -> Answered:
    """Post what was proposed, in the caller's SQL transaction, with the rows that both persons leave.

    The service would refuse what the ledger does not post; here its answer comes back.
    """
    proposal = CorrectionProposal.model_validate(content)
    stored = canonical_json(proposal.model_dump(mode="json"))
    subject = (proposal.subject.kind.value, proposal.subject.id)
    await conn.fetchval(propose_correction.INSERT, proposal.correction_id, proposal.kind, *subject, stored, "ana", AT)
    _, answered = await post_command(conn, command_of(proposal, proposed_by="ana", approved_by="bruno"))
    if answered.code == OutcomeCode.POSTED:
        await conn.fetchval(approve_correction.DECIDE, proposal.correction_id, CorrectionState.APPROVED, "bruno", AT)
    return answered
