"""Decide what becomes of one command.

Goal: every command gets exactly one outcome with a stable code; a refused one changes nothing.
Method: a command that is known by its id is answered as before, or CONFLICTING_PAYLOAD if its content differs. What its kind
asks for is decided in payments, bookings, exchange and corrections.
Refuses: every code of OutcomeCode but POSTED and SCHEMA_INVALID (the latter is found when reading).
Source: design, section 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

import msgspec

from schemas.ledger_words import OutcomeCode, TransactionKind
from services.ledger.domain.bookings import clear, receive, suspend
from services.ledger.domain.books import Books
from services.ledger.domain.command import (
    Attest,
    Clear,
    Command,
    Correct,
    Exchange,
    Open,
    Receive,
    Reserve,
    Return,
    Settle,
    Suspend,
    Void,
)
from services.ledger.domain.corrections import correct, open_balances
from services.ledger.domain.decision import (
    AnsweredBefore,
    CarriedOut,
    CommandDecision,
    Conflicting,
    Declined,
    Recovered,
    cause_of,
    draft_of,
)
from services.ledger.domain.exchange import exchange
from services.ledger.domain.payments import give_back, reserve, settle, void
from services.ledger.domain.transaction import Attestation


def carry_out_command(books: Books, command: Command, minor_digits: Mapping[str, int]) -> CommandDecision:
    """Decide; the books are not changed. `minor_digits` are the digits after the point of every known currency."""
    answered = books.commands.get(command.command_id)
    if answered is not None:
        if answered.command_hash == command.command_hash:
            return AnsweredBefore(answered)
        return Conflicting("this command id came before with other content: every command needs an id of its own")
    recovered = books.recovered_outcomes.get((command.command_id, command.command_hash))
    if recovered is not None:
        if recovered.code == OutcomeCode.CONFLICTING_PAYLOAD:  # the id belongs to the command that is yet to come again
            return Conflicting(recovered.message or "")
        return Recovered(recovered)
    decision = _decide(books, command, minor_digits)
    if isinstance(decision, CarriedOut) and books.would_overflow(decision.draft.transfers):
        return Declined(OutcomeCode.AMOUNT_OVERFLOW, "a balance would grow beyond what the ledger can hold")
    return decision


def enter(books: Books, carried_out: CarriedOut) -> None:
    """Enter what was carried out into the books, for the records after it."""
    books.post(carried_out.draft.transfers)
    if carried_out.reservation is not None:
        reservation_id, reservation = carried_out.reservation
        books.reservations[reservation_id] = reservation
    if carried_out.booking_key is not None:
        books.bookings.add(carried_out.booking_key)
    books.suspended.update(carried_out.suspended)
    reversed_id = carried_out.draft.reverses
    if reversed_id is not None:
        books.posted[reversed_id] = replace(books.posted[reversed_id], reversed_before=True)


def _decide(books: Books, command: Command, minor_digits: Mapping[str, int]) -> CarriedOut | Declined:  # noqa: PLR0911  one for each kind
    match command.order:
        case Reserve() as order:
            return reserve(books, command, order, minor_digits)
        case Settle() as order:
            return settle(books, command, order)
        case Void() as order:
            return void(books, command, order)
        case Return() as order:
            return give_back(books, command, order, minor_digits)
        case Receive() as order:
            return receive(books, command, order, minor_digits)
        case Suspend() as order:
            return suspend(books, command, order, minor_digits)
        case Clear() as order:
            return clear(books, command, order, minor_digits)
        case Exchange() as order:
            return exchange(books, command, order, minor_digits)
        case Open() as order:
            return open_balances(books, command, order, minor_digits)
        case Correct() as order:
            return correct(books, command, order, minor_digits)
        case Attest() as order:
            draft = draft_of(command, TransactionKind.ATTESTED, cause_of(command), ())
            return CarriedOut(msgspec.structs.replace(draft, attestation=Attestation(order.attestation, order.sha256)))
        case _ as unknown:
            assert_never(unknown)
