"""Posting by difference: what an entitlement changes against what was posted for its lot before.

Goal: duplicates, late revisions, corrections up and down, a changed payer or source and cancellations all come out right.
Method: cumulative lines by (organization, role, unit, scheme, payer), old and new, are compared; every line that differs
becomes one transfer, a negative difference with debit and credit swapped. One transaction for each organization or fund.
Refuses: amounts beyond what the ledger can hold (None is returned).
Source: design, section 6.
"""

from __future__ import annotations

from collections.abc import Mapping

from schemas.ledger_words import AMOUNT_MINOR_MAX, TransactionKind
from services.ledger.domain.account import SubjectKey, payable, receivable, refiner_gold, source_gold, subject_in_role
from services.ledger.domain.entitlement import SOURCE_ROLE, Entitlement, LineKey, gold_line
from services.ledger.domain.transaction import GoldChange, LineChange, Scope, TransactionDraft, TransferDraft


def cumulative_lines(entitlement: Entitlement) -> dict[LineKey, int]:
    """All lines of an entitlement with an amount other than zero: premiums in minor units, fine gold in milligrams."""
    lines = {line.key: line.amount_minor for line in entitlement.lines if line.amount_minor}
    for source in entitlement.sources:
        if source.fine_weight_mg:
            lines[source.key] = source.fine_weight_mg
    return lines


def transactions_of_difference(
    entitlement: Entitlement, previous: Mapping[LineKey, int], current: Mapping[LineKey, int]
) -> list[TransactionDraft] | None:
    """One draft for each subject of which a line changed, in order of (kind, id). None: an amount is too large."""
    changed: dict[SubjectKey, list[tuple[LineKey, int]]] = {}
    for key in sorted(previous.keys() | current.keys() if previous else current):
        new = current.get(key, 0)
        difference = new - previous.get(key, 0)
        if difference == 0:
            continue
        if abs(new) > AMOUNT_MINOR_MAX or abs(difference) > AMOUNT_MINOR_MAX:
            return None
        changed.setdefault(subject_in_role(key.role, key.organization_id), []).append((key, difference))
    if not changed:
        return []
    lines = _lines_by_subject(entitlement, previous)
    return [
        _transaction(entitlement, subject, changed[subject], lines.get(subject, []), _gold(subject, previous, current))
        for subject in sorted(changed)
    ]


def _transaction(
    entitlement: Entitlement,
    subject: SubjectKey,
    changed: list[tuple[LineKey, int]],
    lines: list[LineChange],
    gold: GoldChange | None,
) -> TransactionDraft:
    refiner_id, lot_id = entitlement.lot
    revision, stage = entitlement.position.revision, entitlement.stage
    transfers = []
    takes_back = False
    for (organization_id, role, unit, scheme_id, payer_id), difference in changed:
        if role == SOURCE_ROLE:
            debit, credit = refiner_gold(refiner_id), source_gold(organization_id)
            scope = Scope(refiner_id, lot_id, revision, stage)
        else:
            debit, credit = receivable(payer_id, unit), payable(subject, unit)
            scope = Scope(refiner_id, lot_id, revision, stage, scheme_id, payer_id, role)
            takes_back = takes_back or difference < 0
        if difference < 0:
            debit, credit = credit, debit
        transfers.append(TransferDraft(debit, credit, abs(difference), scope))
    return TransactionDraft(
        subject,
        TransactionKind.PREMIUM,
        entitlement.effective_on,
        entitlement,
        tuple(transfers),
        tuple(lines),
        gold,
        takes_back=takes_back,
    )


def _gold(subject: SubjectKey, previous: Mapping[LineKey, int], current: Mapping[LineKey, int]) -> GoldChange | None:
    """Fine gold of a subject that delivered any, then or now."""
    if subject.kind != "org":
        return None
    key = gold_line(subject.id)
    gold = GoldChange(previous.get(key, 0), current.get(key, 0))
    return gold if gold.previous or gold.current else None


def _lines_by_subject(entitlement: Entitlement, previous: Mapping[LineKey, int]) -> dict[SubjectKey, list[LineChange]]:
    """The premium lines of each subject: those of the entitlement in its order, then those it no longer has."""
    lines: dict[SubjectKey, list[LineChange]] = {}
    for line in entitlement.lines:
        key = line.key
        subject = subject_in_role(key.role, key.organization_id)
        lines.setdefault(subject, []).append(LineChange(key, line, previous.get(key, 0)))
    if previous:
        for key in sorted(previous.keys() - {line.key for line in entitlement.lines}):
            if key.role != SOURCE_ROLE:
                subject = subject_in_role(key.role, key.organization_id)
                lines.setdefault(subject, []).append(LineChange(key, None, previous[key]))
    return lines
