"""What a booking of the bank means for our books.

Goal: every booking has exactly one meaning, and none is refused: what we cannot explain goes to suspense for a person.
Method: a debit is explained by the attempt whose end-to-end id (or UETR) it names; a credit that names one is money coming
back; another credit is a payer's if it names exactly one payer. Amounts never decide what a booking is, only whether it fits.
Source: design, section 7 and invariant 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from services.payout.domain.order_state import WITH_THE_BANK, OrderState


class SuspendCode(StrEnum):
    """Why nobody could be named for a booking."""

    UNMATCHED_DEBIT = "UNMATCHED_DEBIT"  # money left without an order of ours: alarm
    DEBIT_TWICE = "DEBIT_TWICE"  # the same payment booked again: alarm
    DEBIT_OF_FREED_ORDER = "DEBIT_OF_FREED_ORDER"  # the bank rejected it, or we never sent it, and yet it was booked: alarm
    CURRENCY_DIFFERS = "CURRENCY_DIFFERS"
    RETURN_BEFORE_DEBIT = "RETURN_BEFORE_DEBIT"
    RETURN_TWICE = "RETURN_TWICE"
    RETURN_TOO_LARGE = "RETURN_TOO_LARGE"
    RETURN_UNMATCHED = "RETURN_UNMATCHED"
    PAYER_UNKNOWN = "PAYER_UNKNOWN"
    PAYER_AMBIGUOUS = "PAYER_AMBIGUOUS"
    REFUSED_BY_LEDGER = "REFUSED_BY_LEDGER"  # the ledger would not take it as what we took it for


@dataclass(frozen=True, slots=True)
class Movement:
    """What counts of a booking. `marked_as_return`: the bank says that it is money coming back."""

    is_debit: bool
    amount_minor: int
    currency: str
    marked_as_return: bool


@dataclass(frozen=True, slots=True)
class PaymentOnTheWay:
    """The order behind the end-to-end id that a booking names."""

    state: OrderState
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class SettleOrder:
    """The payment was booked. `difference_minor`: booked more (positive) or less than ordered; it goes to suspense."""

    difference_minor: int


@dataclass(frozen=True, slots=True)
class ReturnOrder:
    """The payment came back, less what the banks kept."""

    credited_minor: int
    charges_minor: int


@dataclass(frozen=True, slots=True)
class ReceiveFrom:
    """A payer's money arrived."""

    payer_id: str


@dataclass(frozen=True, slots=True)
class SuspendBooking:
    """Nobody can be named: a person clears it."""

    code: SuspendCode


Meaning = SettleOrder | ReturnOrder | ReceiveFrom | SuspendBooking

_BOOKED_ONCE = frozenset({OrderState.BOOKED, OrderState.SETTLED, OrderState.RETURNING, OrderState.RETURNED})


def meaning_of(movement: Movement, payment: PaymentOnTheWay | None, named_payers: tuple[str, ...]) -> Meaning:
    """What the booking means. `named_payers`: the payers that its references name, for a credit without a payment of ours."""
    if movement.is_debit:
        return _debit(movement, payment)
    if payment is not None:
        return _coming_back(movement, payment)
    if movement.marked_as_return:
        return SuspendBooking(SuspendCode.RETURN_UNMATCHED)
    if len(named_payers) == 1:
        return ReceiveFrom(named_payers[0])
    return SuspendBooking(SuspendCode.PAYER_AMBIGUOUS if named_payers else SuspendCode.PAYER_UNKNOWN)


def _debit(movement: Movement, payment: PaymentOnTheWay | None) -> Meaning:
    if payment is None:
        return SuspendBooking(SuspendCode.UNMATCHED_DEBIT)
    if payment.state in _BOOKED_ONCE:
        return SuspendBooking(SuspendCode.DEBIT_TWICE)
    if payment.state not in WITH_THE_BANK:
        return SuspendBooking(SuspendCode.DEBIT_OF_FREED_ORDER)
    if movement.currency != payment.currency:
        return SuspendBooking(SuspendCode.CURRENCY_DIFFERS)
    return SettleOrder(movement.amount_minor - payment.amount_minor)


def _coming_back(movement: Movement, payment: PaymentOnTheWay) -> Meaning:
    if payment.state in {OrderState.RETURNING, OrderState.RETURNED}:
        return SuspendBooking(SuspendCode.RETURN_TWICE)
    if payment.state not in {OrderState.BOOKED, OrderState.SETTLED}:
        return SuspendBooking(SuspendCode.RETURN_BEFORE_DEBIT)
    if movement.currency != payment.currency:
        return SuspendBooking(SuspendCode.CURRENCY_DIFFERS)
    if movement.amount_minor > payment.amount_minor:
        return SuspendBooking(SuspendCode.RETURN_TOO_LARGE)
    return ReturnOrder(movement.amount_minor, payment.amount_minor - movement.amount_minor)
