"""Write down what one person proposes to post, for another to approve.

Goal: a proposal that could not be posted is refused while its author still looks at it.
Method: it is decided on as it will be when it is approved. The same proposal again is the same one.
Refuses: ROLE_MISSING, REGISTRY_MISSING, UNKNOWN_ACCOUNT for a programme that is not the registry's, CONFLICTING_PAYLOAD (the id
was used for something else), and every code that the ledger would refuse to post it with.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from schemas.canonical_json import canonical_json
from schemas.ledger_correction import Correction, CorrectionProposal
from schemas.ledger_words import OutcomeCode, OwnerKind
from services.ledger.actor_roles import ActorRoles
from services.ledger.adapters.correction_command import command_of
from services.ledger.errors import Refused
from services.ledger.use_cases.preview_command import preview_command
from services.ledger.use_cases.read_corrections import read_correction

if TYPE_CHECKING:
    from services.runtime.database import Connection

INSERT: Final = """
    INSERT INTO ledger.correction (correction_id, kind, subject_kind, subject_id, content, proposed_by, proposed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (correction_id) DO NOTHING RETURNING true"""


@dataclass(frozen=True, slots=True)
class Proposed:
    """The proposal; `created` is false where it was there already."""

    correction: Correction
    created: bool


async def propose_correction(
    conn: Connection, proposal: CorrectionProposal, *, actor: str, roles: ActorRoles, now: datetime
) -> Proposed | Refused:
    """Write it down inside the caller's SQL transaction."""
    refused = roles.refusal(actor, "prepare")
    if refused is not None:
        return refused
    subject = proposal.subject
    if subject.kind is OwnerKind.PROGRAMME and subject.id != roles.programme_id:
        return Refused(OutcomeCode.UNKNOWN_ACCOUNT, f"the programme is {roles.programme_id}, not {subject.id}")
    known = await read_correction(conn, proposal.correction_id)
    if known is None:
        preview = await preview_command(conn, command_of(proposal, proposed_by=actor, approved_by=""))
        if preview.code is not OutcomeCode.POSTED:
            return Refused(preview.code, preview.message or "")
        content = canonical_json(proposal.model_dump(mode="json"))
        row = (proposal.correction_id, proposal.kind, subject.kind.value, subject.id, content, actor, now)
        created = await conn.fetchval(INSERT, *row) is not None
        known = await read_correction(conn, proposal.correction_id)
        assert known is not None, "it was inserted now or by somebody else, and is never deleted"
        if created:
            return Proposed(known, created=True)
    told = known.model_dump(include=set(CorrectionProposal.model_fields))
    if told != proposal.model_dump() or known.proposed_by != actor:
        return Refused(OutcomeCode.CONFLICTING_PAYLOAD, "this id belongs to another proposal: every one needs its own")
    return Proposed(known, created=False)
