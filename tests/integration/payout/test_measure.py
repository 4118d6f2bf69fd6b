"""Gauges say what is so now: what is paid, or released, is not held or open any more."""

from __future__ import annotations

from datetime import date

from prometheus_client import Gauge

from services.payout import metrics
from services.payout.use_cases.measure import measure
from tests.integration.payout.books import Books


def minor(gauge: Gauge) -> int:
    """Sum of a gauge over its labels."""
    return int(sum(sample.value for family in gauge.collect() for sample in family.samples))


async def measured(books: Books) -> tuple[int, int]:
    """Open and held, in cents."""
    async with books.payout.acquire() as conn:
        await measure(conn, books.registry, books.now)
    return minor(metrics.OPEN_ITEMS_MINOR), minor(metrics.HELD_MINOR)


async def test_what_is_held_and_open_goes_to_zero_with_the_last_of_its_currency(books: Books) -> None:
    await books.premium("1498.08")
    await books.carry()
    assert await measured(books) == (149_808, 149_808)
    await books.account("ORG-PE-012")
    assert await measured(books) == (149_808, 0)
    await books.prepare(date(2025, 3, 27))
    assert await measured(books) == (0, 0)
