"""Every command, every code, and that one outcome comes out of each, against a real PostgreSQL."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from schemas.dead_letter import DeadLetter
from schemas.ledger_transaction import LEAF_BYTES_MAX, CommandCause, CommandOutcome
from schemas.topics import LEDGER_COMMANDS, LEDGER_COMMANDS_DEAD, LEDGER_TRANSACTIONS
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.records import (
    command,
    command_record,
    entitlement,
    record,
    reserve,
    settle,
    uuid_of,
)

ORG = ("org", "ORG-1")
PAYABLE, IN_TRANSIT, BANK = "org:ORG-1:payable:USD", "org:ORG-1:in_transit:USD", "programme:programme:bank:USD"
CHARGES, SUSPENSE = "programme:programme:charges:USD", "programme:programme:suspense:USD"


async def accrued(ledger: Ledger) -> None:
    """ORG-1 is owed 1,498.08."""
    await ledger.post(entitlement())


async def code_of(ledger: Ledger, name: str) -> str:
    """The code that the command was answered with."""
    return str((await ledger.outcome(uuid_of(name)))["code"])


async def test_reserve_moves_payable_to_in_transit_by_scheme_and_payer(ledger: Ledger) -> None:
    await accrued(ledger)
    result = await ledger.post(reserve("R", ["1000.00", "498.08"]))
    assert result.commands == {"POSTED": 1}
    balances = await ledger.balances()
    assert PAYABLE not in balances
    assert balances[IN_TRANSIT] == -149808
    leaf = (await ledger.leaves())[-1]
    assert [(t.amount_minor, t.scope.scheme_id, t.scope.payer_id) for t in leaf.transfers if t.scope] == [
        (100000, "sbg", "PAY-1"),
        (49808, "sbg", "PAY-2"),
    ]
    assert isinstance(leaf.cause, CommandCause)
    assert (leaf.kind.value, leaf.cause.command, leaf.cause.reservation_id) == ("reserved", "reserve", uuid_of("R"))
    assert leaf.effective_on.isoformat() == "2025-03-27"


async def test_the_outcome_of_a_posted_command_names_its_transaction_and_comes_after_it(ledger: Ledger) -> None:
    await accrued(ledger)
    await ledger.post(reserve("R", ["1.00"]))
    *_, transaction, outcome = await ledger.messages(LEDGER_TRANSACTIONS)
    assert orjson.loads(transaction.value)["leaf_index"] == 1
    told = CommandOutcome.model_validate_json(outcome.value)
    assert (told.command_id, told.code.value, told.message) == (uuid_of("reserve R"), "POSTED", None)
    assert told.transaction_id == (await ledger.leaves())[-1].transaction_id
    assert (outcome.key, dict(outcome.headers)["ce_type"]) == (b"ORG-1", b"ledger.command-outcome.v1")


async def test_a_payment_that_is_settled_goes_from_in_transit_to_bank(ledger: Ledger) -> None:
    await accrued(ledger)
    await ledger.post(reserve("R", ["1000.00", "498.08"]), settle("R", "B-1"))
    balances = await ledger.balances()
    assert (balances.get(IN_TRANSIT, 0), balances[BANK]) == (0, -149808)


async def test_a_payment_that_was_never_made_goes_back_to_payable(ledger: Ledger) -> None:
    await accrued(ledger)
    await ledger.post(reserve("R", ["100.00"]), command("void R", "void", ORG, reservation="R", reason="NEVER_SENT"))
    assert (await ledger.balances())[PAYABLE] == -149808
    leaf = (await ledger.leaves())[-1]
    assert isinstance(leaf.cause, CommandCause)
    assert (leaf.kind.value, leaf.cause.reason) == ("voided", "NEVER_SENT")


async def test_what_the_banks_kept_of_a_returned_payment_is_the_programmes_charge(ledger: Ledger) -> None:
    await accrued(ledger)
    await ledger.post(reserve("R", ["300.00", "112.36"]), settle("R", "B-1"))
    await ledger.post(
        command("return R", "return", ORG, reservation="R", credited="387.36", charges="25.00", booking_key="B-2")
    )
    balances = await ledger.balances()
    assert (balances[PAYABLE], balances[CHARGES], balances[BANK]) == (-149808, 2500, 38736 - 41236)
    leaf = (await ledger.leaves())[-1]
    assert [(t.amount_minor, t.debit.purpose, t.scope.payer_id) for t in leaf.transfers if t.scope] == [
        (30000, "bank", "PAY-1"),
        (8736, "bank", "PAY-2"),
        (2500, "charges", "PAY-2"),
    ]


@pytest.mark.parametrize(("credited", "charges"), [("0.00", "412.36"), ("412.36", "0.00")])
async def test_a_return_may_be_all_fees_or_none(ledger: Ledger, credited: str, charges: str) -> None:
    await accrued(ledger)
    await ledger.post(reserve("R", ["412.36"]), settle("R", "B-1"))
    await ledger.post(command("X", "return", ORG, reservation="R", credited=credited, charges=charges, booking_key="B-2"))
    assert (await ledger.balances())[PAYABLE] == -149808


async def test_a_payers_money_goes_to_the_bank_against_what_it_owes(ledger: Ledger) -> None:
    await accrued(ledger)
    await ledger.post(command("M", "receive", ("payer", "PAY-1"), currency="USD", amount="2000.00", booking_key="B-1"))
    balances = await ledger.balances()
    assert (balances[BANK], balances["payer:PAY-1:receivable:USD"]) == (200000, 149808 - 200000)
    assert (await ledger.leaves())[-1].subject.id == "PAY-1"


@pytest.mark.parametrize(("direction", "bank"), [("CRDT", 5000), ("DBIT", -5000)])
async def test_a_booking_that_matches_nothing_lies_in_suspense(ledger: Ledger, direction: str, bank: int) -> None:
    await ledger.post(
        command("S", "suspend", ("programme", "sample"), currency="USD", amount="50.00", direction=direction, booking_key="B")
    )
    assert await ledger.balances() == {BANK: bank, SUSPENSE: -bank}


async def test_an_attestation_is_a_leaf_without_transfers(ledger: Ledger) -> None:
    await ledger.post(command("A", "attest", ORG, attestation="statement", sha256="a" * 64))
    (leaf,) = await ledger.leaves()
    assert leaf.attestation is not None
    assert (leaf.attestation.attestation, leaf.attestation.sha256, leaf.transfers) == ("statement", "a" * 64, ())


async def test_the_same_command_again_has_the_same_outcome_and_no_effect(ledger: Ledger) -> None:
    await accrued(ledger)
    commands = [reserve("R", ["1.00"]), reserve("TOO-MUCH", ["9999.00"]), settle("R", "B"), settle("X", "B-9")]
    await ledger.post(*commands)
    told = {(dict(m.headers)["ce_id"], m.value, dict(m.headers)["ce_time"]) for m in await _outcomes(ledger)}
    balances, leaves = await ledger.balances(), await ledger.leaves()
    assert len(told) == 4
    result = await ledger.post(*commands, *commands)
    assert result.commands == {"repeated": 8}
    assert {(dict(m.headers)["ce_id"], m.value, dict(m.headers)["ce_time"]) for m in await _outcomes(ledger)} == told
    assert (await ledger.balances(), await ledger.leaves()) == (balances, leaves)


async def test_a_command_that_was_refused_stays_refused_when_it_could_be_carried_out(ledger: Ledger) -> None:
    await ledger.post(reserve("R", ["1.00"]))
    await accrued(ledger)
    await ledger.post(reserve("R", ["1.00"]))
    assert await code_of(ledger, "reserve R") == "INSUFFICIENT_PAYABLE"


async def test_other_content_under_a_known_command_id_is_told_and_changes_nothing(ledger: Ledger) -> None:
    await accrued(ledger)
    await ledger.post(reserve("R", ["1.00"]))
    result = await ledger.post(reserve("R", ["2.00"]))
    assert result.commands == {"CONFLICTING_PAYLOAD": 1}
    assert (await ledger.balances())[IN_TRANSIT] == -100
    first, second = await _outcomes(ledger)
    assert dict(first.headers)["ce_id"] != dict(second.headers)["ce_id"]


async def test_a_reservation_may_take_all_that_is_payable_and_no_cent_more(ledger: Ledger) -> None:
    await accrued(ledger)
    await ledger.post(reserve("A", ["1498.09"]), reserve("B", ["1498.08"]), reserve("C", ["0.01"]))
    assert [await code_of(ledger, f"reserve {name}") for name in "ABC"] == [
        "INSUFFICIENT_PAYABLE",
        "POSTED",
        "INSUFFICIENT_PAYABLE",
    ]


async def test_a_view_from_before_a_correction_down_is_stale(ledger: Ledger) -> None:
    await accrued(ledger)
    await ledger.post(entitlement(revision=2, lines=(("ORG-1", "producer", 100000),)), reserve("A", ["1.00"], seen=1))
    await ledger.post(reserve("B", ["1.00"], seen=2))
    assert await code_of(ledger, "reserve A") == "STALE_VIEW"
    assert await code_of(ledger, "reserve B") == "POSTED"


async def test_a_view_from_before_a_correction_up_is_good_enough(ledger: Ledger) -> None:
    await accrued(ledger)
    await ledger.post(entitlement(revision=2, lines=(("ORG-1", "producer", 200000),)), reserve("A", ["1.00"], seen=1))
    assert await code_of(ledger, "reserve A") == "POSTED"


async def test_a_reservation_id_is_taken_once(ledger: Ledger) -> None:
    await accrued(ledger)
    parts = [{"scheme_id": "sbg", "payer_id": "PAY-1", "amount": "1.00"}]
    again = command("other", "reserve", ORG, reservation="R", currency="USD", parts=parts, seen_subject_number=9)
    await ledger.post(reserve("R", ["1.00"]), again)
    assert await code_of(ledger, "other") == "RESERVATION_EXISTS"


@pytest.mark.parametrize(
    ("steps", "kind", "code"),
    [
        ([], "settle", "UNKNOWN_RESERVATION"),
        ([], "void", "UNKNOWN_RESERVATION"),
        ([], "return", "UNKNOWN_RESERVATION"),
        (["reserve"], "return", "RESERVATION_NOT_SETTLED"),
        (["reserve", "settle"], "settle", "RESERVATION_SETTLED"),
        (["reserve", "settle"], "void", "RESERVATION_SETTLED"),
        (["reserve", "void"], "settle", "RESERVATION_VOIDED"),
        (["reserve", "void"], "void", "RESERVATION_VOIDED"),
        (["reserve", "void"], "return", "RESERVATION_VOIDED"),
        (["reserve", "settle", "return"], "settle", "RESERVATION_RETURNED"),
        (["reserve", "settle", "return"], "void", "RESERVATION_RETURNED"),
        (["reserve", "settle", "return"], "return", "RESERVATION_RETURNED"),
    ],
)
@pytest.mark.parametrize("together", [True, False])
async def test_what_a_reservation_has_become_decides(
    ledger: Ledger, steps: list[str], kind: str, code: str, together: bool
) -> None:
    await accrued(ledger)
    made = {
        "reserve": lambda name: reserve("R", ["1.00"]),
        "settle": lambda name: settle("R", f"B-{name}", command_name=name),
        "void": lambda name: command(name, "void", ORG, reservation="R", reason="REJECTED"),
        "return": lambda name: command(
            name, "return", ORG, reservation="R", credited="1.00", charges="0.00", booking_key=f"B-{name}"
        ),
    }
    records = [*(made[step](step) for step in steps), made[kind]("last")]
    if together:
        await ledger.post(*records)
    else:
        for one in records:
            await ledger.post(one)
    before = await ledger.leaves()
    assert await code_of(ledger, "last") == code
    assert len(before) == 1 + len(steps)


async def test_another_subjects_reservation_is_unknown(ledger: Ledger) -> None:
    await accrued(ledger)
    await ledger.post(reserve("R", ["1.00"]), settle("R", "B", organization="ORG-2"))
    assert await code_of(ledger, "settle R") == "UNKNOWN_RESERVATION"


async def test_a_booking_is_posted_once_whatever_command_brings_it(ledger: Ledger) -> None:
    await accrued(ledger)
    payer, programme = ("payer", "PAY-1"), ("programme", "p")
    await ledger.post(reserve("R", ["1.00"]), reserve("Q", ["1.00"]), settle("Q", "B-2"))
    money = {"currency": "USD", "amount": "1.00"}
    await ledger.post(
        command("first", "receive", payer, booking_key="B-1", **money),
        command("second", "receive", payer, booking_key="B-1", **money),
        command("third", "suspend", programme, booking_key="B-1", direction="CRDT", **money),
        settle("R", "B-1"),
    )
    await ledger.post(command("fourth", "return", ORG, reservation="Q", credited="1.00", charges="0.00", booking_key="B-1"))
    codes = [await code_of(ledger, name) for name in ("first", "second", "third", "settle R", "fourth")]
    assert codes == ["POSTED", *["BOOKING_KNOWN"] * 4]


@pytest.mark.parametrize(
    ("currency", "amount", "code"),
    [
        ("USD", "0.00", "AMOUNT_INVALID"),
        ("USD", "1", "AMOUNT_INVALID"),
        ("USD", "1.0", "AMOUNT_INVALID"),
        ("USD", "1.000", "AMOUNT_INVALID"),
        ("CLP", "1.00", "AMOUNT_INVALID"),
        ("CLP", "1", "POSTED"),
        ("XAU", "1.00", "AMOUNT_INVALID"),
        ("ZZZ", "1.00", "AMOUNT_INVALID"),
        ("USD", "90071992547409.91", "POSTED"),
        ("USD", "90071992547409.92", "AMOUNT_OVERFLOW"),
    ],
)
async def test_an_amount_must_fit_its_currency_and_the_ledger(ledger: Ledger, currency: str, amount: str, code: str) -> None:
    await ledger.post(command("M", "receive", ("payer", "P"), currency=currency, amount=amount, booking_key="B"))
    assert await code_of(ledger, "M") == code


async def test_a_reserve_with_one_wrong_part_is_refused_whole(ledger: Ledger) -> None:
    await accrued(ledger)
    await ledger.post(reserve("R", ["1.00", "0.00"]))
    assert await code_of(ledger, "reserve R") == "AMOUNT_INVALID"
    assert IN_TRANSIT not in await ledger.balances()


@pytest.mark.parametrize(("credited", "charges"), [("1.00", "0.01"), ("0.99", "0.00"), ("1.0", "0"), ("1", "0")])
async def test_a_return_must_add_up_to_what_was_paid(ledger: Ledger, credited: str, charges: str) -> None:
    await accrued(ledger)
    await ledger.post(reserve("R", ["1.00"]), settle("R", "B-1"))
    await ledger.post(command("X", "return", ORG, reservation="R", credited=credited, charges=charges, booking_key="B-2"))
    assert await code_of(ledger, "X") == "AMOUNT_INVALID"


async def test_a_balance_that_would_overflow_is_refused_with_a_code(ledger: Ledger) -> None:
    money: dict[str, Any] = {"currency": "USD", "amount": "90071992547409.91"}
    await ledger.post(command("first", "receive", ("payer", "P"), booking_key="B-1", **money))
    await ledger.as_administrator("UPDATE ledger.balance SET debits = 9223372036854775000")
    await ledger.post(command("second", "receive", ("payer", "P"), booking_key="B-2", **money))
    assert await code_of(ledger, "second") == "AMOUNT_OVERFLOW"


def valid() -> dict[str, Any]:
    """A reserve that is answered INSUFFICIENT_PAYABLE: it was understood."""
    value: dict[str, Any] = orjson.loads(reserve("R", ["1.00"]).value)
    return value


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"kind": "invent"}, "kind"),
        ({"effective_on": "27.03.2025"}, "effective_on"),
        ({"effective_on": 20250327}, "effective_on"),
        ({"unknown": 1}, "unknown"),
        ({"seen_subject_number": "5"}, "seen_subject_number"),
        ({"seen_subject_number": -1}, "seen_subject_number"),
        ({"seen_subject_number": 2**60}, "2^53"),
        ({"parts": []}, "parts"),
        ({"parts": [{"scheme_id": "sbg", "payer_id": "P", "amount": 1.5}]}, "strings"),
        ({"parts": [{"scheme_id": "sbg", "payer_id": "P", "amount": "-1.00"}]}, "parts.0.amount"),
        ({"parts": [{"scheme_id": "sbg", "payer_id": "P", "amount": "1.00"}] * 201}, "parts"),
        ({"currency": "usd"}, "currency"),
        ({"subject": {"kind": "payer", "id": "PAY-1"}}, "subject.kind"),
        ({"subject": {"kind": "org", "id": "A/B"}}, "subject.id"),
        ({"effective_on": "9999-12-31"}, "effective_on"),
        ({"effective_on": "0001-01-01"}, "effective_on"),
        ({"subject": {"kind": "org", "id": "A\x00B"}}, "subject.id"),
        ({"subject": None}, "subject"),
        ({"reservation_id": "not-a-uuid"}, "reservation_id"),
    ],
)
async def test_a_command_that_cannot_be_read_is_answered_by_its_id_and_its_neighbours_go_on(
    ledger: Ledger, changed: dict[str, Any], named: str
) -> None:
    await accrued(ledger)
    bad = record(LEDGER_COMMANDS, b"ORG-1", orjson.dumps(valid() | changed), ())
    result = await ledger.post(reserve("A", ["1.00"]), bad, reserve("B", ["1.00"]))
    assert result.commands == {"POSTED": 2, "SCHEMA_INVALID": 1}
    outcome = await ledger.outcome(valid()["command_id"])
    assert outcome["code"] == "SCHEMA_INVALID"
    assert named in outcome["message"]


async def test_the_id_of_an_unreadable_command_is_free_for_a_mended_one(ledger: Ledger) -> None:
    await accrued(ledger)
    await ledger.post(command_record(valid() | {"kind": "invent"}), command_record(valid()))
    assert sorted(orjson.loads(message.value)["code"] for message in await _outcomes(ledger)) == ["POSTED", "SCHEMA_INVALID"]


@pytest.mark.parametrize(
    "value", [None, b"", b"{", b"\xff\xfe", b"[]", b"null", b"7", b"{}", b'{"command_id": 5}', b'{"command_id": "x"}']
)
async def test_a_record_that_names_no_command_is_a_dead_letter(ledger: Ledger, value: bytes | None) -> None:
    bad = record(LEDGER_COMMANDS, b"ORG-1", value, (("h", b"1"),))
    result = await ledger.post(bad)
    assert result.commands == {"UNANSWERABLE": 1}
    (letter,) = await ledger.messages(LEDGER_COMMANDS_DEAD)
    told = DeadLetter.from_headers(letter.headers)
    assert (letter.value, told.code, str(told.origin)) == (
        value or b"",
        "SCHEMA_INVALID",
        f"{LEDGER_COMMANDS}/0/{bad.offset}",
    )


async def test_a_reservation_of_many_parts_is_several_leaves_and_one_outcome(ledger: Ledger) -> None:
    organization = "ORG-" + "1" * 90
    await ledger.post(entitlement(lines=((organization, "producer", 149808),)))
    await ledger.post(reserve("R", ["0.01"] * 149 + ["1.00"] * 10 + ["0.02"] * 41, organization=organization))
    rows = await ledger.rows("journal", "leaf_index")
    leaves = (await ledger.leaves())[1:]
    assert len(leaves) > 1
    assert max(len(row["leaf"]) for row in rows) <= LEAF_BYTES_MAX
    assert sum(len(leaf.transfers) for leaf in leaves) == 200
    assert (await ledger.outcome(uuid_of("reserve R")))["transaction_id"] == str(leaves[0].transaction_id)
    await ledger.post(settle("R", "B-1", organization=organization))
    assert (await ledger.balances())[BANK] == -(149 + 1000 + 82)
    assert await ledger.deviations() == []


async def test_the_whole_life_of_payments_leaves_the_books_right(ledger: Ledger) -> None:
    await accrued(ledger)
    await ledger.post(
        reserve("A", ["400.00", "12.36"]),
        settle("A", "B-1"),
        reserve("B", ["100.00"]),
        command("void B", "void", ORG, reservation="B", reason="REJECTED"),
        command("in", "receive", ("payer", "PAY-1"), currency="USD", amount="1498.08", booking_key="B-3"),
        command("att", "attest", ("programme", "p"), attestation="hold.released", sha256="b" * 64),
    )
    await ledger.post(
        command("ret", "return", ORG, reservation="A", credited="387.36", charges="25.00", booking_key="B-2"),
        reserve("C", ["1498.08"]),
        settle("C", "B-4"),
    )
    assert await ledger.deviations() == []
    assert (await ledger.balances())[CHARGES] == 2500


async def _outcomes(ledger: Ledger) -> list[Any]:
    return [
        message
        for message in await ledger.messages(LEDGER_TRANSACTIONS)
        if dict(message.headers)["ce_type"] == b"ledger.command-outcome.v1"
    ]
