"""A leaf of the ledger as a posting of a statement.

Goal: what a statement shows of a lot is what the ledger recorded, figure for figure; what is added is
what the payee is told of its state.
Method: weights, amounts and the explanation are taken as they are; the difference of each line is computed exactly.
Refuses: TypeError for a leaf that posts no premium.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from schemas.ledger_transaction import EntitlementCause, LedgerTransaction, PremiumLine
from schemas.payee_state import PayeeState
from schemas.statement import CountsAs, StatementPosting


def statement_posting(
    leaf: LedgerTransaction, *, counted_as: CountsAs, state_of: Callable[[PremiumLine], PayeeState | None]
) -> StatementPosting:
    """The posting of one leaf. `state_of`: what the payee is told of a line's money."""
    cause = leaf.cause
    if not isinstance(cause, EntitlementCause):
        raise TypeError(f"leaf {leaf.leaf_index} posts no premium")
    own = None if leaf.gold is None else leaf.gold.fine_weight_g
    if own is None:
        # A community fund owns no gold; its lines carry the weight that they were computed from.
        own = next((line.fine_weight_g for line in leaf.lines if line.fine_weight_g is not None), None)
    content = {
        "leaf_index": leaf.leaf_index,
        "transaction_id": leaf.transaction_id,
        "effective_on": leaf.effective_on,
        "refiner_id": cause.refiner_id,
        "lot_id": cause.lot_id,
        "revision": cause.revision,
        "calculation": cause.calculation,
        "stage": cause.stage,
        "status": cause.status,
        "sold_on": cause.sold_on,
        "fineness_permille": cause.fineness_permille,
        "lot_fine_weight_g": cause.fine_weight_g,
        "own_fine_weight_g": own,
        "previous_own_fine_weight_g": None if leaf.gold is None else leaf.gold.previous_fine_weight_g,
        "documents": _documents(cause),
        "explanation": [step.model_dump() for step in cause.explanation],
        "lines": [_line(line, counted_as, state_of(line)) for line in leaf.lines],
    }
    return StatementPosting.model_validate(content)


def _line(line: PremiumLine, counted_as: CountsAs, state: PayeeState | None) -> dict[str, object]:
    posted = Decimal(line.amount) - Decimal(line.previous_amount)
    return {
        **line.model_dump(),
        # Both have the currency's digits, and so has their difference.
        "posted": format(posted, "f"),
        "counts_as": counted_as,
        "state": state if posted else None,
    }


def _documents(cause: EntitlementCause) -> list[dict[str, str | None]]:
    values = next((step.values for step in cause.explanation if step.step == "documents"), {})
    return [
        {"kind": values[f"kind.{row}"], "number": values[f"number.{row}"], "issuer": values.get(f"issuer.{row}")}
        for row in range(int(values.get("count", "0")))
        # A lot with very many papers states only as many as fit its leaf.
        if f"kind.{row}" in values
    ]
