"""Leaves of the ledger that are neither premiums nor payments, as entries of a statement's balance.

Goal: whatever moves what an organization is owed stands in its statement, with the leaf that proves it.
Method: postings on the payee's payable only; an exchange shows in both of its currencies.
"""

from __future__ import annotations

from collections.abc import Iterator

from schemas.ledger_command import Subject
from schemas.ledger_transaction import CommandCause, LedgerTransaction, Transfer
from schemas.ledger_words import Purpose
from schemas.statement import CorrectionEntry, ExchangedEntry
from services.payout.bank.amount import amount_text


def correction_entries(leaf: LedgerTransaction, currency: str) -> list[CorrectionEntry]:
    """What an opening balance or a correction did to the payee in one currency, one entry for each posting."""
    cause = leaf.cause
    assert isinstance(cause, CommandCause), "two persons decide by a command"
    entries = []
    for transfer, amount_minor in _payable(leaf):
        scope = transfer.scope
        assert scope is not None, "a payable is some payer's under some scheme, or the ledger's record was refused"
        if transfer.unit == currency:
            entries.append(
                CorrectionEntry.model_validate(
                    {
                        "on": leaf.effective_on,
                        "amount": amount_text(amount_minor, currency),
                        "leaf_index": leaf.leaf_index,
                        "kind": leaf.kind.value,
                        "reason_code": cause.reason,
                        "scheme_id": scope.scheme_id,
                        "payer_id": scope.payer_id,
                    }
                )
            )
    return entries


def exchange_entries(leaf: LedgerTransaction, currency: str) -> list[ExchangedEntry]:
    """One side of an exchange: none if it was between two other currencies."""
    cause = leaf.cause
    assert isinstance(cause, CommandCause), "an exchange is a command"
    assert cause.rate is not None, "an exchange has a rate"
    sides = {transfer.unit: amount_minor for transfer, amount_minor in _payable(leaf)}
    if currency not in sides:
        return []
    ((other, other_minor),) = ((unit, amount) for unit, amount in sides.items() if unit != currency)
    return [
        ExchangedEntry(
            on=leaf.effective_on,
            amount=amount_text(sides[currency], currency),
            leaf_index=leaf.leaf_index,
            other_currency=other,
            other_amount=amount_text(abs(other_minor), other),
            rate=cause.rate,
        )
    ]


def _payable(leaf: LedgerTransaction) -> Iterator[tuple[Transfer, int]]:
    """Transfers on the payee's payable, with what they add to it."""
    for transfer in leaf.transfers:
        for account, sign in ((transfer.debit, -1), (transfer.credit, 1)):
            if account.purpose is Purpose.PAYABLE and Subject(kind=account.owner_kind, id=account.owner_id) == leaf.subject:
                yield transfer, sign * transfer.amount_minor
