"""A proposed correction as the command that posts it.

Method: its id is the proposal's, its hash that of the whole proposal, so it is posted once, and only as it was proposed.
"""

from __future__ import annotations

from hashlib import sha256

from schemas.canonical_json import payload_hash
from schemas.ledger_correction import CorrectionProposal, LineSide
from schemas.ledger_words import PROGRAMME_OWNER_ID, OwnerKind
from services.ledger.domain.account import AccountKey, SubjectKey
from services.ledger.domain.command import Command, Correct, CorrectionLine, Open
from services.ledger.domain.transaction import Authority


def command_of(proposal: CorrectionProposal, *, proposed_by: str, approved_by: str) -> Command:
    """The command, with both persons in what its leaf will say."""
    subject = SubjectKey(proposal.subject.kind.value, proposal.subject.id)
    owner_id = PROGRAMME_OWNER_ID if proposal.subject.kind is OwnerKind.PROGRAMME else subject.id
    lines = tuple(
        CorrectionLine(
            account=AccountKey(subject.kind, owner_id, line.purpose.value, line.unit),
            is_debit=line.side is LineSide.DEBIT,
            amount=line.amount,
            scheme_id=line.scheme_id,
            payer_id=line.payer_id,
            booking_key=line.booking_key,
        )
        for line in proposal.lines
    )
    reason_sha256 = sha256(proposal.reason.text.encode()).hexdigest()
    authority = Authority(proposed_by, approved_by, proposal.reason.code, reason_sha256)
    # Of what was proposed alone, whatever is known of it since: the hash of the stored content, which fsck and auditors redo.
    proposed = proposal.model_dump(mode="json", include=set(CorrectionProposal.model_fields))
    return Command(
        command_id=proposal.correction_id,
        command_hash=payload_hash(proposed),
        kind=proposal.kind,
        subject=subject,
        effective_on=proposal.effective_on,
        order=Open(lines, authority) if proposal.kind == "open" else Correct(proposal.reverses, lines, authority),
    )
