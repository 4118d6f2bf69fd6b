"""Where the money was at a period's end, and that it always adds up."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from schemas.payee_state import PayeeState
from services.payout.domain.closing import OrderProgress, Taking, closing_states
from services.payout.domain.settlement import OpenItem, Payee, Terms

ORG = Payee("org", "ORG-PE-012", "USD")
TERMS = Terms(debtor_currency="USD", minimum_minor={"USD": 10_000}, payable_to=frozenset({("ORG-PE-012", "USD")}))
ON = date(2025, 3, 31)


def item(number: int, amount_minor: int) -> OpenItem:
    return OpenItem((number, 0), ORG, "sbg", "PAY-01", amount_minor, date(2025, 3, 14))


def keys(*numbers: int) -> frozenset[tuple[int, int]]:
    return frozenset((number, 0) for number in numbers)


def test_paid_items_are_transferred_and_leave_nothing() -> None:
    states = closing_states([item(1, 149_808)], [Taking(OrderProgress.TRANSFERRED, keys(1))], on=ON, terms=TERMS)
    assert states.states == {(1, 0): PayeeState.TRANSFERRED}
    closing = states.by_currency["USD"]
    assert (closing.available_minor, closing.on_hold_minor, closing.in_transit_minor) == (0, 0, 0)


def test_less_than_the_minimum_is_carried_over() -> None:
    closing = closing_states([item(1, 5_000)], [], on=ON, terms=TERMS).by_currency["USD"]
    assert (closing.available_minor, closing.carried_over_minor) == (0, 5_000)


def test_without_an_account_the_items_are_on_hold() -> None:
    terms = Terms(debtor_currency="USD", minimum_minor={}, payable_to=frozenset())
    states = closing_states([item(1, 44_822)], [], on=ON, terms=terms)
    assert states.states == {(1, 0): PayeeState.ON_HOLD}
    assert [(hold.code, hold.amount_minor) for hold in states.by_currency["USD"].holds] == [("HOLD_ACCOUNT_MISSING", 44_822)]


def test_a_payment_that_came_back_is_available_again_and_told_as_returned() -> None:
    states = closing_states([item(1, 41_236)], [Taking(OrderProgress.RETURNED, keys(1))], on=ON, terms=TERMS)
    assert states.states == {(1, 0): PayeeState.RETURNED}
    assert states.by_currency["USD"].available_minor == 41_236


def test_a_payment_that_came_back_and_was_sent_again_is_on_its_way() -> None:
    takings = [Taking(OrderProgress.RETURNED, keys(1)), Taking(OrderProgress.SENT, keys(1, 2))]
    states = closing_states([item(1, 41_236), item(2, 10_000)], takings, on=ON, terms=TERMS)
    assert set(states.states.values()) == {PayeeState.SENT}
    assert states.by_currency["USD"].in_transit_minor == 51_236


def test_what_later_premiums_will_recover_is_available_below_zero() -> None:
    assert closing_states([item(1, -390)], [], on=ON, terms=TERMS).by_currency["USD"].available_minor == -390


@given(
    st.lists(st.integers(-50_000, 200_000).filter(bool), max_size=12),
    st.lists(st.tuples(st.sampled_from(OrderProgress), st.frozensets(st.integers(0, 11))), max_size=4),
    st.booleans(),
)
def test_every_item_is_in_one_place(
    amounts: list[int], takings: list[tuple[OrderProgress, frozenset[int]]], has_account: bool
) -> None:
    items = [item(number, amount) for number, amount in enumerate(amounts)]
    terms = Terms("USD", {"USD": 10_000}, TERMS.payable_to if has_account else frozenset())
    taken = [Taking(progress, keys(*numbers)) for progress, numbers in takings]
    states = closing_states(items, taken, on=ON, terms=terms)
    assert states.states.keys() >= {entry.key for entry in items}
    transferred = sum(e.amount_minor for e in items if states.states[e.key] is PayeeState.TRANSFERRED)
    for closing in states.by_currency.values():
        there = closing.available_minor + closing.on_hold_minor + closing.carried_over_minor
        on_the_way = closing.scheduled_minor + closing.in_transit_minor
        assert there + on_the_way + transferred == sum(amounts)
        assert closing.on_hold_minor == sum(hold.amount_minor for hold in closing.holds)
