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
    premiums = {line.key: line.amount_minor for line in entitlement.lines if line.amount_minor}
    return premiums | {source.key: source.fine_weight_mg for source in entitlement.sources if source.fine_weight_mg}


def transactions_of_difference(
    entitlement: Entitlement, previous: Mapping[LineKey, int], current: Mapping[LineKey, int]
) -> list[TransactionDraft] | None:
    """One draft for each subject of which a line changed, in order of (kind, id). None: an amount is too large."""
    changed: dict[SubjectKey, list[LineKey]] = {}
    for key in sorted(previous.keys() | current.keys()):
        old, new = previous.get(key, 0), current.get(key, 0)
        if old == new:
            continue
        if not -AMOUNT_MINOR_MAX <= new <= AMOUNT_MINOR_MAX or not -AMOUNT_MINOR_MAX <= new - old <= AMOUNT_MINOR_MAX:
            return None
        changed.setdefault(subject_in_role(key.role, key.organization_id), []).append(key)
    return [_transaction(subject, keys, entitlement, previous, current) for subject, keys in sorted(changed.items())]


def _transaction(
    subject: SubjectKey,
    changed: list[LineKey],
    entitlement: Entitlement,
    previous: Mapping[LineKey, int],
    current: Mapping[LineKey, int],
) -> TransactionDraft:
    refiner_id, lot_id = entitlement.lot
    revision, stage = entitlement.position.revision, entitlement.stage
    transfers = []
    takes_back = False
    for key in changed:
        organization_id, role, unit, scheme_id, payer_id = key
        difference = current.get(key, 0) - previous.get(key, 0)
        if role == SOURCE_ROLE:
            debit, credit = refiner_gold(refiner_id), source_gold(organization_id)
            scope = Scope(refiner_id, lot_id, revision, stage)
        else:
            debit, credit = receivable(payer_id, unit), payable(subject, unit)
            scope = Scope(refiner_id, lot_id, revision, stage, scheme_id, payer_id, role)
            takes_back = takes_back or difference < 0
        if difference < 0:
            debit, credit, difference = credit, debit, -difference
        transfers.append(TransferDraft(debit, credit, difference, scope))
    gold_key = gold_line(subject.id)
    gold = GoldChange(previous.get(gold_key, 0), current.get(gold_key, 0)) if subject.kind == "org" else None
    return TransactionDraft(
        subject=subject,
        kind=TransactionKind.PREMIUM,
        effective_on=entitlement.effective_on,
        cause=entitlement,
        transfers=tuple(transfers),
        lines=_lines(subject, entitlement, previous),
        gold=gold if gold is not None and any(gold) else None,
        takes_back=takes_back,
    )


def _lines(subject: SubjectKey, entitlement: Entitlement, previous: Mapping[LineKey, int]) -> tuple[LineChange, ...]:
    """All premium lines of the subject: those of the entitlement in its order, then those it no longer has."""
    lines = []
    current = set()
    for line in entitlement.lines:
        key = line.key
        current.add(key)
        if key.organization_id == subject.id and subject_in_role(key.role, key.organization_id) == subject:
            lines.append(LineChange(key, line, previous.get(key, 0)))
    lines += [
        LineChange(key, None, previous[key])
        for key in sorted(previous.keys() - current)
        if key.role != SOURCE_ROLE and subject_in_role(key.role, key.organization_id) == subject
    ]
    return tuple(lines)
