"""A leaf of the journal, read back as far as a correction needs it."""

from __future__ import annotations

from schemas.ledger_transaction import Account, CommandCause, LedgerTransaction
from services.ledger.domain.account import AccountKey, SubjectKey
from services.ledger.domain.books import PostedTransaction
from services.ledger.domain.transaction import NO_SCOPE, ClearedPart, Scope, TransferDraft


def read_posted(leaf: bytes, *, reversed_before: bool) -> PostedTransaction:
    """The transaction of a leaf."""
    told = LedgerTransaction.model_validate_json(leaf)
    clears = told.cause.clears if isinstance(told.cause, CommandCause) else ()
    return PostedTransaction(
        subject=SubjectKey(told.subject.kind.value, told.subject.id),
        kind=told.kind,
        transfers=tuple(
            TransferDraft(
                _account(transfer.debit, transfer.unit),
                _account(transfer.credit, transfer.unit),
                transfer.amount_minor,
                NO_SCOPE if transfer.scope is None else Scope(**transfer.scope.model_dump()),
            )
            for transfer in told.transfers
        ),
        clears=tuple(ClearedPart(part.booking_key, part.amount_minor) for part in clears),
        reversed_before=reversed_before,
    )


def _account(told: Account, unit: str) -> AccountKey:
    return AccountKey(told.owner_kind.value, told.owner_id, told.purpose.value, unit)
