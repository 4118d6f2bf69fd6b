"""Leaves of the journal, read back: what a correction needs of one, and what taking one back from the log does."""

from __future__ import annotations

from collections.abc import Sequence

from schemas import ledger_transaction as contract
from schemas.ledger_transaction import LedgerTransaction
from services.ledger.domain.account import AccountKey, SubjectKey
from services.ledger.domain.books import PostedTransaction
from services.ledger.domain.replay import PostedLeaf
from services.ledger.domain.transaction import NO_SCOPE, ClearedPart, CommandCause, Scope, TransferDraft


def read_posted(leaves: Sequence[bytes], *, reversed_before: bool) -> PostedTransaction:
    """The transaction of the leaves of all of its parts, in order, for a correction."""
    told, *others = [LedgerTransaction.model_validate_json(leaf) for leaf in leaves]
    return PostedTransaction(
        subject=_subject(told),
        kind=told.kind,
        transfers=tuple(transfer for part in (told, *others) for transfer in _transfers(part)),
        clears=_clears(told.cause) if isinstance(told.cause, contract.CommandCause) else (),
        reversed_before=reversed_before,
    )


def read_leaf(leaf: bytes) -> PostedLeaf:
    """The whole of a leaf but for what only its entitlement decides. Raises pydantic.ValidationError."""
    told = LedgerTransaction.model_validate_json(leaf)
    cause = told.cause
    return PostedLeaf(
        leaf_index=told.leaf_index,
        transaction_id=told.transaction_id,
        subject=_subject(told),
        subject_number=told.subject_number,
        kind=told.kind,
        part=told.part,
        parts=told.parts,
        effective_on=told.effective_on,
        recorded_at=told.recorded_at,
        cause=_command_cause(cause) if isinstance(cause, contract.CommandCause) else cause.entitlement_id,
        transfers=_transfers(told),
        value=leaf,
    )


def _command_cause(told: contract.CommandCause) -> CommandCause:
    return CommandCause(
        told.command_id,
        told.command,
        told.command_hash,
        reservation_id=told.reservation_id,
        booking_key=told.booking_key,
        clears=_clears(told),
        reverses=told.reverses,
    )


def _clears(told: contract.CommandCause) -> tuple[ClearedPart, ...]:
    return tuple(ClearedPart(part.booking_key, part.amount_minor) for part in told.clears)


def _subject(told: LedgerTransaction) -> SubjectKey:
    return SubjectKey(told.subject.kind.value, told.subject.id)


def _transfers(told: LedgerTransaction) -> tuple[TransferDraft, ...]:
    return tuple(
        TransferDraft(
            _account(transfer.debit, transfer.unit),
            _account(transfer.credit, transfer.unit),
            transfer.amount_minor,
            NO_SCOPE if transfer.scope is None else Scope(**transfer.scope.model_dump()),
        )
        for transfer in told.transfers
    )


def _account(told: contract.Account, unit: str) -> AccountKey:
    return AccountKey(told.owner_kind.value, told.owner_id, told.purpose.value, unit)
