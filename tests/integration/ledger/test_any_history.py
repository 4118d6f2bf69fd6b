"""Any history of entitlements and payments, in any order, repeated and torn into any batches, against a plain reference."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import asyncpg
import orjson
from aiokafka import ConsumerRecord
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.topics import ENTITLEMENTS, SALE_OUTCOMES
from services.ledger.use_cases.post_batch import post_batch
from tests.integration.ledger.conftest import MADE_EMPTY, Ledger
from tests.integration.ledger.records import command, entitlement
from tests.integration.ledger.reference import Reference
from tests.soak import examples

ORGANIZATIONS = ("ORG-1", "ORG-2")


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
def commands(draw: st.DrawFn) -> ConsumerRecord[Any, Any]:
    """A step of one of a few payments; the same step is the same command."""
    name, organization = draw(st.sampled_from("PQ")), draw(st.sampled_from(ORGANIZATIONS))
    kind = draw(st.sampled_from(["reserve", "reserve", "settle", "void", "return"]))
    label = f"{kind} {name} {organization}"
    amount = "1.00" if name == "P" else "3.00"
    parts = [{"scheme_id": "sbg", "payer_id": "PAY-1", "amount": amount}]
    members: dict[str, dict[str, Any]] = {
        "reserve": {"currency": "USD", "parts": parts, "seen_subject_number": 1_000},
        "settle": {"booking_key": f"paid {name}"},
        "void": {"reason": "REJECTED"},
        "return": {"booking_key": draw(st.sampled_from([f"back {name}", "paid P"])), "credited": amount, "charges": "0.00"},
    }
    label += members[kind].get("booking_key", "")
    return command(label, kind, ("org", organization), reservation=name, **members[kind])


@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(batches=st.lists(st.lists(entitlements() | commands(), max_size=12), max_size=6), crashes=st.sets(st.integers(0, 5)))
async def test_any_history_gives_the_balances_and_outcomes_of_the_reference(
    ledger: Ledger, batches: list[list[ConsumerRecord[Any, Any]]], crashes: set[int]
) -> None:
    admin = await asyncpg.connect(ledger.environment["DATABASE_URL"])
    try:
        await admin.execute(MADE_EMPTY)
    finally:
        await admin.close()
    reference = Reference()
    sales: dict[str, str] = {}
    answers: dict[str, str] = {}
    for number, batch in enumerate(batches):
        for record in batch:
            value = orjson.loads(record.value)
            if record.topic == ENTITLEMENTS:
                sales[dict(record.headers)["ce_origin"].decode()] = reference.entitlement(record)
            else:
                answers[value["command_id"]] = reference.command(value["command_id"], value)
        if number in crashes:
            transaction = ledger.conn.transaction()
            await transaction.start()
            await post_batch(ledger.conn, batch)
            await transaction.rollback()
        await ledger.post(*batch)
    assert await ledger.balances() == reference.balances()
    assert await ledger.deviations() == []
    told = await _last_told(ledger)
    assert {origin: told[origin] for origin in sales} == sales
    outcomes = [value for value in await ledger.values("ledger.transactions.v1") if "code" in value]
    assert {value["command_id"]: value["code"] for value in outcomes} == answers


async def _last_told(ledger: Ledger) -> dict[str, str]:
    """The outcome of each origin. What has a leaf is told by the journal's relay, the rest by the outbox: the first of an
    origin is the journal's, and the outbox repeats it or tells the only one."""
    told: dict[str, str] = {}
    for value in await ledger.values(SALE_OUTCOMES):
        told[value["origin"]] = value["detail"]
    return told
