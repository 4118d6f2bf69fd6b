"""An order's life: which states follow, and what a payee is told."""

from __future__ import annotations

from schemas.payee_state import PayeeState
from services.payout.domain.order_state import FINAL, FREED, NEXT, PAYEE_STATE, UNSENT, OrderState


def reachable_from(state: OrderState) -> set[OrderState]:
    found: set[OrderState] = set()
    waiting = [state]
    while waiting:
        for following in NEXT[waiting.pop()]:
            if following not in found:
                found.add(following)
                waiting.append(following)
    return found


def test_every_state_is_reached_from_the_first_and_leads_to_an_end() -> None:
    assert reachable_from(OrderState.RESERVING) == set(OrderState) - {OrderState.RESERVING}
    for state in OrderState:
        assert state in FINAL or reachable_from(state) & FINAL


def test_no_state_comes_again() -> None:
    for state in OrderState:
        assert state not in reachable_from(state)


def test_what_may_be_voided_by_us_was_not_handed_to_the_bank() -> None:
    voidable = {state for state in OrderState if OrderState.VOIDING in NEXT[state]}
    assert voidable == UNSENT
    assert OrderState.SENDING not in voidable


def test_only_a_settled_order_is_told_as_transferred() -> None:
    assert [state for state in OrderState if PAYEE_STATE[state] is PayeeState.TRANSFERRED] == [OrderState.SETTLED]


def test_accepted_by_the_bank_is_told_as_sent() -> None:
    assert PAYEE_STATE[OrderState.ACCEPTED] is PayeeState.SENT


def test_a_freed_order_never_takes_its_items_back() -> None:
    assert all(not NEXT[state] for state in FREED)
