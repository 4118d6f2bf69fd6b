"""Bundles of statements, lots and payouts: what is proven, and every way in which one can be wrong."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from copy import deepcopy
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger_story import EUR, USD, Json, Story, canonical, end_to_end_id, order_id, reservation_id
from tests.unit.verifier.stories import KEYS, LOG, ORG, OTHER, WITNESS, TwoMonths, two_months
from verifier.bundle import open_bundle, write_bundle
from verifier.deviation import Deviation, DeviationCode
from verifier.findings import Findings
from verifier.lot import verify_lot
from verifier.payout import verify_payout
from verifier.statement import verify_statement

CHECKS: dict[str, Callable[..., Findings]] = {"statement": verify_statement, "lot": verify_lot, "payout": verify_payout}
GOOD = two_months()


def verified(bundle: Json | bytes) -> Findings:
    content = bundle if isinstance(bundle, bytes) else canonical(bundle)
    kind = "statement" if isinstance(bundle, bytes) else bundle["about"]["kind"]
    return CHECKS[kind](open_bundle(content, KEYS, kind))


def deviation(bundle: Json | bytes) -> Deviation:
    with pytest.raises(Deviation) as found:
        verified(bundle)
    return found.value


def issued(change: Callable[[Json], object]) -> Json:
    """A bundle with another statement of April, which the ledger has put on record as it is."""
    told = deepcopy(GOOD)
    change(told.april)
    told.record(told.april)
    return told.bundle()


# --- statements -------------------------------------------------------------------------------------------------------


def test_a_statement_is_proven_from_its_leaves_with_all_its_sums() -> None:
    found = verified(GOOD.bundle())
    words = " ".join(found.proven)
    assert found.about.startswith("Statement 0002-2025-04 of Asociación Minera Ejemplo (org ORG-PE-012)")
    assert (
        "Opening USD 400.00 + premiums USD 1,498.08 + adjustments USD -3.90 - deducted USD 0.00 - transferred USD 1,000.00"
        " + returned USD 0.00 = closing USD 894.18"
    ) in words
    assert "All 16 leaves of the payee" in words
    assert "witness.example.org signed at" in words
    assert "0001-2025-03" in words


def test_a_first_statement_needs_no_other_and_opens_with_nothing() -> None:
    told = deepcopy(GOOD)
    record = next(leaf["leaf_index"] for leaf in told.story.told if leaf["kind"] == "attested")
    of = lambda leaf: leaf["subject"]["id"] == "ORG-PE-012" and leaf["leaf_index"] <= record  # noqa: E731
    bundle = told.story.bundle({"kind": "statement"}, (LOG, WITNESS), of, statement=told.march)
    assert "Opening USD 0.00 + premiums USD 843.02" in " ".join(verified(bundle).proven)


def test_without_the_previous_statement_it_is_said_what_rests_on_it() -> None:
    found = verified(GOOD.bundle(with_previous=False))
    assert any("previous statement is not in the bundle" in sentence for sentence in found.not_proven)
    assert not any("previous statement is not" in sentence for sentence in verified(GOOD.bundle()).not_proven)


@pytest.mark.parametrize("with_previous", [True, False])
@pytest.mark.parametrize(
    ("path", "value", "code", "place"),
    [
        ("postings.1.lines.0.amount", "1498.09", "STATEMENT_LINE_WRONG", "lines 1"),
        ("postings.1.lines.0.posted", "149.51", "STATEMENT_LINE_WRONG", "lines 1"),
        ("postings.0.lines.0.eligible", 1, "STATEMENT_LINE_WRONG", "lines 1"),
        ("postings.0.lines.0.counts_as", "adjustment", "STATEMENT_LINE_WRONG", "lines 1"),
        ("postings.0.own_fine_weight_g", "2140.600", "STATEMENT_LINE_WRONG", "postings 1"),
        ("postings.0.lot_id", "PE-0124", "STATEMENT_LINE_WRONG", "postings 1"),
        ("postings.0.documents.0.number", "0001-004513", "STATEMENT_LINE_WRONG", "postings 1"),
        ("postings.0.effective_on", "2025-04-15", "STATEMENT_LINE_WRONG", "postings 1"),
        ("postings.1.leaf_index", 7, "STATEMENT_LINE_WRONG", "postings 2"),
        ("postings.1.leaf_index", 0, "STATEMENT_LINE_WRONG", "postings 2"),
        ("postings.1.leaf_index", 99, "STATEMENT_LINE_WRONG", "postings 2"),
        ("balances.0.transfers.0.amount", "1000.01", "STATEMENT_LINE_WRONG", "transfers 1"),
        ("balances.0.transfers.0.on", "2025-04-29", "STATEMENT_LINE_WRONG", "transfers 1"),
        ("balances.0.transfers.0.order_id", order_id(3), "STATEMENT_LINE_WRONG", "transfers 1"),
        ("balances.0.transfers.0.end_to_end_id", "0" * 32, "STATEMENT_LINE_WRONG", "transfers 1"),
        ("balances.0.opening", "0.01", "STATEMENT_SUM_WRONG", "USD"),
        ("balances.0.premiums", "1498.09", "STATEMENT_SUM_WRONG", "USD"),
        ("balances.0.adjustments", "3.90", "STATEMENT_SUM_WRONG", "USD"),
        ("balances.0.deducted", "0.01", "STATEMENT_SUM_WRONG", "USD"),
        ("balances.0.transferred", "999.99", "STATEMENT_SUM_WRONG", "USD"),
        ("balances.0.closing", "894.19", "STATEMENT_SUM_WRONG", "USD"),
        ("balances.0.ledger_payable", "894.19", "STATEMENT_SUM_WRONG", "USD"),
        ("balances.0.ledger_in_transit", "0.01", "STATEMENT_SUM_WRONG", "USD"),
        ("balances.0.breakdown.on_hold", "0.01", "STATEMENT_SUM_WRONG", "USD"),
        ("balances.0.premiums_year_to_date", "0.00", "STATEMENT_SUM_WRONG", "USD"),
        ("balances.0.transferred_year_to_date", "1000.00", "STATEMENT_SUM_WRONG", "USD"),
        ("balances.0.closing", "894.180", "STATEMENT_MALFORMED", "balances 1"),
        ("balances.0.closing", 89418, "STATEMENT_MALFORMED", "balances 1"),
        ("fine_weight_year_to_date_g", "0.000", "STATEMENT_SUM_WRONG", "the statement"),
        ("number", 3, "STATEMENT_NOT_ATTESTED", "the statement"),
        ("tree_size", 99, "STATEMENT_MALFORMED", "the statement"),
        ("year", 2024, "STATEMENT_MALFORMED", "the statement"),
        ("period_to", "2025-03-31", "STATEMENT_MALFORMED", "the statement"),
        ("period_to", "2025-13-01", "STATEMENT_MALFORMED", "the statement"),
        ("payee.id", "ORG-PE-013", "BUNDLE_MALFORMED", "leaf 0"),
    ],
)
def test_a_statement_that_was_issued_wrong_is_caught_at_its_line_or_sum(
    path: str, value: Any, code: str, place: str, *, with_previous: bool
) -> None:
    def change(statement: Json) -> None:
        *parents, last = path.split(".")
        at: Any = statement
        for name in parents:
            at = at[int(name)] if name.isdigit() else at[name]
        assert at[last] is not value
        at[last] = value

    bundle = issued(change)
    if not with_previous:
        del bundle["previous_statement"]
    found = deviation(bundle)
    assert found.code == code
    assert place in found.place


def test_a_posting_that_is_left_out_is_missed_whatever_the_sums_say() -> None:
    def leave_out(statement: Json) -> None:
        left_out = statement["postings"].pop(1)
        posted = left_out["lines"][0]["posted"]
        assert posted == "149.50"
        balance = statement["balances"][0]
        balance["premiums"], balance["opening"] = "1348.58", "549.50"

    bundle = issued(leave_out)
    assert (deviation(bundle).code, deviation(bundle).place) == (DeviationCode.STATEMENT_SUM_WRONG, "the balance in USD")
    del bundle["previous_statement"]
    found = deviation(bundle)
    assert (found.code, found.place) == (DeviationCode.POSTING_LEFT_OUT, "leaf 10")


def test_a_statement_before_cannot_have_covered_what_came_after_it_was_recorded() -> None:
    told = two_months(lambda story: story.premium(ORG, "PE-0099", "2025-03-15", amount=777, milligrams=10_000))
    left_out = next(posting for posting in told.april["postings"] if posting["lot_id"] == "PE-0099")
    told.april["postings"].remove(left_out)
    (balance,) = told.april["balances"]
    balance["premiums"], balance["opening"] = "1490.31", "407.77"
    told.record(told.april)
    assert deviation(told.bundle()).code is DeviationCode.STATEMENT_SUM_WRONG
    # Whoever issues statements could say that March had covered it, and closed with it.
    told.march["tree_size"], told.march["balances"][0]["closing"] = 1_000, "407.77"
    record = next(leaf for leaf in told.story.told if leaf["kind"] == "attested")
    record["attestation"]["sha256"] = sha256(canonical(told.march)).hexdigest()
    found = deviation(told.bundle())
    assert (found.code, found.place) == (DeviationCode.STATEMENT_MALFORMED, "the previous statement")
    assert "made at 1000 leaves, but recorded as leaf 8" in found.message


@pytest.mark.parametrize("effective_on", ["2025-04-30", "9998-12-31"])
def test_what_is_in_the_bundle_and_not_in_the_statement_is_told_of(effective_on: str) -> None:
    told = deepcopy(GOOD)
    made_at = told.april["tree_size"]
    told.story.told[made_at]["effective_on"] = effective_on
    found = verified(told.bundle())
    assert any(f"left out that the log had when it was made, at {made_at} leaves" in words for words in found.proven)
    assert any(f"What 1 leaf changed, beginning with leaf {made_at} of {effective_on}" in words for words in found.not_proven)
    for moving in ("lines", "gold", "transfers"):
        del told.story.told[made_at][moving]
    told.story.told[made_at]["kind"] = "attested"
    assert not any("changed, beginning with" in words for words in verified(told.bundle()).not_proven)


@pytest.mark.parametrize(
    ("list_name", "taken"), [("transfers", ("transferred", "1000.00")), ("postings", ("adjustments", "-3.90"))]
)
def test_a_payment_or_a_posting_is_not_told_as_a_deduction(list_name: str, taken: tuple[str, str]) -> None:
    def change(statement: Json) -> None:
        (balance,) = statement["balances"]
        name, figure = taken
        assert balance[name] == figure
        lists = statement if list_name == "postings" else balance
        entry = lists[list_name].pop()
        on, amount = entry.get("on", entry.get("effective_on")), figure.removeprefix("-")
        balance[name], balance["deducted"] = "0.00", amount
        balance["deductions"] = [{"on": on, "amount": amount, "reason": "aporte", "leaf_index": entry["leaf_index"]}]

    found = deviation(issued(change))
    assert found.code is DeviationCode.STATEMENT_LINE_WRONG
    assert "which is no deduction" in found.message


def test_what_took_effect_before_the_period_but_was_recorded_after_the_last_statement_belongs_to_it() -> None:
    def late(story: Story) -> None:
        story.premium(ORG, "PE-0099", "2025-03-15", amount=700, milligrams=10_000)

    told = two_months(late)
    assert "premiums USD 1,505.08" in " ".join(verified(told.bundle()).proven)
    with_late = told.april["postings"].pop()
    assert with_late["effective_on"] == "2025-03-15"
    told.record(told.april)
    assert deviation(told.bundle()).code is DeviationCode.POSTING_LEFT_OUT
    assert deviation(told.bundle(with_previous=False)).code is DeviationCode.POSTING_LEFT_OUT


def test_what_an_earlier_statement_named_is_not_named_again() -> None:
    def twice(statement: Json) -> None:
        statement["postings"].append(deepcopy(GOOD.march["postings"][0]))
        balance = statement["balances"][0]
        balance["opening"], balance["premiums"] = "-443.02", "2341.10"

    found = deviation(issued(twice))
    assert found.code is DeviationCode.STATEMENT_SUM_WRONG  # the previous statement closed with another balance


def test_a_statement_that_was_changed_after_it_was_issued_is_not_on_record() -> None:
    bundle = GOOD.bundle()
    bundle["statement"]["payee"]["name"] = "Somebody Else"
    found = deviation(bundle)
    assert (found.code, found.place) == (DeviationCode.STATEMENT_NOT_ATTESTED, "leaf 17")
    bundle = GOOD.bundle()
    bundle["previous_statement"]["payee"]["name"] = "Somebody Else"
    assert deviation(bundle).code is DeviationCode.STATEMENT_NOT_ATTESTED


def test_a_second_statement_of_the_same_number_shows() -> None:
    def another(story: Story) -> None:
        story.attest(ORG, "2025-04-29", b"another statement of April")

    found = deviation(two_months(another).bundle())
    assert found.code is DeviationCode.STATEMENT_NOT_ATTESTED
    assert "2 statements of the payee are on record before it" in found.message


def test_a_leaf_that_is_left_out_of_the_bundle_is_missed() -> None:
    for at in range(len(GOOD.bundle()["leaves"]) - 1):
        bundle = GOOD.bundle()
        missing = bundle["leaves"].pop(at)["leaf"]["subject_number"]
        found = deviation(bundle)
        assert found.code is DeviationCode.NUMBER_SKIPPED
        assert f"where number {missing} is expected" in found.message


def test_a_leaf_of_somebody_else_that_touches_the_payee_is_refused() -> None:
    told = deepcopy(GOOD)
    leaf = next(leaf for leaf in told.story.told if leaf["kind"] == "settled")
    leaf["transfers"][0]["debit"]["owner_id"] = "ORG-PE-013"
    assert deviation(told.bundle()).code is DeviationCode.TRANSFER_WRONG


def test_a_premium_that_posts_something_else_than_its_lines_is_refused() -> None:
    told = deepcopy(GOOD)
    told.story.told[0]["transfers"][0]["amount_minor"] += 1
    found = deviation(told.bundle())
    assert (found.code, found.place) == (DeviationCode.LINES_WRONG, "leaf 0")


# --- what persons decided ---------------------------------------------------------------------------------------------


def decided(story: Story) -> None:
    story.decide(ORG, "opened", "2025-04-18", (5_000, USD, "PAY-01"), (2_000, USD, "PAY-02"))
    story.decide(ORG, "corrected", "2025-04-19", (-1_000, USD, "PAY-01"))
    story.exchange(ORG, "2025-04-21", (10_000, USD), (9_200, EUR))


DECIDED = two_months(decided)


def test_what_persons_decided_and_what_was_exchanged_counts_in_its_sums() -> None:
    words = " ".join(verified(DECIDED.bundle()).proven)
    assert "adjustments USD 56.10 + exchanged USD -100.00 - deducted USD 0.00" in words
    assert "Opening EUR 0.00 + premiums EUR 0.00 + adjustments EUR 0.00 + exchanged EUR 92.00" in words


@pytest.mark.parametrize(
    ("currency", "change"),
    [
        (USD, lambda balance: balance["corrections"][0].update(amount="50.01")),
        (USD, lambda balance: balance["corrections"][0].update(payer_id="PAY-03")),
        (USD, lambda balance: balance["corrections"][0].update(reason_code="OTHER")),
        (USD, lambda balance: balance["corrections"][0].update(kind="corrected")),
        (USD, lambda balance: balance["corrections"][2].update(on="2025-04-20")),
        (USD, lambda balance: balance["corrections"].pop(1)),
        (USD, lambda balance: balance["corrections"].append(balance["corrections"][0])),
        (USD, lambda balance: balance["corrections"][2].update(leaf_index=14)),
        (USD, lambda balance: balance["exchanges"][0].update(amount="-100.01")),
        (USD, lambda balance: balance["exchanges"][0].update(other_amount="92.01")),
        (USD, lambda balance: balance["exchanges"][0]["rate"].update(value="0.93")),
        (EUR, lambda balance: balance["exchanges"][0].update(other_currency="CHF")),
        (EUR, lambda balance: balance["exchanges"].pop()),
        (EUR, lambda balance: balance["exchanges"][0].update(leaf_index=14)),
    ],
)
def test_what_persons_decided_is_told_whole_and_as_it_was(currency: str, change: Callable[[Json], object]) -> None:
    told = deepcopy(DECIDED)
    change(next(balance for balance in told.april["balances"] if balance["currency"] == currency))
    told.record(told.april)
    assert deviation(told.bundle()).code is DeviationCode.STATEMENT_LINE_WRONG


def test_a_correction_from_one_payers_part_to_anothers_is_missed_though_it_sums_to_nothing() -> None:
    moves = ((500, USD, "PAY-01"), (-500, USD, "PAY-02"))
    told = two_months(lambda story: story.decide(ORG, "corrected", "2025-04-21", *moves))
    assert verified(told.bundle())
    told.april["balances"][0]["corrections"] = []
    told.record(told.april)
    assert deviation(told.bundle()).code is DeviationCode.POSTING_LEFT_OUT


def test_a_correction_that_no_statement_names_is_missed() -> None:
    told = deepcopy(DECIDED)
    balance = next(balance for balance in told.april["balances"] if balance["currency"] == USD)
    balance["corrections"].pop()
    balance["adjustments"], balance["opening"] = "66.10", "390.00"
    told.record(told.april)
    assert deviation(told.bundle(with_previous=False)).code is DeviationCode.POSTING_LEFT_OUT


# --- bundles ----------------------------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(st.data())
def test_no_byte_of_a_bundle_can_be_changed(data: st.DataObject) -> None:
    content = CANONICAL
    at = data.draw(st.integers(0, len(content) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[at]))
    what = data.draw(st.sampled_from(["changed", "removed", "added", "cut"]))
    changed = {
        "changed": content[:at] + bytes([byte]) + content[at + 1 :],
        "removed": content[:at] + content[at + 1 :],
        "added": content[:at] + bytes([byte]) + content[at:],
        "cut": content[:at],
    }[what]
    if changed != content:
        assert str(deviation(changed))


CANONICAL = canonical(GOOD.bundle())


@settings(max_examples=200)
@given(st.data())
def test_any_json_in_the_place_of_any_member_is_answered_with_a_deviation(data: st.DataObject) -> None:
    bundle = json.loads(CANONICAL)
    at: Any = bundle
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = data.draw(st.sampled_from(keys))
        if not at[key] or not isinstance(at[key], dict | list) or data.draw(st.booleans()):
            break
        at = at[key]
    before = at[key]
    at[key] = data.draw(
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["kind", "id", "a"]), inner, max_size=2)
            ),
            max_leaves=4,
        )
    )
    if canonical_or_none(at[key]) != canonical(before):
        content = canonical_or_none(bundle)
        if content is not None:
            assert str(deviation(content))


def canonical_or_none(value: object) -> bytes | None:
    try:
        return canonical(value)
    except UnicodeEncodeError:  # half of a letter that needs two
        return None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is no JSON"),
        (b"{", "is no JSON"),
        (b"[]", "an object is expected"),
        (b'{"a":1.5}', "no whole number"),
        (b'{"a":NaN}', "no whole number"),
        (b'{"a":9007199254740992}', "beyond"),
        (b'{"a":' + b"9" * 10_000 + b"}", "beyond"),
        (b'{"a":1,"a":1}', "canonical form"),
        (b'{"b":1,"a":1}', "canonical form"),
        (b'{"a": 1}', "canonical form"),
        (b'{"a":"\\u00e9"}', "canonical form"),
        (b'{"a":"\\ud800"}', "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b'{"bundle":"premia.proof.v2"}', "is of format"),
        (b'{"bundle":"premia.proof.v1"}', "has no about"),
        (b'{"about":{"kind":"statement"},"bundle":"premia.proof.v1","more":1}', "does not belong"),
    ],
)
def test_a_file_that_is_no_bundle_is_refused_with_the_reason(content: bytes, reason: str) -> None:
    found = deviation(content)
    assert found.code is DeviationCode.BUNDLE_MALFORMED
    assert reason in found.message


def test_a_bundle_is_about_what_was_asked_for() -> None:
    with pytest.raises(Deviation, match="it proves a statement, not a lot"):
        open_bundle(CANONICAL, KEYS, "lot")


@pytest.mark.parametrize("place", ["", "about", "leaves.0"])
def test_a_member_that_nobody_reads_is_refused(place: str) -> None:
    bundle = GOOD.bundle()
    at: Any = bundle
    for name in filter(None, place.split(".")):
        at = at[int(name)] if name.isdigit() else at[name]
    at["approved"] = "by the auditor"
    found = deviation(bundle)
    assert (found.code, "does not belong" in found.message) == (DeviationCode.BUNDLE_MALFORMED, True)


def test_leaves_with_wrong_proofs_in_wrong_places_or_order_are_refused() -> None:
    def longer(entry: Json) -> None:
        entry["proof"].append(entry["proof"][0])

    def shorter(entry: Json) -> None:
        entry["proof"].pop()

    def other(entry: Json) -> None:
        entry["proof"][0] = b64encode(b"\0" * 32).decode()

    def elsewhere(entry: Json) -> None:
        entry["leaf"]["leaf_index"] += 1

    for change in (longer, shorter, other, elsewhere):
        bundle = GOOD.bundle()
        change(bundle["leaves"][0])
        assert deviation(bundle).code is DeviationCode.LEAF_NOT_INCLUDED, change.__name__
    bundle = GOOD.bundle()
    bundle["leaves"][0], bundle["leaves"][1] = bundle["leaves"][1], bundle["leaves"][0]
    assert deviation(bundle).code is DeviationCode.BUNDLE_MALFORMED
    bundle = GOOD.bundle()
    bundle["leaves"] = []
    assert deviation(bundle).code is DeviationCode.BUNDLE_MALFORMED


def test_a_bundle_is_written_as_it_is_read() -> None:
    bundle = GOOD.bundle()
    leaves = [(canonical(entry["leaf"]), [b64decode(one) for one in entry["proof"]]) for entry in bundle["leaves"]]
    written = write_bundle(
        bundle["about"],
        bundle["checkpoint"],
        leaves,
        statement=canonical(bundle["statement"]),
        previous_statement=canonical(bundle["previous_statement"]),
    )
    assert written == CANONICAL


# --- lots and payouts -------------------------------------------------------------------------------------------------


def lot_bundle(told: TwoMonths, lot: str) -> Json:
    about = {"kind": "lot", "refiner_id": "REF-1", "lot_id": lot}
    return told.story.bundle(about, (LOG, WITNESS), lambda leaf: leaf["cause"].get("lot_id") == lot)


def payout_bundle(told: TwoMonths, number: int) -> Json:
    order = order_id(number)
    reserved = {"kind": "payout", "order_id": order}
    return told.story.bundle(
        reserved, (LOG, WITNESS), lambda leaf: leaf["cause"].get("reservation_id") == reservation_id(order)
    )


def test_a_lot_is_proven_revision_by_revision_and_whole() -> None:
    found = verified(lot_bundle(GOOD, "PE-0123"))
    assert found.about == "Lot REF-1/PE-0123, to revision 2 (final)"
    words = " ".join(found.proven)
    assert "Posted for org ORG-PE-012 as of the newest of these leaves: 2,140.109 g of fine gold, USD 1,498.08" in words
    assert "premium under sbg, USD 1,498.08, is the sum of these parties' shares: none is missing" in words
    assert not any("rest of the lot" in sentence for sentence in found.not_proven)


def test_a_lot_of_which_a_party_is_missing_says_how_much_is() -> None:
    told = deepcopy(GOOD)
    for leaf in told.story.told:
        if leaf["cause"].get("lot_id") == "PE-0124":
            leaf["cause"]["fine_weight_g"] = "300.000"
    found = verified(lot_bundle(told, "PE-0124"))
    assert any("285.714 g of fine gold of 300.000 g of fine gold are here" in sentence for sentence in found.not_proven)


def test_a_lot_whose_leaves_do_not_follow_one_another_is_refused() -> None:
    bundle = lot_bundle(GOOD, "PE-0123")
    del bundle["leaves"][0]
    found = deviation(bundle)
    assert (found.code, found.place) == (DeviationCode.LOT_WRONG, "leaf 10")
    told = deepcopy(GOOD)
    for leaf in told.story.told:
        if leaf["cause"].get("lot_id") == "PE-0124":
            leaf["cause"]["fine_weight_g"] = "200.000"
    assert "200.000 g of fine gold, its leaves make 285.714" in deviation(lot_bundle(told, "PE-0124")).message
    bundle = lot_bundle(GOOD, "PE-0123") | {"about": {"kind": "lot", "refiner_id": "REF-1", "lot_id": "PE-0124"}}
    assert deviation(bundle).code is DeviationCode.LOT_WRONG
    told = deepcopy(GOOD)
    told.story.told[10]["cause"]["revision"] = 0
    assert deviation(lot_bundle(told, "PE-0123")).code is DeviationCode.LOT_WRONG


@pytest.mark.parametrize("stage", ["cancelled", "final"])
def test_a_party_whose_last_leaf_is_left_out_keeps_nothing_of_a_premium_that_is_no_more(stage: str) -> None:
    story = Story()
    for amount, of_stage in ((100, "provisional"), (0, stage)):
        for party in (ORG, OTHER):
            story.premium(party, "L", "2025-03-03", amount=amount, milligrams=1_000 if amount else 0, stage=of_stage)
    for leaf in story.told:
        is_first = leaf["leaf_index"] < 2
        leaf["cause"] |= {"revision": 1 if is_first else 2, "fine_weight_g": "2.000" if is_first else None}
        other_scheme = {"step": "premium", "values": {"scheme_id": "fairmined", "currency": USD, "total": "9.00"}}
        leaf["cause"]["explanation"] = [other_scheme] if stage == "final" else []
    about = {"kind": "lot", "refiner_id": "REF-1", "lot_id": "L"}
    assert "USD 0.00 (sbg" in " ".join(verified(story.bundle(about, (LOG, WITNESS), lambda _: True)).proven)
    found = deviation(story.bundle(about, (LOG, WITNESS), lambda leaf: leaf["leaf_index"] != 2))
    assert (found.code, found.place) == (DeviationCode.LOT_WRONG, "leaf 3")


def test_a_payout_is_proven_step_by_step_with_the_banks_reference() -> None:
    words = " ".join(verified(payout_bundle(GOOD, 1)).proven)
    for step in ("was set aside", "left the bank", "came back"):
        assert f"USD 400.00 {step}" in words
    assert end_to_end_id(order_id(1)) in words
    assert "was not sent" in " ".join(verified(payout_bundle(GOOD, 3)).proven)


def test_a_payout_of_more_parts_than_one_leaf_holds_is_proven_whole() -> None:
    story = Story()
    story.premium(ORG, "L", "2025-03-03", amount=100, milligrams=1_000)
    story.payment(ORG, order_id(1), "2025-03-10", 40, ("reserved", "reserved", "settled", "settled"))
    for leaf in story.told[1:]:
        part = 2 - leaf["leaf_index"] % 2
        leaf |= {"part": part, "parts": 2}
        leaf["transfers"][0]["scope"]["payer_id"] = f"PAY-0{part}"
    about = {"kind": "payout", "order_id": order_id(1)}

    def bundle(*left_out: int) -> Json:
        return story.bundle(about, (LOG, WITNESS), lambda leaf: leaf["leaf_index"] not in {0, *left_out})

    words = " ".join(verified(bundle()).proven)
    assert "USD 0.80 was set aside" in words
    assert "USD 0.80 left the bank" in words
    for index in range(1, 5):
        assert deviation(bundle(index)).code is DeviationCode.PART_MISSING


def test_a_payout_whose_steps_or_amounts_do_not_fit_is_refused() -> None:
    bundle = payout_bundle(GOOD, 1)
    del bundle["leaves"][0]
    assert "the payment was not set aside" in deviation(bundle).message
    bundle = payout_bundle(GOOD, 1) | {"about": {"kind": "payout", "order_id": order_id(2)}}
    assert deviation(bundle).code is DeviationCode.PAYOUT_WRONG

    def changed(change: Callable[[Json], object]) -> Deviation:
        told = deepcopy(GOOD)
        change(next(leaf for leaf in told.story.told if leaf["kind"] == "settled"))
        return deviation(payout_bundle(told, 1))

    def amount(leaf: Json) -> None:
        leaf["transfers"][0]["amount_minor"] += 1

    def target(leaf: Json) -> None:
        leaf["transfers"][0]["credit"] = {"owner_kind": "payer", "owner_id": "PAY-01", "purpose": "receivable"}

    def payer(leaf: Json) -> None:
        leaf["transfers"][0]["scope"]["payer_id"] = "PAY-02"

    def nothing(leaf: Json) -> None:
        del leaf["transfers"]

    def owner(leaf: Json) -> None:
        leaf["subject"]["id"] = OTHER.partition(":")[2]

    for change in (amount, target, payer, nothing, owner):
        assert changed(change).code is DeviationCode.PAYOUT_WRONG, change.__name__


def test_a_booking_that_lay_in_suspense_settles_a_payment_too() -> None:
    told = deepcopy(GOOD)
    leaf = next(leaf for leaf in told.story.told if leaf["kind"] == "settled")
    leaf["transfers"][0]["credit"]["purpose"] = "suspense"
    assert "left the bank" in " ".join(verified(payout_bundle(told, 1)).proven)


def test_messages_never_carry_control_characters_or_floods_of_what_was_given() -> None:
    bundle = GOOD.bundle()
    bundle["about"]["kind"] = "\x1b[31m" + "x" * 10_000
    found = deviation(canonical(bundle))
    assert found.message.isprintable()
    assert len(found.message) < 300
    assert json.dumps(found.message)
