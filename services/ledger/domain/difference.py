"""Posting by difference: what an entitlement changes against what was posted for its lot before.

Goal: duplicates, late revisions, corrections up and down, a changed payer or source and cancellations all come out right.
Method: cumulative lines by (organization, role, unit, scheme, payer), old and new, are compared; every line that differs
becomes one transfer, a negative difference with debit and credit swapped. One transaction for each organization or fund.
Refuses: amounts beyond what the ledger can hold (None is returned).
Source: design, section 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.ledger.domain.account import FINE_GOLD, SubjectKey, payable, receivable, refiner_gold, source_gold
from services.ledger.domain.entitlement import Entitlement, PremiumLine
from services.ledger.domain.transaction import (
    GoldChange,
    LineChange,
    LineKey,
    Scope,
    TransactionDraft,
    TransactionKind,
    TransferDraft,
)
from services.ledger.limits import AMOUNT_MAX

SOURCE_ROLE: Final = "source"
OWNER_KIND_BY_ROLE: Final = {"producer": "org", "community_fund": "fund", SOURCE_ROLE: "org"}


def cumulative_lines(entitlement: Entitlement) -> dict[LineKey, int]:
    """All lines of an entitlement with an amount other than zero: premiums in minor units, fine gold in milligrams."""
    current = {_key(line): line.amount_minor for line in entitlement.lines if line.amount_minor}
    for source in entitlement.sources:
        if source.fine_weight_mg:
            current[LineKey(source.organization_id, SOURCE_ROLE, FINE_GOLD, "", "")] = source.fine_weight_mg
    return current


def transactions_of_difference(
    entitlement: Entitlement, previous: Mapping[LineKey, int], current: Mapping[LineKey, int]
) -> list[TransactionDraft] | None:
    """One draft for each subject of which a line changed, in order of (kind, id). None: an amount is too large."""
    changed: dict[SubjectKey, list[LineKey]] = {}
    for key in sorted(previous.keys() | current.keys()):
        old, new = previous.get(key, 0), current.get(key, 0)
        if old == new:
            continue
        if not -AMOUNT_MAX <= new <= AMOUNT_MAX or not -AMOUNT_MAX <= new - old <= AMOUNT_MAX:
            return None
        changed.setdefault(SubjectKey(OWNER_KIND_BY_ROLE[key.role], key.organization_id), []).append(key)
    return [_transaction(subject, keys, entitlement, previous, current) for subject, keys in sorted(changed.items())]


def _key(line: PremiumLine) -> LineKey:
    return LineKey(line.organization_id, line.role, line.currency, line.scheme_id, line.payer_id)


def _transaction(
    subject: SubjectKey,
    changed: list[LineKey],
    entitlement: Entitlement,
    previous: Mapping[LineKey, int],
    current: Mapping[LineKey, int],
) -> TransactionDraft:
    lot, revision, stage = entitlement.lot, entitlement.position.revision, entitlement.stage
    transfers = []
    gold = None
    takes_back = False
    for key in changed:
        difference = current.get(key, 0) - previous.get(key, 0)
        if key.role == SOURCE_ROLE:
            debit, credit = refiner_gold(lot.refiner_id), source_gold(subject.id)
            scope = Scope(lot.refiner_id, lot.lot_id, revision, stage)
        else:
            debit, credit = receivable(key.payer_id, key.unit), payable(subject, key.unit)
            scope = Scope(lot.refiner_id, lot.lot_id, revision, stage, key.scheme_id, key.payer_id, key.role)
            takes_back = takes_back or difference < 0
        if difference < 0:
            debit, credit, difference = credit, debit, -difference
        transfers.append(TransferDraft(debit, credit, difference, scope))
    if subject.kind == "org":
        gold_key = LineKey(subject.id, SOURCE_ROLE, FINE_GOLD, "", "")
        change = GoldChange(previous.get(gold_key, 0), current.get(gold_key, 0))
        gold = change if any(change) else None
    return TransactionDraft(
        subject=subject,
        kind=TransactionKind.PREMIUM,
        effective_on=entitlement.effective_on,
        cause=entitlement,
        transfers=tuple(transfers),
        lines=_lines(subject, entitlement, previous),
        gold=gold,
        takes_back=takes_back,
    )


def _lines(subject: SubjectKey, entitlement: Entitlement, previous: Mapping[LineKey, int]) -> tuple[LineChange, ...]:
    """All premium lines of the subject: those of the entitlement in its order, then those it no longer has."""
    lines = []
    seen = set()
    for line in entitlement.lines:
        if line.organization_id == subject.id and OWNER_KIND_BY_ROLE[line.role] == subject.kind:
            key = _key(line)
            seen.add(key)
            lines.append(LineChange(key, line, previous.get(key, 0)))
    for key, amount in sorted(previous.items()):
        if (
            key not in seen
            and key.role != SOURCE_ROLE
            and key.organization_id == subject.id
            and OWNER_KIND_BY_ROLE[key.role] == subject.kind
        ):
            lines.append(LineChange(key, None, amount))
    return tuple(lines)
