"""What two persons decide: opening balances, and corrections of what was posted.

Goal: a mistake is mended by another transaction that names its reason and both persons, and nothing is ever changed.
Method: accounts of one subject against suspense, or a transaction of the subject with debit and credit swapped, each once.
What took from a booking in suspense gives it back when it is reversed.
Refuses: what has steps of its own to be taken back, and would otherwise be counted twice: a premium (its next revision), a
payment (void, return, or a clearing), a booking in suspense (clearing), an attestation; and the account in_transit,
which belongs to reservations.
Source: design, section 6; docs/adr/0016.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from uuid import UUID

import msgspec

from schemas.ledger_words import FINE_GOLD, OutcomeCode, Purpose, TransactionKind
from services.ledger.domain.bookings import against_suspense, take_from_suspense
from services.ledger.domain.books import Books, SuspendedBooking
from services.ledger.domain.command import Command, Correct, CorrectionLine, Open
from services.ledger.domain.decision import CarriedOut, Declined, amount_of, cause_of, draft_of
from services.ledger.domain.transaction import NO_SCOPE, ClearedPart, CommandCause, Scope, TransferDraft

GOLD_DIGITS: Final = 3  # grams with three decimals are whole milligrams
PURPOSES_BY_OWNER_KIND: Final[Mapping[str, frozenset[str]]] = {
    "org": frozenset({Purpose.PAYABLE, Purpose.GOLD}),
    "fund": frozenset({Purpose.PAYABLE}),
    "payer": frozenset({Purpose.RECEIVABLE}),
    "refiner": frozenset({Purpose.GOLD}),
    "programme": frozenset({Purpose.BANK, Purpose.CHARGES, Purpose.FX}),
}
REVERSIBLE: Final = frozenset(
    {
        TransactionKind.RECEIVED,
        TransactionKind.CLEARED,
        TransactionKind.EXCHANGED,
        TransactionKind.OPENED,
        TransactionKind.CORRECTED,
    }
)


def open_balances(books: Books, command: Command, order: Open, minor_digits: Mapping[str, int]) -> CarriedOut | Declined:
    """Accounts of the subject against suspense, as they stood before the ledger began."""
    cause = replace(cause_of(command), authority=order.authority)
    return _by_lines(books, command, order.lines, minor_digits, kind=TransactionKind.OPENED, cause=cause)


def correct(books: Books, command: Command, order: Correct, minor_digits: Mapping[str, int]) -> CarriedOut | Declined:
    """A posted transaction taken back, or accounts of the subject against suspense."""
    cause = replace(cause_of(command), authority=order.authority)
    if order.reverses is not None:
        return _by_reversal(books, command, cause, order.reverses)
    return _by_lines(books, command, order.lines, minor_digits, kind=TransactionKind.CORRECTED, cause=cause)


def _by_lines(
    books: Books,
    command: Command,
    lines: tuple[CorrectionLine, ...],
    minor_digits: Mapping[str, int],
    *,
    kind: TransactionKind,
    cause: CommandCause,
) -> CarriedOut | Declined:
    transfers: list[TransferDraft] = []
    clears: list[ClearedPart] = []
    suspended: dict[str, SuspendedBooking] = {}
    for line in lines:
        amount = _amount(line, minor_digits)
        if isinstance(amount, Declined):
            return amount
        unit = line.account.unit
        if line.booking_key is not None:
            # Suspense is debited for money that had arrived: then the account is credited.
            known = books.suspended | suspended
            booking = take_from_suspense(known, line.booking_key, unit, amount, arrived=not line.is_debit)
            if isinstance(booking, Declined):
                return booking
            suspended[line.booking_key] = booking
            clears.append(ClearedPart(line.booking_key, amount))
        scoped = line.scheme_id is not None or line.payer_id is not None
        scope = Scope(scheme_id=line.scheme_id, payer_id=line.payer_id) if scoped else NO_SCOPE
        transfers += against_suspense(unit, line.account, amount, scope, is_debit=line.is_debit)
    return _carried_out(command, kind, replace(cause, clears=tuple(clears)), tuple(transfers), suspended)


def _amount(line: CorrectionLine, minor_digits: Mapping[str, int]) -> int | Declined:
    owner_kind, _, purpose, unit = line.account
    if purpose == Purpose.SUSPENSE:
        return Declined(OutcomeCode.SAME_ACCOUNT, "suspense is the other side of every line: name the account it is against")
    touchable = PURPOSES_BY_OWNER_KIND[owner_kind]
    if purpose not in touchable:
        message = f"of the kind {owner_kind}, a correction may touch {', '.join(sorted(touchable))}; not {purpose}"
        return Declined(OutcomeCode.UNKNOWN_ACCOUNT, message)
    if (purpose == Purpose.GOLD) != (unit == FINE_GOLD):
        return Declined(OutcomeCode.CURRENCY_MISMATCH, f"accounts of purpose gold, and no others, are in {FINE_GOLD}")
    return amount_of(line.amount, unit, {**minor_digits, FINE_GOLD: GOLD_DIGITS})


def _by_reversal(books: Books, command: Command, cause: CommandCause, transaction_id: UUID) -> CarriedOut | Declined:
    posted = books.posted.get(transaction_id)
    if posted is None or posted.subject != command.subject:
        return Declined(OutcomeCode.UNKNOWN_TRANSACTION, "the subject has no transaction of this id")
    if posted.kind not in REVERSIBLE:
        return Declined(OutcomeCode.NOT_REVERSIBLE, f"what was {posted.kind.value} is taken back by steps of its own")
    if posted.reversed_before:
        return Declined(OutcomeCode.ALREADY_REVERSED, "the transaction was reversed before")
    transfers = tuple(TransferDraft(t.credit, t.debit, t.amount, t.scope) for t in posted.transfers)
    clears = tuple(ClearedPart(part.booking_key, -part.amount) for part in posted.clears)
    suspended: dict[str, SuspendedBooking] = {}
    for part in clears:
        # Taking back what had given a booking back takes from it again, if somebody else has not.
        known = books.suspended | suspended
        booking = take_from_suspense(known, part.booking_key, known[part.booking_key].unit, part.amount, arrived=None)
        if isinstance(booking, Declined):
            return booking
        suspended[part.booking_key] = booking
    cause = replace(cause, reverses=transaction_id, clears=clears)
    return _carried_out(command, TransactionKind.CORRECTED, cause, transfers, suspended)


def _carried_out(
    command: Command,
    kind: TransactionKind,
    cause: CommandCause,
    transfers: tuple[TransferDraft, ...],
    suspended: Mapping[str, SuspendedBooking],
) -> CarriedOut:
    """A payable that is debited makes older views of it stale, as a negative delta of a premium does."""
    takes_back = any(transfer.debit.purpose == Purpose.PAYABLE for transfer in transfers)
    return CarriedOut(
        msgspec.structs.replace(draft_of(command, kind, cause, transfers), takes_back=takes_back), suspended=suspended
    )
