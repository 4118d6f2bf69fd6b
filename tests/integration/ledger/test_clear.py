"""Bookings in suspense: cleared against what they were, never for more than they were."""

from __future__ import annotations

import orjson
import pytest

from schemas.ledger_transaction import CommandCause
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.records import clear, command, entitlement, reserve, settle, suspend, uuid_of
from tests.integration.ledger.test_commands import premia

ORG, PAYER, PROGRAMME = ("org", "ORG-1"), ("payer", "PAY-1"), ("programme", "sample")
PAYABLE, IN_TRANSIT = "org:ORG-1:payable:USD", "org:ORG-1:in_transit:USD"
BANK, CHARGES, SUSPENSE = (f"programme:programme:{purpose}:USD" for purpose in ("bank", "charges", "suspense"))
RECEIVABLE = "payer:PAY-1:receivable:USD"


async def code_of(ledger: Ledger, name: str) -> str:
    """The code that the command was answered with."""
    return str((await ledger.outcome(uuid_of(name)))["code"])


async def open_amounts(ledger: Ledger) -> dict[str, int]:
    """What is still open of each booking that was ever in suspense."""
    return {row["booking_key"]: row["open_amount"] for row in await ledger.rows("suspense", "booking_key")}


async def test_a_payers_money_that_named_nobody_is_taken_off_what_it_owes(ledger: Ledger) -> None:
    await ledger.post(entitlement(), suspend("B", "1000.00"))
    await ledger.post(clear("C", "B", "1000.00", PAYER, kind="receivable"))
    balances = await ledger.balances()
    assert (balances[BANK], balances[RECEIVABLE], balances.get(SUSPENSE, 0)) == (100000, 49808, 0)
    leaf = (await ledger.leaves())[-1]
    assert isinstance(leaf.cause, CommandCause)
    assert (leaf.kind.value, leaf.cause.command, leaf.subject.id) == ("received", "clear", "PAY-1")
    assert [(part.booking_key, part.amount_minor) for part in leaf.cause.clears] == [("B", 100000)]
    assert await open_amounts(ledger) == {"B": 0}
    assert await ledger.deviations() == []


async def test_money_paid_back_to_a_payer_is_owed_again(ledger: Ledger) -> None:
    await ledger.post(suspend("B", "10.00", direction="DBIT"), clear("C", "B", "10.00", PAYER, kind="receivable"))
    assert await ledger.balances() == {BANK: -1000, RECEIVABLE: 1000}


async def test_a_debit_that_was_not_matched_settles_the_payment_that_it_was(ledger: Ledger) -> None:
    await ledger.post(entitlement(), reserve("R", ["1000.00", "498.08"]), suspend("B", "1498.08", direction="DBIT"))
    await ledger.post(clear("C", "B", "1498.08", ORG, kind="settlement", reservation="R"), settle("R", "B-2"))
    assert (await code_of(ledger, "C"), await code_of(ledger, "settle R")) == ("POSTED", "RESERVATION_SETTLED")
    balances = await ledger.balances()
    assert (balances.get(IN_TRANSIT, 0), balances.get(SUSPENSE, 0), balances[BANK]) == (0, 0, -149808)
    leaf = (await ledger.leaves())[-1]
    assert isinstance(leaf.cause, CommandCause)
    assert (leaf.kind.value, leaf.cause.reservation_id) == ("settled", uuid_of("R"))
    assert [t.scope.payer_id for t in leaf.transfers if t.scope] == ["PAY-1", "PAY-2"]


async def test_a_batch_booking_settles_several_payments_one_after_the_other(ledger: Ledger) -> None:
    await ledger.post(
        entitlement(), reserve("R", ["300.00"]), reserve("Q", ["200.00"]), suspend("B", "600.00", direction="DBIT")
    )
    await ledger.post(
        clear("first", "B", "300.00", ORG, kind="settlement", reservation="R"),
        clear("second", "B", "200.00", ORG, kind="settlement", reservation="Q"),
    )
    assert await open_amounts(ledger) == {"B": 10000}
    await ledger.post(clear("rest", "B", "100.00", PROGRAMME, kind="charges"))
    assert await open_amounts(ledger) == {"B": 0}
    assert (await ledger.balances())[CHARGES] == 10000


async def test_money_that_came_back_unmatched_is_payable_again_less_what_banks_kept(ledger: Ledger) -> None:
    await ledger.post(entitlement(), reserve("R", ["300.00", "112.36"]), settle("R", "B-1"), suspend("B-2", "387.36"))
    await ledger.post(clear("C", "B-2", "387.36", ORG, kind="return", reservation="R", charges="25.00"))
    balances = await ledger.balances()
    assert (balances[PAYABLE], balances[CHARGES], balances.get(SUSPENSE, 0)) == (-149808, 2500, 0)
    assert balances[BANK] == 38736 - 41236


async def test_two_bookings_that_cancel_each_other_are_closed_and_nothing_moves(ledger: Ledger) -> None:
    await ledger.post(suspend("IN", "50.00"), suspend("OUT", "70.00", direction="DBIT"))
    before = await ledger.balances()
    await ledger.post(clear("C", "IN", "50.00", PROGRAMME, kind="booking", booking_key="OUT"))
    assert await ledger.balances() == before
    assert await open_amounts(ledger) == {"IN": 0, "OUT": 2000}
    leaf = (await ledger.leaves())[-1]
    assert isinstance(leaf.cause, CommandCause)
    assert (leaf.kind.value, leaf.transfers) == ("cleared", ())
    assert [(part.booking_key, part.amount_minor) for part in leaf.cause.clears] == [("IN", 5000), ("OUT", 5000)]


@pytest.mark.parametrize("together", [True, False])
async def test_a_booking_is_never_cleared_for_more_than_is_open_of_it(ledger: Ledger, together: bool) -> None:
    clears = [
        clear(name, "B", amount, PAYER, kind="receivable") for name, amount in (("1", "30.00"), ("2", "20.01"), ("3", "20.00"))
    ]
    await ledger.post(suspend("B", "50.00"))
    for batch in [clears] if together else [[one] for one in clears]:
        await ledger.post(*batch)
    await ledger.post(clear("4", "B", "0.01", PAYER, kind="receivable"))
    assert [await code_of(ledger, name) for name in "1234"] == ["POSTED", "BOOKING_CLEARED", "POSTED", "BOOKING_CLEARED"]
    assert await open_amounts(ledger) == {"B": 0}


@pytest.mark.parametrize(
    ("cleared", "against", "code"),
    [
        (("NONE", "1.00", "USD"), {"kind": "charges"}, "UNKNOWN_BOOKING"),
        (("IN", "1.00", "EUR"), {"kind": "charges"}, "CURRENCY_MISMATCH"),
        (("IN", "0.00", "USD"), {"kind": "charges"}, "AMOUNT_INVALID"),
        (("IN", "1", "USD"), {"kind": "charges"}, "AMOUNT_INVALID"),
        (("IN", "90071992547409.92", "USD"), {"kind": "charges"}, "AMOUNT_OVERFLOW"),
        (("IN", "1.00", "USD"), {"kind": "booking", "booking_key": "NONE"}, "UNKNOWN_BOOKING"),
        (("IN", "1.00", "USD"), {"kind": "booking", "booking_key": "IN"}, "DIRECTION_MISMATCH"),
        (("IN", "1.00", "USD"), {"kind": "booking", "booking_key": "EUROS"}, "CURRENCY_MISMATCH"),
        (("IN", "8.00", "USD"), {"kind": "booking", "booking_key": "OUT"}, "BOOKING_CLEARED"),
        (("IN", "5.00", "USD"), {"kind": "settlement", "reservation": "R"}, "DIRECTION_MISMATCH"),
        (("OUT", "5.00", "USD"), {"kind": "return", "reservation": "R", "charges": "0.00"}, "DIRECTION_MISMATCH"),
        (("OUT", "5.00", "USD"), {"kind": "settlement", "reservation": "NONE"}, "UNKNOWN_RESERVATION"),
        (("OUT", "4.99", "USD"), {"kind": "settlement", "reservation": "R"}, "AMOUNT_INVALID"),
        (("EUROS", "5.00", "EUR"), {"kind": "settlement", "reservation": "R"}, "CURRENCY_MISMATCH"),
        (("IN", "5.00", "USD"), {"kind": "return", "reservation": "R", "charges": "0.00"}, "RESERVATION_NOT_SETTLED"),
        (("OUT", "5.00", "USD"), {"kind": "settlement", "reservation": "VOIDED"}, "RESERVATION_VOIDED"),
        (("IN", "5.00", "USD"), {"kind": "return", "reservation": "PAID", "charges": "0.01"}, "AMOUNT_INVALID"),
    ],
)
async def test_a_clearing_that_does_not_fit_has_a_code_and_the_next_command_goes_on(
    ledger: Ledger, cleared: tuple[str, str, str], against: dict[str, str], code: str
) -> None:
    await ledger.post(
        entitlement(),
        *(reserve(name, ["5.00"]) for name in ("R", "PAID", "VOIDED")),
        settle("PAID", "B-1"),
        command("void", "void", ORG, reservation="VOIDED", reason="NEVER_SENT"),
        suspend("IN", "10.00"),
        suspend("OUT", "7.00", direction="DBIT"),
        suspend("EUROS", "5.00", direction="DBIT", currency="EUR"),
    )
    balances, suspended = await ledger.balances(), await open_amounts(ledger)
    booking_key, amount, currency = cleared
    subject = ORG if "reservation" in against else PROGRAMME
    result = await ledger.post(clear("C", booking_key, amount, subject, currency=currency, **against), suspend("NEXT", "0.01"))
    assert result.commands == {code: 1, "POSTED": 1}
    assert await ledger.balances() == balances | {BANK: balances[BANK] + 1, SUSPENSE: balances[SUSPENSE] - 1}
    assert await open_amounts(ledger) == suspended | {"NEXT": 1}


@pytest.mark.parametrize(
    ("kind", "subject", "named"),
    [
        ("receivable", ORG, "payer"),
        ("charges", PAYER, "programme"),
        ("booking", ORG, "programme"),
        ("settlement", PAYER, "org"),
    ],
)
async def test_a_clearing_must_be_for_the_one_whose_accounts_it_touches(
    ledger: Ledger, kind: str, subject: tuple[str, str], named: str
) -> None:
    extra = {"booking": {"booking_key": "X"}, "settlement": {"reservation": "R"}}.get(kind, {})
    await ledger.post(suspend("B", "1.00"), clear("C", "B", "1.00", subject, kind=kind, **extra))
    outcome = await ledger.outcome(uuid_of("C"))
    assert (outcome["code"], outcome["message"][: len(f"subject.kind of a clear {kind}")]) == (
        "SCHEMA_INVALID",
        f"subject.kind of a clear {kind}",
    )
    assert named in outcome["message"]


async def test_the_field_at_fault_is_named_by_the_senders_path(ledger: Ledger) -> None:
    await ledger.post(clear("C", "B", "1.00", ORG, kind="settlement"))
    outcome = await ledger.outcome(uuid_of("C"))
    assert (outcome["code"], outcome["message"].split()[0]) == ("SCHEMA_INVALID", "against.reservation_id")


async def test_a_person_sees_what_is_in_suspense_and_what_is_open_of_it(ledger: Ledger) -> None:
    nothing = await premia(ledger, "ledger", "suspense")
    assert (nothing.output, nothing.talk) == ("", "Nothing is in suspense.\n")
    await ledger.post(suspend("B-1", "5000.00"), suspend("B-2", "7.00", direction="DBIT"), suspend("B-3", "1.00"))
    await ledger.post(
        clear("C", "B-1", "20.00", PAYER, kind="receivable"), clear("D", "B-3", "1.00", PROGRAMME, kind="charges")
    )
    assert (await premia(ledger, "ledger", "suspense")).output.splitlines() == [
        "2025-03-27  4,980.00 of 5,000.00 USD arrived  B-1",
        "2025-03-27  7.00 USD left  B-2",
    ]
    rows = [orjson.loads(line) for line in (await premia(ledger, "ledger", "suspense", "--json")).output.splitlines()]
    assert [(row["booking_key"], row["open_amount"]) for row in rows] == [("B-1", 498000), ("B-2", 700)]
