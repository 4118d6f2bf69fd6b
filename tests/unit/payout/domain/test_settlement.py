"""What a cycle pays, holds and carries over: rules as examples and as properties of any open items."""

from __future__ import annotations

from collections import Counter
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from services.payout.domain.settlement import (
    CarriedOver,
    CarryCode,
    Held,
    HoldCode,
    OpenItem,
    Ordered,
    Payee,
    Result,
    Terms,
    settle,
)

ON = date(2025, 3, 27)
ORG = Payee("org", "ORG-PE-012", "USD")
TERMS = Terms(debtor_currency="USD", minimum_minor={"USD": 10_000}, payable_to=frozenset({("ORG-PE-012", "USD")}))
NO_MINIMUM = Terms(debtor_currency="USD", minimum_minor={}, payable_to=TERMS.payable_to)


def item(
    number: int,
    amount_minor: int,
    *,
    scheme: str = "sbg",
    payer: str = "PAY-01",
    payee: Payee = ORG,
    on: date = date(2025, 3, 14),
) -> OpenItem:
    return OpenItem((number, 0), payee, scheme, payer, amount_minor, on)


def settled(*items: OpenItem, terms: Terms = TERMS) -> list[Result]:
    return settle(items, on=ON, terms=terms)


def test_items_of_one_scheme_and_payer_become_one_part() -> None:
    (order,) = settled(item(1, 134_858), item(2, 14_950))
    assert isinstance(order, Ordered)
    assert [(part.scheme_id, part.payer_id, part.amount_minor) for part in order.parts] == [("sbg", "PAY-01", 149_808)]


def test_a_correction_is_netted_within_its_scheme_and_payer() -> None:
    (order,) = settled(item(1, 149_808), item(2, -214))
    assert order.amount_minor == 149_594


def test_one_payers_correction_is_not_taken_from_another_payers_premium() -> None:
    # 1,000.00, 150.00 and 500.00 from PAY-01, and PAY-02 has 200.00 to recover: the ledger has 1,450.00 as payable. The
    # smallest item that is enough waits.
    results = settled(item(1, 100_000), item(2, 15_000), item(3, 50_000), item(4, -20_000, payer="PAY-02"))
    assert [(type(result), result.amount_minor) for result in results] == [
        (Ordered, 115_000),
        (CarriedOver, 50_000),
        (CarriedOver, -20_000),
    ]
    assert [result.code for result in results[1:] if isinstance(result, CarriedOver)] == [
        CarryCode.PAYABLE_LIMIT,
        CarryCode.NET_NEGATIVE,
    ]


def test_nothing_is_payable_where_corrections_exceed_all_premiums() -> None:
    results = settled(item(1, 20_000), item(2, -50_000, payer="PAY-02"))
    assert results == [
        CarriedOver(ORG, 20_000, CarryCode.PAYABLE_LIMIT),
        CarriedOver(ORG, -50_000, CarryCode.NET_NEGATIVE),
    ]


def test_a_group_below_zero_waits_for_later_premiums() -> None:
    assert settled(item(1, -500)) == [CarriedOver(ORG, -500, CarryCode.NET_NEGATIVE)]


def test_less_than_the_minimum_is_carried_over_and_exactly_the_minimum_is_paid() -> None:
    assert settled(item(1, 9_999)) == [CarriedOver(ORG, 9_999, CarryCode.BELOW_MINIMUM)]
    assert isinstance(settled(item(1, 10_000))[0], Ordered)


def test_without_a_verified_account_the_money_is_held_whatever_its_amount() -> None:
    other = Payee("org", "ORG-CO-058", "USD")
    assert settled(item(1, 5, payee=other)) == [Held(other, 5, HoldCode.HOLD_ACCOUNT_MISSING)]


def test_another_currency_than_the_programmes_waits_for_a_rate() -> None:
    bolivianos = Payee("org", "ORG-PE-012", "BOB")
    terms = Terms(debtor_currency="USD", minimum_minor={}, payable_to=frozenset({("ORG-PE-012", "BOB")}))
    assert settled(item(1, 70_000, payee=bolivianos), terms=terms) == [Held(bolivianos, 70_000, HoldCode.HOLD_RATE_MISSING)]


def test_what_takes_effect_after_the_business_date_is_left_for_the_next_cycle() -> None:
    assert settled(item(1, 149_808, on=date(2025, 3, 28))) == []


def test_a_later_correction_that_is_known_already_is_not_paid_out_before_it_is_netted() -> None:
    # The ledger counts it: reserving all of the due 1,498.08 would be refused.
    (result,) = settled(item(1, 149_808), item(2, -10_000, on=date(2025, 3, 28)))
    assert result == CarriedOver(ORG, 149_808, CarryCode.PAYABLE_LIMIT)


def test_more_pairs_than_one_reserve_takes_leave_the_rest_for_the_next_cycle() -> None:
    results = settled(*(item(number, 1_000, payer=f"PAY-{number:03}") for number in range(1, 204)), terms=NO_MINIMUM)
    assert results[0].amount_minor == 200_000
    assert results[1] == CarriedOver(ORG, 3_000, CarryCode.PARTS_LIMIT)


amounts = st.integers(-300_000, 300_000).filter(bool)
payees = st.sampled_from(
    [ORG, Payee("fund", "FUND-PE-01", "USD"), Payee("org", "ORG-CO-058", "USD"), Payee("org", "ORG-PE-012", "BOB")]
)


@st.composite
def open_items(draw: st.DrawFn) -> list[OpenItem]:
    rows = draw(
        st.lists(
            st.tuples(
                amounts,
                st.sampled_from(["sbg", "fairmined"]),
                st.sampled_from(["PAY-01", "PAY-02", "PAY-03"]),
                payees,
                st.sampled_from([date(2025, 3, 14), ON, date(2025, 4, 1)]),
            ),
            max_size=40,
        )
    )
    return [
        item(number, amount, scheme=scheme, payer=payer, payee=payee, on=on)
        for number, (amount, scheme, payer, payee, on) in enumerate(rows)
    ]


terms_drawn = st.builds(
    Terms,
    debtor_currency=st.just("USD"),
    minimum_minor=st.sampled_from([{}, {"USD": 10_000}, {"USD": 250_000}]),
    payable_to=st.sampled_from(
        [frozenset(), frozenset({("ORG-PE-012", "USD")}), frozenset({("ORG-PE-012", "USD"), ("FUND-PE-01", "USD")})]
    ),
)


@given(open_items(), terms_drawn)
def test_what_is_netted_stays_within_one_scheme_and_payer(items: list[OpenItem], terms: Terms) -> None:
    for result in settle(items, on=ON, terms=terms):
        if isinstance(result, Ordered):
            for part in result.parts:
                assert {(entry.scheme_id, entry.payer_id, entry.payee) for entry in part.items} == {
                    (part.scheme_id, part.payer_id, result.payee)
                }
                assert part.amount_minor == sum(entry.amount_minor for entry in part.items) > 0
            pairs = [(part.scheme_id, part.payer_id) for part in result.parts]
            assert len(pairs) == len(set(pairs))


@given(open_items(), terms_drawn)
def test_every_due_cent_is_in_exactly_one_result(items: list[OpenItem], terms: Terms) -> None:
    results = settle(items, on=ON, terms=terms)
    due: Counter[Payee] = Counter()
    decided: Counter[Payee] = Counter()
    for entry in items:
        if entry.effective_on <= ON:
            due[entry.payee] += entry.amount_minor
    for result in results:
        decided[result.payee] += result.amount_minor
    assert {payee: amount for payee, amount in due.items() if amount} == {
        payee: amount for payee, amount in decided.items() if amount
    }


@given(open_items(), terms_drawn)
def test_no_order_exceeds_what_the_ledger_has_as_payable_and_no_item_is_taken_twice(
    items: list[OpenItem], terms: Terms
) -> None:
    taken: list[tuple[int, int]] = []
    for result in settle(items, on=ON, terms=terms):
        if isinstance(result, Ordered):
            payable = sum(entry.amount_minor for entry in items if entry.payee == result.payee)
            assert 0 < result.amount_minor <= payable
            assert result.amount_minor == sum(part.amount_minor for part in result.parts)
            assert result.amount_minor >= terms.minimum_minor.get(result.payee.currency, 1)
            taken += [entry.key for part in result.parts for entry in part.items]
    assert len(taken) == len(set(taken))


@given(open_items(), terms_drawn, st.randoms())
def test_the_order_of_items_changes_nothing(items: list[OpenItem], terms: Terms, random: object) -> None:
    shuffled = list(items)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis' Random
    assert settle(shuffled, on=ON, terms=terms) == settle(items, on=ON, terms=terms)


@given(open_items())
def test_only_verified_accounts_in_the_programmes_currency_are_paid(items: list[OpenItem]) -> None:
    for result in settle(items, on=ON, terms=TERMS):
        if isinstance(result, Ordered):
            assert result.payee == ORG
