"""One currency sold for another, at a rate that stays on record.

Goal: an exchange that anybody can redo: bought is sold times rate, rounded half-even to the bought currency's minor unit.
Method: two transfers of one transaction, each in its own currency, over the programme's accounts fx. What the programme
promised in one currency and holds in another stands there until it is bought at the bank.
Refuses: AMOUNT_INVALID, AMOUNT_OVERFLOW, CURRENCY_MISMATCH; for a payable also what a reserve is refused for.
Source: design, section 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import msgspec

from schemas.fixed_point import FRACTION_DIGITS_MAX, quotient_half_even, scaled_e12
from schemas.ledger_words import OutcomeCode, TransactionKind
from services.ledger.domain.account import bank, fx, payable
from services.ledger.domain.books import Books
from services.ledger.domain.command import Command, Exchange, PayableMoney
from services.ledger.domain.decision import CarriedOut, Declined, amount_of, cause_of, draft_of, spendable
from services.ledger.domain.transaction import NO_SCOPE, Scope, TransferDraft

_ONE_E12: Final = 10**FRACTION_DIGITS_MAX


def exchange(books: Books, command: Command, order: Exchange, minor_digits: Mapping[str, int]) -> CarriedOut | Declined:
    """The bank's money, or a payable, from one currency into another."""
    amounts = _amounts(order, minor_digits)
    if isinstance(amounts, Declined):
        return amounts
    sold, bought = amounts
    cause = replace(cause_of(command), rate=order.rate)
    if not isinstance(order.of, PayableMoney):
        transfers = (
            TransferDraft(fx(order.sold_unit), bank(order.sold_unit), sold, NO_SCOPE),
            TransferDraft(bank(order.bought_unit), fx(order.bought_unit), bought, NO_SCOPE),
        )
        return CarriedOut(draft_of(command, TransactionKind.EXCHANGED, cause, transfers))
    source, target = payable(command.subject, order.sold_unit), payable(command.subject, order.bought_unit)
    declined = spendable(books, command, source, sold, order.of.seen_subject_number)
    if declined is not None:
        return declined
    scope = Scope(scheme_id=order.of.scheme_id, payer_id=order.of.payer_id)
    transfers = (
        TransferDraft(source, fx(order.sold_unit), sold, scope),
        TransferDraft(fx(order.bought_unit), target, bought, scope),
    )
    return CarriedOut(msgspec.structs.replace(draft_of(command, TransactionKind.EXCHANGED, cause, transfers), takes_back=True))


def _amounts(order: Exchange, minor_digits: Mapping[str, int]) -> tuple[int, int] | Declined:
    """What is sold and bought, in minor units."""
    sold = amount_of(order.sold, order.sold_unit, minor_digits)
    if isinstance(sold, Declined):
        return sold
    bought = amount_of(order.bought, order.bought_unit, minor_digits)
    if isinstance(bought, Declined):
        return bought
    if order.sold_unit == order.bought_unit:
        return Declined(OutcomeCode.CURRENCY_MISMATCH, "an exchange is between two currencies")
    expected = bought_minor(sold, order.rate.value, minor_digits[order.sold_unit], minor_digits[order.bought_unit])
    if bought != expected:
        return Declined(
            OutcomeCode.AMOUNT_INVALID,
            f"{order.sold} {order.sold_unit} at {order.rate.value} buy {expected} minor units of {order.bought_unit}",
        )
    return sold, bought


def bought_minor(sold_minor: int, rate: str, sold_digits: int, bought_digits: int) -> int:
    """Minor units of the bought currency for `sold_minor` of the sold one, whose whole unit costs `rate` whole units."""
    return quotient_half_even(sold_minor * scaled_e12(rate) * 10**bought_digits, _ONE_E12 * 10**sold_digits)
