"""Any history of entitlements, commands and corrections, in any order and any batches, repeated, against a plain reference."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import orjson
from aiokafka import ConsumerRecord
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.fixed_point import fixed_text
from schemas.identity import derived_id
from schemas.topics import ENTITLEMENTS, SALE_OUTCOMES
from services.ledger.use_cases.post_batch import post_batch
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.decisions import decided
from tests.integration.ledger.records import clear, command, entitlement, suspend, uuid_of
from tests.integration.ledger.reference import Reference
from tests.integration.proofs import audit_journal
from tests.soak import examples

ORGANIZATIONS = ("ORG-1", "ORG-2")
AMOUNTS = {"P": "1.00", "Q": "3.00"}  # of the payments
SUSPENDED = {"IN": ("4.00", "CRDT"), "OUT": ("4.00", "DBIT"), "paid P": ("1.00", "DBIT")}
USES = st.sampled_from(["receivable", "charges", "booking", "settlement", "return"])


@st.composite
def entitlements(draw: st.DrawFn) -> ConsumerRecord[Any, Any]:
    """A revision of one of a few lots. What it says follows from lot, revision and content, as its hash does."""
    lot, revision = draw(st.sampled_from("AB")), draw(st.integers(1, 4))
    content = draw(st.sampled_from(["", "", "", "other"]))
    sale_id = f"{lot}-{revision}" + draw(st.sampled_from(["", "", "-again"]))
    seed = hash_of(lot, revision, content)
    lines = [(name, "producer", 100 * (seed >> shift) % 700) for shift, name in enumerate(ORGANIZATIONS) if seed & 1 << shift]
    if seed & 4:
        lines.append(("FUND-1", "community_fund", 50))
    cancelled = seed % 7 == 0
    return entitlement(
        lot=lot,
        revision=revision,
        content=content,
        sale_id=sale_id,
        # Each event was published up to three times, and each of those records may be delivered any number of times.
        origin_offset=hash_of(sale_id, content) * 3 + draw(st.integers(0, 2)),
        payer=f"PAY-{seed % 2}",
        scheme=("sbg", "fairmined")[seed % 3 == 0],
        stage="cancelled" if cancelled else "final",
        status="cancelled" if cancelled else "settleable",
        lines=[] if cancelled else lines,
        gold_mg={} if cancelled else None,
    )


def hash_of(*parts: object) -> int:
    """The same small number for the same parts in every run."""
    return crc32(repr(parts).encode()) & 0xFFFFFF


@st.composite
def payments(draw: st.DrawFn) -> ConsumerRecord[Any, Any]:
    """A step of one of a few payments; the same step is the same command."""
    kind = draw(st.sampled_from(["reserve", "reserve", "settle", "void", "return"]))
    name, organization = draw(st.sampled_from("PQ")), draw(st.sampled_from(ORGANIZATIONS))
    return step_of_payment(kind, name, organization, back=draw(st.sampled_from([f"back {name}", "paid P"])))


def step_of_payment(kind: str, name: str, organization: str, *, back: str) -> ConsumerRecord[Any, Any]:
    """One step. `back` is the booking key of a return."""
    amount = AMOUNTS[name]
    parts = [{"scheme_id": "sbg", "payer_id": "PAY-1", "amount": amount}]
    members: dict[str, dict[str, Any]] = {
        "reserve": {"currency": "USD", "parts": parts, "seen_subject_number": 1_000},
        "settle": {"booking_key": f"paid {name}"},
        "void": {"reason": "REJECTED"},
        "return": {"booking_key": back, "credited": amount, "charges": "0.00"},
    }
    label = f"{kind} {name} {organization}" + members[kind].get("booking_key", "")
    return command(label, kind, ("org", organization), reservation=name, **members[kind])


def suspensions() -> st.SearchStrategy[ConsumerRecord[Any, Any]]:
    """One of the bookings that match nothing."""
    return st.sampled_from(
        [suspend(key, amount, direction=direction) for key, (amount, direction) in sorted(SUSPENDED.items())]
    )


@st.composite
def clearings(draw: st.DrawFn) -> ConsumerRecord[Any, Any]:
    """All or a part of a booking in suspense, against one of the things that it can be."""
    key, amount, use = draw(st.sampled_from(sorted(SUSPENDED))), draw(st.sampled_from(["1.00", "2.00", "3.00"])), draw(USES)
    organization, name = draw(st.sampled_from(ORGANIZATIONS)), draw(st.sampled_from("PQ"))
    subject, against = {
        "receivable": (("payer", "PAY-1"), {}),
        "charges": (("programme", "sample"), {}),
        "booking": (("programme", "sample"), {"booking_key": draw(st.sampled_from(sorted(SUSPENDED)))}),
        "settlement": (("org", organization), {"reservation": name}),
        "return": (("org", organization), {"reservation": name, "charges": "0.00"}),
    }[use]
    label = f"clear {key} {amount} {use} {subject} {sorted(against.items())}"
    return clear(label, key, amount, subject, kind=use, **against)


@st.composite
def exchanges(draw: st.DrawFn) -> ConsumerRecord[Any, Any]:
    """Part of what an organization is owed, for soles; now and then a cent too much."""
    organization, sold = draw(st.sampled_from(ORGANIZATIONS)), draw(st.sampled_from([10, 30, 50, 250]))
    bought = draw(st.sampled_from([sold * 35 // 10, sold * 35 // 10, sold * 35 // 10 + 1]))
    return command(
        f"exchange {organization} {sold} {bought}",
        "exchange",
        ("org", organization),
        sold={"currency": "USD", "amount": fixed_text(sold, 2)},
        bought={"currency": "PEN", "amount": fixed_text(bought, 2)},
        rate={"value": "3.50", "source": "SBS", "side": "mid", "on": "2025-03-26"},
        of={"kind": "payable", "scheme_id": "sbg", "payer_id": "PAY-1", "seen_subject_number": 1_000},
    )


def commands() -> st.SearchStrategy[ConsumerRecord[Any, Any]]:
    """Every kind that comes by Kafka."""
    return payments() | suspensions() | clearings() | exchanges()


@st.composite
def corrections(draw: st.DrawFn) -> dict[str, Any]:
    """What two persons agree on: lines of one account, or that an earlier command or correction is taken back."""
    number = draw(st.integers(0, 3))
    proposal: dict[str, Any] = {
        "kind": "correct",
        "effective_on": "2025-03-31",
        "reason": {"code": "WRONG", "text": "mal"},
        "reverses": None,
        "lines": [],
    }
    if draw(st.booleans()):
        taken_back = draw(clearings() | exchanges())
        value = orjson.loads(taken_back.value)
        subject, reversed_id = value["subject"], value["command_id"]
        for _ in range(draw(st.integers(0, 2))):  # nobody stops a person from taking back what took back
            reversed_id = str(uuid_of(f"correct {number} {reversed_id}"))
        label = f"correct {number} {reversed_id}"
        return proposal | {"correction_id": str(uuid_of(label)), "subject": subject, "reverses": reversed_id}
    owner, purpose = draw(st.sampled_from([("org", "payable"), ("payer", "receivable"), ("programme", "charges")]))
    scope = {"scheme_id": "sbg", "payer_id": "PAY-1"} if purpose == "payable" else {}
    line = {"purpose": purpose, "unit": "USD", "side": draw(st.sampled_from(["debit", "credit"])), "amount": "1.00"} | scope
    if draw(st.booleans()):
        line["booking_key"] = draw(st.sampled_from(sorted(SUSPENDED)))
    lines = [line] * draw(st.integers(1, 2))
    ids = {"org": "ORG-1", "payer": "PAY-1", "programme": "sample"}
    label = f"correct {number} {lines}"
    return proposal | {"correction_id": str(uuid_of(label)), "subject": {"kind": owner, "id": ids[owner]}, "lines": lines}


# What happens at once: a batch of records, or a correction.
Step = list[ConsumerRecord[Any, Any]] | dict[str, Any]


@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    steps=st.lists(st.lists(entitlements() | commands(), max_size=12) | corrections(), max_size=8),
    crashes=st.sets(st.integers(0, 7)),
)
async def test_any_history_gives_the_balances_and_outcomes_of_the_reference(
    ledger: Ledger, steps: list[Step], crashes: set[int]
) -> None:
    await ledger.make_empty()
    reference = Reference()
    sales: dict[str, str] = {}
    answers: dict[str, str] = {}
    for number, step in enumerate(steps):
        if isinstance(step, dict):
            answers[step["correction_id"]] = reference.command(step["correction_id"], step)
        else:
            ask(reference, step, sales, answers)
        if number in crashes:
            transaction = ledger.conn.transaction()
            await transaction.start()
            await post_step(ledger, step, reference)
            await transaction.rollback()
        async with ledger.conn.transaction():
            await post_step(ledger, step, reference)
    assert await ledger.balances() == reference.balances()
    still_open = {row["booking_key"]: row["open_amount"] for row in await ledger.rows("suspense", "booking_key")}
    assert still_open == {key: booking.still_open for key, booking in reference.suspended.items()}
    assert await ledger.deviations() == []
    await audit_journal(ledger.conn)
    told = await _last_told(ledger)
    assert {origin: told[origin] for origin in sales} == sales
    outcomes = [value for value in await ledger.values("ledger.transactions.v1") if "code" in value]
    assert {value["command_id"]: value["code"] for value in outcomes} == answers


def ask(reference: Reference, batch: list[ConsumerRecord[Any, Any]], sales: dict[str, str], answers: dict[str, str]) -> None:
    """Let the reference take a batch. Outcomes of sales by origin and of commands by id are entered."""
    for record in batch:
        value = orjson.loads(record.value)
        if record.topic == ENTITLEMENTS:
            sales[dict(record.headers)["ce_origin"].decode()] = reference.entitlement(record)
        else:
            answers[value["command_id"]] = reference.command(value["command_id"], value)


async def post_step(ledger: Ledger, step: Step, reference: Reference) -> None:
    if not isinstance(step, dict):
        await post_batch(ledger.conn, step)
        return
    transaction_id = None
    if step["reverses"] is not None:
        known = reference.posted.get(step["reverses"])
        subject = step["subject"] if known is None else known.subject
        transaction_id = derived_id("transaction", step["reverses"], subject["kind"], subject["id"], "1")
    await decided(ledger.conn, step | {"reverses": transaction_id})


async def _last_told(ledger: Ledger) -> dict[str, str]:
    """The outcome of each origin. What has a leaf is told by the journal's relay, the rest by the outbox: the first of an
    origin is the journal's, and the outbox repeats it or tells the only one."""
    told: dict[str, str] = {}
    for value in await ledger.values(SALE_OUTCOMES):
        told[value["origin"]] = value["detail"]
    return told
