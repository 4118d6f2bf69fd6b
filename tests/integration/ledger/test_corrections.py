"""Opening balances and corrections: proposed by one person, seen before, approved by another, posted once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from schemas.ledger_transaction import CommandCause, LedgerTransaction
from tests.integration.ledger.api import LedgerApi, running_api
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.records import clear, command, command_record, entitlement, reserve, settle, suspend, uuid_of

ORG, PAYER, PROGRAMME = (
    {"kind": kind, "id": id_} for kind, id_ in (("org", "ORG-1"), ("payer", "PAY-1"), ("programme", "sample"))
)
TEXT = "El pago del 3 de marzo era de otra entidad."
PAYABLE, SUSPENSE = "org:ORG-1:payable:USD", "programme:programme:suspense:USD"
RECEIVABLE, BANK = "payer:PAY-1:receivable:USD", "programme:programme:bank:USD"


@pytest.fixture
async def api(ledger: Ledger, tmp_path: Path) -> AsyncIterator[LedgerApi]:
    async with running_api(ledger, tmp_path) as api:
        yield api


def line(purpose: str, side: str, amount: str, **members: Any) -> dict[str, Any]:
    """One account of the subject against suspense; what goes with a payable goes with it."""
    scope = {"scheme_id": "sbg", "payer_id": "PAY-1"} if purpose == "payable" else {}
    return {"purpose": purpose, "unit": "USD", "side": side, "amount": amount} | scope | members


def proposal(name: str, subject: dict[str, str], *lines: dict[str, Any], **members: Any) -> dict[str, Any]:
    """A correction by lines, unless `members` say otherwise."""
    return {
        "correction_id": str(uuid_of(name)),
        "kind": "correct",
        "subject": subject,
        "effective_on": "2025-03-31",
        "reason": {"code": "WRONG_PAYER", "text": TEXT},
        "lines": list(lines),
    } | members


def reversal(name: str, subject: dict[str, str], transaction_id: object) -> dict[str, Any]:
    """A correction that takes a transaction back."""
    return proposal(name, subject, reverses=str(transaction_id))


async def decided(api: LedgerApi, proposed: dict[str, Any]) -> dict[str, Any]:
    """Have ana propose and bruno approve."""
    made = await api.post("/v1/corrections", proposed, actor="ana")
    assert made.status == 201, made.body
    done = await api.post(f"/v1/corrections/{proposed['correction_id']}/approve", actor="bruno")
    assert done.status == 200, done.body
    body: dict[str, Any] = done.body
    return body


async def last_leaf(ledger: Ledger) -> LedgerTransaction:
    """The newest transaction."""
    return (await ledger.leaves())[-1]


async def test_an_opening_balance_is_posted_against_suspense_when_a_second_person_approves(
    ledger: Ledger, api: LedgerApi
) -> None:
    opening = proposal("O", ORG, line("payable", "credit", "120.00"), kind="open")
    opening["lines"].append({"purpose": "gold", "unit": "AU-MG", "side": "credit", "amount": "2140.109"})
    shown = await api.post("/v1/corrections", opening, actor="ana")
    assert (shown.status, shown.body["state"], await ledger.leaves()) == (201, "proposed", [])
    done = await api.post(f"/v1/corrections/{opening['correction_id']}/approve", actor="bruno")
    assert (done.body["state"], done.body["decided_by"], done.body["leaf_index"], done.body["preview"]) == (
        "approved",
        "bruno",
        0,
        None,
    )
    assert await ledger.balances() == {
        "org:ORG-1:gold:AU-MG": -2140109,
        PAYABLE: -12000,
        "programme:programme:suspense:AU-MG": 2140109,
        SUSPENSE: 12000,
    }
    leaf = await last_leaf(ledger)
    assert isinstance(leaf.cause, CommandCause)
    assert (leaf.kind.value, leaf.cause.command, str(leaf.transaction_id)) == ("opened", "open", done.body["transaction_id"])
    assert (leaf.cause.proposed_by, leaf.cause.approved_by, leaf.cause.reason) == ("ana", "bruno", "WRONG_PAYER")
    assert leaf.cause.reason_sha256 == sha256(TEXT.encode()).hexdigest()
    assert [result.transfers for result in api.posted] == [2]
    assert await ledger.deviations() == []


async def test_the_reasons_words_are_in_no_leaf(ledger: Ledger, api: LedgerApi) -> None:
    await decided(api, proposal("C", PAYER, line("receivable", "debit", "1.00")))
    assert not [row for row in await ledger.rows("journal", "leaf_index") if b"marzo" in row["leaf"]]
    assert (await api.get(f"/v1/corrections/{uuid_of('C')}")).body["reason"]["text"] == TEXT


async def test_a_proposal_shows_the_postings_that_it_then_makes(ledger: Ledger, api: LedgerApi) -> None:
    await ledger.post(entitlement())
    proposed = proposal("C", ORG, line("payable", "debit", "98.08"))
    await api.post("/v1/corrections", proposed, actor="ana")
    preview = (await api.get(f"/v1/corrections/{proposed['correction_id']}")).body["preview"]
    assert (preview["code"], preview["message"]) == ("POSTED", None)
    assert [(b["owner_id"], b["purpose"], b["before_minor"], b["after_minor"]) for b in preview["balances"]] == [
        ("ORG-1", "payable", -149808, -140000),
        ("programme", "suspense", 0, -9808),
    ]
    await api.post(f"/v1/corrections/{proposed['correction_id']}/approve", actor="bruno")
    transfers = [transfer.model_dump(mode="json") for transfer in (await last_leaf(ledger)).transfers]
    assert transfers == preview["transfers"]
    assert (await ledger.balances())[PAYABLE] == -140000


async def test_a_transaction_is_taken_back_once_and_what_took_it_back_can_be_taken_back_too(
    ledger: Ledger, api: LedgerApi
) -> None:
    await ledger.post(command("M", "receive", ("payer", "PAY-1"), currency="USD", amount="20.00", booking_key="B"))
    received = await last_leaf(ledger)
    first = await decided(api, reversal("first", PAYER, received.transaction_id))
    assert await ledger.balances() == {}
    leaf = await last_leaf(ledger)
    assert isinstance(leaf.cause, CommandCause)
    assert (leaf.kind.value, leaf.cause.reverses) == ("corrected", received.transaction_id)
    again = await api.post("/v1/corrections", reversal("again", PAYER, received.transaction_id), actor="ana")
    assert (again.status, again.code) == (409, "ALREADY_REVERSED")
    await decided(api, reversal("second", PAYER, first["transaction_id"]))
    assert await ledger.balances() == {BANK: 2000, RECEIVABLE: -2000}
    assert await ledger.deviations() == []


async def test_what_a_clearing_took_from_suspense_is_open_again_when_it_is_taken_back(ledger: Ledger, api: LedgerApi) -> None:
    await ledger.post(suspend("B", "50.00"), clear("C", "B", "30.00", ("payer", "PAY-1"), kind="receivable"))
    await decided(api, reversal("R", PAYER, (await last_leaf(ledger)).transaction_id))
    (row,) = await ledger.rows("suspense", "booking_key")
    assert (row["open_amount"], (await ledger.balances()).get(RECEIVABLE, 0)) == (5000, 0)
    leaf = await last_leaf(ledger)
    assert isinstance(leaf.cause, CommandCause)
    assert [(part.booking_key, part.amount_minor) for part in leaf.cause.clears] == [("B", -3000)]
    await ledger.post(clear("D", "B", "50.00", ("payer", "PAY-2"), kind="receivable"))
    assert (await ledger.outcome(uuid_of("D")))["code"] == "POSTED"


async def test_what_was_given_back_to_suspense_and_cleared_again_is_not_taken_twice(ledger: Ledger, api: LedgerApi) -> None:
    await ledger.post(suspend("B", "50.00"), clear("C", "B", "30.00", ("payer", "PAY-1"), kind="receivable"))
    given_back = await decided(api, reversal("first", PAYER, (await last_leaf(ledger)).transaction_id))
    await ledger.post(clear("D", "B", "50.00", ("payer", "PAY-2"), kind="receivable"))
    refused = await api.post("/v1/corrections", reversal("second", PAYER, given_back["transaction_id"]), actor="ana")
    assert (refused.status, refused.code) == (409, "BOOKING_CLEARED")


async def test_a_correction_says_what_a_booking_in_suspense_was(ledger: Ledger, api: LedgerApi) -> None:
    """The payment was given up, its money was payable again, and then the bank booked it after all."""
    await ledger.post(entitlement(), suspend("B", "98.08", direction="DBIT"))
    await decided(api, proposal("C", ORG, line("payable", "debit", "98.08", booking_key="B")))
    (row,) = await ledger.rows("suspense", "booking_key")
    balances = await ledger.balances()
    assert (row["open_amount"], balances[PAYABLE], balances.get(SUSPENSE, 0)) == (0, -140000, 0)
    twice = [line("payable", "debit", "1.00", booking_key="B")] * 2
    refused = await api.post("/v1/corrections", proposal("D", ORG, *twice), actor="ana")
    assert (refused.status, refused.code) == (409, "BOOKING_CLEARED")


async def test_a_payable_that_is_corrected_down_makes_older_views_of_it_stale(ledger: Ledger, api: LedgerApi) -> None:
    await ledger.post(entitlement())
    await decided(api, proposal("down", ORG, line("payable", "debit", "1.00")))
    await ledger.post(reserve("A", ["1.00"], seen=1), reserve("B", ["1.00"], seen=2))
    await decided(api, proposal("up", ORG, line("payable", "credit", "1.00")))
    await ledger.post(reserve("C", ["1.00"], seen=2))
    codes = [(await ledger.outcome(uuid_of(f"reserve {name}")))["code"] for name in "ABC"]
    assert codes == ["STALE_VIEW", "POSTED", "POSTED"]


async def test_nobody_approves_what_he_proposed(ledger: Ledger, api: LedgerApi) -> None:
    proposed = proposal("C", PAYER, line("receivable", "debit", "1.00"))
    await api.post("/v1/corrections", proposed, actor="diego")
    refused = await api.post(f"/v1/corrections/{proposed['correction_id']}/approve", actor="diego")
    assert (refused.status, refused.code, await ledger.leaves()) == (403, "SAME_ACTOR", [])


async def test_proposing_and_approving_take_their_roles(ledger: Ledger, api: LedgerApi) -> None:
    proposed = proposal("C", PAYER, line("receivable", "debit", "1.00"))
    for actor in ("bruno", "carla"):
        refused = await api.post("/v1/corrections", proposed, actor=actor)
        assert (refused.status, refused.code) == (403, "ROLE_MISSING")
    await api.post("/v1/corrections", proposed, actor="ana")
    for verb in ("approve", "withdraw"):
        refused = await api.post(f"/v1/corrections/{proposed['correction_id']}/{verb}", actor="carla")
        assert (refused.status, refused.code) == (403, "ROLE_MISSING")
    assert (await api.get("/v1/corrections?state=proposed")).body["corrections"][0]["proposed_by"] == "ana"


async def test_without_a_registry_nobody_has_a_role(ledger: Ledger, tmp_path: Path) -> None:
    async with running_api(ledger, tmp_path, knows_registry=False) as api:
        refused = await api.post("/v1/corrections", proposal("C", PAYER, line("receivable", "debit", "1.00")), actor="ana")
        assert (refused.status, refused.code) == (503, "REGISTRY_MISSING")


async def test_the_same_again_changes_nothing_and_two_who_approve_at_once_post_it_once(ledger: Ledger, api: LedgerApi) -> None:
    proposed = proposal("C", PAYER, line("receivable", "debit", "1.00"))
    assert [(await api.post("/v1/corrections", proposed, actor="ana")).status for _ in range(2)] == [201, 200]
    other = proposed | {"effective_on": "2025-04-01"}
    refused = await api.post("/v1/corrections", other, actor="ana")
    assert (refused.status, refused.code) == (409, "CONFLICTING_PAYLOAD")
    path = f"/v1/corrections/{proposed['correction_id']}/approve"
    answers = await asyncio.gather(*(api.post(path, actor=actor) for actor in ("bruno", "diego", "bruno")))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body["transaction_id"] for answer in answers}) == len(await ledger.leaves()) == len(api.posted) == 1


async def test_what_was_withdrawn_cannot_be_approved_nor_the_other_way_round(ledger: Ledger, api: LedgerApi) -> None:
    for name, first, then in (("A", "withdraw", "approve"), ("B", "approve", "withdraw")):
        proposed = proposal(name, PAYER, line("receivable", "debit", "1.00"))
        await api.post("/v1/corrections", proposed, actor="ana")
        path = f"/v1/corrections/{proposed['correction_id']}"
        assert [(await api.post(f"{path}/{first}", actor="bruno")).status for _ in range(2)] == [200, 200]
        refused = await api.post(f"{path}/{then}", actor="bruno")
        assert (refused.status, refused.code) == (409, "CORRECTION_CLOSED")
    assert len(await ledger.leaves()) == 1


async def test_what_can_no_longer_be_posted_when_it_is_approved_stays_open(ledger: Ledger, api: LedgerApi) -> None:
    await ledger.post(suspend("B", "10.00", direction="DBIT"))
    proposed = proposal("C", PROGRAMME, line("charges", "debit", "10.00", booking_key="B"))
    await api.post("/v1/corrections", proposed, actor="ana")
    await ledger.post(clear("first", "B", "10.00", ("programme", "sample"), kind="charges"))
    path = f"/v1/corrections/{proposed['correction_id']}"
    refused = await api.post(f"{path}/approve", actor="bruno")
    assert (refused.status, refused.code) == (409, "BOOKING_CLEARED")
    shown = (await api.get(path)).body
    assert (shown["state"], shown["preview"]["code"], shown["preview"]["transfers"]) == ("proposed", "BOOKING_CLEARED", [])
    await decided(api, reversal("R", PROGRAMME, (await last_leaf(ledger)).transaction_id))
    assert (await api.post(f"{path}/approve", actor="bruno")).status == 200


@pytest.mark.parametrize(
    ("subject", "changed", "answered"),
    [
        (PAYER, {"purpose": "payable", "scheme_id": "sbg", "payer_id": "PAY-1"}, (422, "UNKNOWN_ACCOUNT")),
        (ORG, {"purpose": "in_transit"}, (422, "UNKNOWN_ACCOUNT")),
        (PROGRAMME, {"purpose": "suspense"}, (422, "SAME_ACCOUNT")),
        ({"kind": "programme", "id": "sampel"}, {"purpose": "charges"}, (422, "UNKNOWN_ACCOUNT")),
        (PAYER, {"unit": "AU-MG"}, (422, "CURRENCY_MISMATCH")),
        (PAYER, {"unit": "ZZZ"}, (422, "AMOUNT_INVALID")),
        (PAYER, {"amount": "0.00"}, (422, "AMOUNT_INVALID")),
        (PAYER, {"amount": "1"}, (422, "AMOUNT_INVALID")),
        (PAYER, {"amount": "90071992547409.92"}, (422, "AMOUNT_OVERFLOW")),
        (PAYER, {"booking_key": "NONE"}, (409, "UNKNOWN_BOOKING")),
        (PAYER, {"booking_key": "IN", "side": "debit"}, (409, "DIRECTION_MISMATCH")),
        (PAYER, {"amount": "-1.00"}, (400, "SCHEMA_INVALID")),
        (PAYER, {"side": "left"}, (400, "SCHEMA_INVALID")),
        (PAYER, {"scheme_id": "sbg"}, (400, "SCHEMA_INVALID")),
        (ORG, {"purpose": "payable"}, (400, "SCHEMA_INVALID")),
    ],
)
async def test_a_line_that_does_not_fit_is_refused_while_its_author_looks_at_it(
    ledger: Ledger, api: LedgerApi, subject: dict[str, str], changed: dict[str, str], answered: tuple[int, str]
) -> None:
    await ledger.post(suspend("IN", "5.00"))
    wrong = {"purpose": "receivable", "unit": "USD", "side": "credit", "amount": "1.00"} | changed
    refused = await api.post("/v1/corrections", proposal("C", subject, wrong), actor="ana")
    assert (refused.status, refused.code) == answered, refused.body
    assert (await api.get("/v1/corrections")).body == {"corrections": [], "complete": True}


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("premium", "NOT_REVERSIBLE"),
        ("reserved", "NOT_REVERSIBLE"),
        ("settled", "NOT_REVERSIBLE"),
        ("suspended", "NOT_REVERSIBLE"),
        ("attested", "NOT_REVERSIBLE"),
        ("received", "UNKNOWN_TRANSACTION"),  # another subject's
    ],
)
async def test_what_has_steps_of_its_own_is_not_taken_back_by_hand(
    ledger: Ledger, api: LedgerApi, kind: str, code: str
) -> None:
    await ledger.post(
        entitlement(),
        reserve("R", ["1.00"]),
        settle("R", "B-1"),
        suspend("B-2", "5.00"),
        command("A", "attest", ("org", "ORG-1"), attestation="statement", sha256="a" * 64),
        command("M", "receive", ("payer", "PAY-1"), currency="USD", amount="20.00", booking_key="B-3"),
    )
    (leaf,) = (leaf for leaf in await ledger.leaves() if leaf.kind == kind)
    subject = PROGRAMME if kind == "suspended" else ORG
    refused = await api.post("/v1/corrections", reversal("C", subject, leaf.transaction_id), actor="ana")
    assert (refused.status, refused.code) == (409, code)


@pytest.mark.parametrize(
    "changed",
    [
        {"lines": []},
        {"reverses": str(uuid_of("X"))},
        {"kind": "open", "lines": [], "reverses": str(uuid_of("X"))},
        {"reason": {"code": "lower", "text": "x"}},
        {"reason": {"code": "CODE", "text": ""}},
        {"correction_id": "1"},
        {"effective_on": "31.03.2025"},
        {"effective_on": "0001-01-01"},
        {"effective_on": "9999-12-31"},
        {"reason": {"code": "CODE", "text": "red\u001b[31m"}},
        {"reason": {"code": "CODE", "text": "nul\0"}},
        {"unknown": 1},
        {"lines": [line("receivable", "debit", "1.00")] * 21},
    ],
)
async def test_a_proposal_that_cannot_be_read_names_the_field(api: LedgerApi, changed: dict[str, Any]) -> None:
    refused = await api.post(
        "/v1/corrections", proposal("C", PAYER, line("receivable", "debit", "1.00")) | changed, actor="ana"
    )
    assert (refused.status, refused.code) == (400, "SCHEMA_INVALID")
    assert refused.body["message"].split(":")[0].split(".")[0] in {*changed, "lines", "reverses"}


@pytest.mark.parametrize("kind", ["open", "correct"])
async def test_by_kafka_nobody_opens_or_corrects(ledger: Ledger, kind: str) -> None:
    value = proposal("C", PAYER, line("receivable", "debit", "1.00")) | {"command_id": str(uuid_of("C")), "kind": kind}
    result = await ledger.post(command_record(value))
    outcome = await ledger.outcome(uuid_of("C"))
    assert (result.commands, outcome["code"]) == ({"SCHEMA_INVALID": 1}, "SCHEMA_INVALID")
    assert "two persons" in outcome["message"]


async def test_an_unknown_correction_is_told_apart_from_a_malformed_id(api: LedgerApi) -> None:
    assert (await api.get(f"/v1/corrections/{uuid_of('none')}")).code == "CORRECTION_UNKNOWN"
    assert (await api.post(f"/v1/corrections/{uuid_of('none')}/approve", actor="bruno")).status == 404
    assert (await api.get("/v1/corrections/1")).code == "SCHEMA_INVALID"
    assert (await api.get("/v1/corrections?state=lost")).code == "SCHEMA_INVALID"


async def test_a_correction_of_more_parts_than_one_is_taken_back_whole(ledger: Ledger, api: LedgerApi) -> None:
    long = "\N{CJK UNIFIED IDEOGRAPH-91D1}" * 250
    scope, keys = {"scheme_id": long, "payer_id": long}, [f"{number:02}{long}" for number in range(20)]
    await ledger.post(*(suspend(key, "1.00") for key in keys))
    subject = ORG | {"id": long}
    lines = [line("payable", "credit", "1.00", booking_key=key) | scope for key in keys]
    corrected = await decided(api, proposal("C", subject, *lines))
    first, second = [leaf for leaf in await ledger.leaves() if leaf.kind.value == "corrected"]
    assert (first.part, second.part, len(first.transfers) + len(second.transfers)) == (1, 2, 20)
    half = await api.post("/v1/corrections", reversal("H", subject, second.transaction_id), actor="ana")
    assert half.body["code"] == "UNKNOWN_TRANSACTION", "a transaction has the name of its first part"

    await decided(api, reversal("R", subject, corrected["transaction_id"]))

    assert await ledger.balances() == {BANK: 2000, SUSPENSE: -2000}
    assert {row["open_amount"] for row in await ledger.rows("suspense", "booking_key")} == {100}
    assert await ledger.deviations() == []
    again = await api.post("/v1/corrections", reversal("A", subject, corrected["transaction_id"]), actor="ana")
    assert again.body["code"] == "ALREADY_REVERSED"
