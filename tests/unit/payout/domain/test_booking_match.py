"""What a booking means: every case, and that none is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payout.domain.booking_match import (
    Movement,
    PaymentOnTheWay,
    ReceiveFrom,
    ReturnOrder,
    SettleOrder,
    SuspendBooking,
    SuspendCode,
    meaning_of,
)
from services.payout.domain.order_state import OrderState

DEBIT = Movement(is_debit=True, amount_minor=41_236, currency="USD", marked_as_return=False)
CREDIT = Movement(is_debit=False, amount_minor=41_236, currency="USD", marked_as_return=False)


def payment(state: OrderState) -> PaymentOnTheWay:
    return PaymentOnTheWay(state, 41_236, "USD")


@pytest.mark.parametrize("state", [OrderState.SENT, OrderState.ACCEPTED])
def test_a_debit_with_our_reference_settles_what_the_bank_has(state: OrderState) -> None:
    assert meaning_of(DEBIT, payment(state), ()) == SettleOrder(0)


def test_a_debit_of_another_amount_settles_and_the_difference_is_named() -> None:
    more = Movement(is_debit=True, amount_minor=42_736, currency="USD", marked_as_return=False)
    assert meaning_of(more, payment(OrderState.SENT), ()) == SettleOrder(1_500)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (OrderState.BOOKED, SuspendCode.DEBIT_TWICE),
        (OrderState.SETTLED, SuspendCode.DEBIT_TWICE),
        (OrderState.RETURNED, SuspendCode.DEBIT_TWICE),
        (OrderState.REJECTED, SuspendCode.DEBIT_OF_FREED_ORDER),
        (OrderState.VOIDED, SuspendCode.DEBIT_OF_FREED_ORDER),
        (OrderState.RESERVED, SuspendCode.DEBIT_OF_FREED_ORDER),
    ],
)
def test_a_debit_that_cannot_be_right_goes_to_suspense(state: OrderState, code: SuspendCode) -> None:
    assert meaning_of(DEBIT, payment(state), ()) == SuspendBooking(code)


def test_a_debit_without_our_reference_is_an_alarm() -> None:
    assert meaning_of(DEBIT, None, ("PAY-01",)) == SuspendBooking(SuspendCode.UNMATCHED_DEBIT)


@pytest.mark.parametrize("marked", [True, False])
def test_a_credit_with_our_reference_is_money_coming_back_less_what_the_banks_kept(marked: bool) -> None:
    credit = Movement(is_debit=False, amount_minor=38_736, currency="USD", marked_as_return=marked)
    assert meaning_of(credit, payment(OrderState.SETTLED), ("PAY-01",)) == ReturnOrder(38_736, 2_500)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (OrderState.SENT, SuspendCode.RETURN_BEFORE_DEBIT),
        (OrderState.RETURNING, SuspendCode.RETURN_TWICE),
        (OrderState.RETURNED, SuspendCode.RETURN_TWICE),
    ],
)
def test_a_return_out_of_turn_goes_to_suspense(state: OrderState, code: SuspendCode) -> None:
    assert meaning_of(CREDIT, payment(state), ()) == SuspendBooking(code)


def test_more_than_was_sent_cannot_come_back() -> None:
    credit = Movement(is_debit=False, amount_minor=41_237, currency="USD", marked_as_return=True)
    assert meaning_of(credit, payment(OrderState.SETTLED), ()) == SuspendBooking(SuspendCode.RETURN_TOO_LARGE)


def test_another_currency_than_ordered_is_a_persons_business() -> None:
    debit = Movement(is_debit=True, amount_minor=41_236, currency="CHF", marked_as_return=False)
    assert meaning_of(debit, payment(OrderState.SENT), ()) == SuspendBooking(SuspendCode.CURRENCY_DIFFERS)


def test_a_credit_that_names_one_payer_is_its_money() -> None:
    assert meaning_of(CREDIT, None, ("PAY-01",)) == ReceiveFrom("PAY-01")


@pytest.mark.parametrize(
    ("payers", "code"),
    [((), SuspendCode.PAYER_UNKNOWN), (("PAY-01", "PAY-02"), SuspendCode.PAYER_AMBIGUOUS)],
)
def test_a_credit_that_names_no_payer_or_several_goes_to_suspense(payers: tuple[str, ...], code: SuspendCode) -> None:
    assert meaning_of(CREDIT, None, payers) == SuspendBooking(code)


def test_a_marked_return_without_our_reference_is_never_taken_for_a_payers_money() -> None:
    credit = Movement(is_debit=False, amount_minor=41_236, currency="USD", marked_as_return=True)
    assert meaning_of(credit, None, ("PAY-01",)) == SuspendBooking(SuspendCode.RETURN_UNMATCHED)


@given(
    st.builds(
        Movement,
        is_debit=st.booleans(),
        amount_minor=st.integers(1, 10**12),
        currency=st.sampled_from(["USD", "CHF"]),
        marked_as_return=st.booleans(),
    ),
    st.none() | st.builds(PaymentOnTheWay, st.sampled_from(OrderState), st.integers(1, 10**12), st.just("USD")),
    st.lists(st.sampled_from(["PAY-01", "PAY-02"]), unique=True).map(tuple),
)
def test_every_booking_has_a_meaning_and_money_is_conserved(
    movement: Movement, on_the_way: PaymentOnTheWay | None, payers: tuple[str, ...]
) -> None:
    meaning = meaning_of(movement, on_the_way, payers)
    if isinstance(meaning, SettleOrder):
        assert movement.is_debit
        assert on_the_way is not None
        assert on_the_way.amount_minor + meaning.difference_minor == movement.amount_minor
    if isinstance(meaning, ReturnOrder):
        assert not movement.is_debit
        assert on_the_way is not None
        assert meaning.credited_minor + meaning.charges_minor == on_the_way.amount_minor
        assert meaning.credited_minor == movement.amount_minor
        assert meaning.charges_minor >= 0
