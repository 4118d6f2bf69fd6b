"""Gaps in the refiners' sequences, against a real PostgreSQL: opened, closed late, mended by another number."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import orjson
import pytest
from aiokafka import ConsumerRecord

from schemas.cloudevents import CloudEventAttributes
from schemas.sale_outcome import SALE_OUTCOME_TYPE
from schemas.topics import SALE_OUTCOMES
from services.ledger.metrics import UNREADABLE_OUTCOMES_TOTAL
from services.ledger.use_cases.sequence_gaps import GapKind, gap_figures, sequence_gaps
from services.ledger.use_cases.track_sequences import track_sequences
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.records import entitlement, record

START: Final = datetime(2025, 3, 14, 12, tzinfo=UTC)


@pytest.fixture
async def books(ledger: Ledger) -> Ledger:
    """An empty ledger without any sequence."""
    await ledger.conn.execute("DELETE FROM ledger.sequence_range")
    await ledger.conn.execute("DELETE FROM ledger.sequence_rejection")
    return ledger


def outcome(
    sequence: int | None,
    told: str = "accepted",
    *,
    refiner: str | None = "REF-1",
    lot: str = "LOT-1",
    revision: int | None = 1,
    code: str = "FINENESS_OUT_OF_RANGE",
    field: str = "assays.0.fineness_permille",
    source: str | None = None,
    hour: int = 0,
) -> ConsumerRecord[Any, Any]:
    value = {
        "source": source or f"/refiners/{refiner}",
        "id": "event",
        "hash": None,
        "origin": f"gold.sales.v1/0/{sequence}",
        "refiner_id": refiner,
        "lot_id": lot,
        "revision": revision,
        "sequence": sequence,
        "outcome": told,
        "detail": code if told == "rejected" else told,
        "field": field if told == "rejected" else None,
        "message": None,
    }
    attributes = CloudEventAttributes("id", "/ledger", SALE_OUTCOME_TYPE, START + timedelta(hours=hour))
    return record(SALE_OUTCOMES, b"key", orjson.dumps(value), attributes.to_headers())


async def track(books: Ledger, *records: ConsumerRecord[Any, Any]) -> None:
    async with books.conn.transaction():
        await track_sequences(books.conn, records)


async def open_numbers(books: Ledger) -> list[tuple[str, int, int]]:
    return [(numbers.kind.value, numbers.first, numbers.last) for numbers in await sequence_gaps(books.conn)]


async def test_a_gap_is_seen_when_the_next_number_comes_and_closed_by_late_arrivals(books: Ledger) -> None:
    await track(books, outcome(4182), outcome(4186, hour=1), outcome(4187, "duplicate", hour=2))
    assert await open_numbers(books) == [("missing", 4183, 4185)]
    await track(books, outcome(4184, hour=3))
    assert await open_numbers(books) == [("missing", 4183, 4183), ("missing", 4185, 4185)]
    figures = await gap_figures(books.conn, START + timedelta(hours=25))
    assert (figures.gaps_by_kind[GapKind.MISSING], figures.oldest_seconds) == (2, 24 * 3600)
    await track(books, outcome(4185), outcome(4183), outcome(4183))
    assert await open_numbers(books) == []
    assert (await gap_figures(books.conn, START)).oldest_seconds == 0


async def test_a_rejected_number_is_open_until_its_own_number_is_accepted(books: Ledger) -> None:
    await track(books, outcome(1), outcome(2, "rejected", lot="LOT-2"), outcome(3))
    (numbers,) = await sequence_gaps(books.conn, "REF-1")
    assert (numbers.kind, numbers.first, numbers.lot_id, numbers.code) == (
        GapKind.REJECTED,
        2,
        "LOT-2",
        "FINENESS_OUT_OF_RANGE",
    )
    assert await sequence_gaps(books.conn, "REF-2") == []
    await track(books, outcome(2, "accepted", lot="LOT-2"))
    assert await open_numbers(books) == []
    await track(books, outcome(2, "rejected", lot="LOT-2"))  # told again, late
    assert await open_numbers(books) == []


async def test_a_mended_resend_closes_the_gap_under_another_number(books: Ledger) -> None:
    await track(books, outcome(1), outcome(2, "rejected", lot="LOT-2", revision=2), outcome(3))
    await books.post(entitlement(lot="LOT-2", refiner="REF-1", revision=1))
    await track(books, outcome(4, lot="LOT-2", revision=1))
    assert await open_numbers(books) == [("rejected", 2, 2)], "an earlier revision mends nothing"
    await books.post(entitlement(lot="LOT-2", refiner="REF-1", revision=3))
    await track(books, outcome(5, lot="LOT-2", revision=3))
    assert await open_numbers(books) == []


async def test_a_mended_resend_under_a_lower_number_counts_once_the_refiner_has_counted_past(books: Ledger) -> None:
    await books.post(entitlement(lot="LOT-9", refiner="REF-1"))
    await track(books, outcome(1), outcome(9, "rejected", lot="LOT-9"), outcome(2, lot="LOT-9"))
    assert await open_numbers(books) == [("rejected", 9, 9)]
    await track(books, outcome(10))
    assert await open_numbers(books) == [("missing", 3, 8)]


async def test_a_conflict_leaves_no_gap_since_the_first_event_of_the_revision_stands(books: Ledger) -> None:
    await books.post(entitlement(lot="LOT-1", refiner="REF-1"))
    await track(books, outcome(1), outcome(2, "rejected", code="CONFLICTING_PAYLOAD"), outcome(3, lot="LOT-3"))
    assert await open_numbers(books) == []


async def test_what_may_not_be_the_refiners_own_and_what_says_no_number_does_not_count(books: Ledger) -> None:
    await track(
        books,
        outcome(1),
        outcome(900, "rejected", code="SIGNATURE_INVALID"),
        outcome(901, "rejected", code="SCHEMA_INVALID", source="/refiners/OTHER"),
        outcome(902, "rejected", refiner="REF-X", code="UNKNOWN_ORGANIZATION", field="refiner_id"),
        outcome(None, "rejected"),
        outcome(5, "rejected", refiner=None),
        record(SALE_OUTCOMES, b"key", b"{}", ()),
    )
    assert await open_numbers(books) == []


async def test_refiners_count_apart_and_any_order_in_any_batches_ends_the_same(books: Ledger) -> None:
    chance = random.Random(20250314)
    numbers = [(refiner, number) for refiner in ("REF-1", "REF-2") for number in range(10, 200) if number % 17]
    outcomes = [outcome(number, refiner=refiner) for refiner, number in numbers] * 2
    chance.shuffle(outcomes)
    while outcomes:
        size = chance.randint(1, 60)
        await track(books, *outcomes[:size])
        outcomes = outcomes[size:]
    expected = [("missing", number, number) for number in range(17, 190, 17)]
    assert await open_numbers(books) == expected * 2


async def test_only_the_ledger_writes_them(books: Ledger) -> None:
    conn = await asyncpg.connect(books.environment["PREMIA_READER_DATABASE_URL"])
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute("DELETE FROM ledger.sequence_range")
    finally:
        await conn.close()


@pytest.mark.parametrize(
    ("value", "time"),
    [
        (b"", b"2025-03-14T12:00:00Z"),
        (b"{}", b"2025-03-14T12:00:00Z"),
        (outcome(2).value.replace(b'"accepted"', b'"perhaps"'), b"2025-03-14T12:00:00Z"),
        (outcome(2).value, None),
        (outcome(2).value, b""),
        (outcome(2).value, b"yesterday"),
        (outcome(2).value, b"\xff"),
    ],
)
async def test_what_is_no_outcome_is_counted_and_passed_over(books: Ledger, value: bytes, time: bytes | None) -> None:
    (counted,) = UNREADABLE_OUTCOMES_TOTAL.collect()
    before = counted.samples[0].value
    unreadable = record(SALE_OUTCOMES, b"key", value, () if time is None else (("ce_time", time),))
    nothing = record(SALE_OUTCOMES, b"key", None, (("ce_time", None),))
    await track(books, outcome(1), unreadable, nothing, outcome(3))
    assert await open_numbers(books) == [("missing", 2, 2)]
    (counted,) = UNREADABLE_OUTCOMES_TOTAL.collect()
    assert counted.samples[0].value == before + 2
