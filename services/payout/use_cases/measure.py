"""Set the gauges from what the database says now."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Final

from prometheus_client import Gauge

from services.payout import metrics
from services.payout.domain.booking_match import SuspendCode
from services.payout.domain.order_state import OrderState
from services.payout.domain.settlement import CarryCode, HoldCode
from services.payout.registry_view import RegistryView
from services.payout.use_cases.read_money import COUNTS, ORDER_STATES, read_outlook

if TYPE_CHECKING:
    from services.runtime.database import Connection

OPEN_ITEMS: Final = """
    SELECT currency, sum(amount_minor)::bigint AS amount_minor,
        min(effective_on) FILTER (WHERE amount_minor > 0) AS oldest_on
    FROM payout.open_item WHERE order_id IS NULL GROUP BY currency"""
OLDEST_AT_BANK: Final = """
    SELECT min(f.written_at) FROM payout.bank_file AS f
    JOIN payout.attempt AS t USING (file_id) JOIN payout.payout_order AS o USING (order_id)
    WHERE o.state IN ('sending', 'sent', 'accepted')"""
SUSPENDED: Final = """
    SELECT b.code, count(*) AS bookings FROM payout.booking AS b
    WHERE b.disposition = 'suspend'
      AND b.amount_minor > (SELECT coalesce(sum(c.amount_minor), 0) FROM payout.booking_clearing AS c
                            WHERE c.booking_key = b.booking_key)
    GROUP BY b.code"""


async def measure(conn: Connection, registry: RegistryView, now: datetime) -> None:
    """Measure once. A label that no longer occurs goes to zero, not away."""
    counts = await conn.fetchrow(COUNTS)
    assert counts is not None, "a SELECT without FROM has one row"
    metrics.TREE_SIZE.set(counts["tree_size"])
    metrics.QUARANTINED_FILES.set(counts["files_quarantined"])
    metrics.FILES_SENDING.set(counts["files_sending"])
    metrics.COMMANDS_OPEN.set(counts["commands_open"])
    orders = {row["state"]: row["orders"] for row in await conn.fetch(ORDER_STATES)}
    for state in OrderState:
        metrics.ORDERS.labels(state.value).set(orders.get(state.value, 0))
    oldest_on = None
    open_items = await conn.fetch(OPEN_ITEMS)
    _to_zero(metrics.OPEN_ITEMS_MINOR)
    for row in open_items:
        metrics.OPEN_ITEMS_MINOR.labels(row["currency"]).set(row["amount_minor"])
        if row["oldest_on"] is not None and (oldest_on is None or row["oldest_on"] < oldest_on):
            oldest_on = row["oldest_on"]
    oldest_at = None if oldest_on is None else datetime.combine(oldest_on, time(), UTC)
    metrics.OLDEST_OPEN_ITEM_SECONDS.set(_age_s(oldest_at, now))
    metrics.OLDEST_ORDER_AT_BANK_SECONDS.set(_age_s(await conn.fetchval(OLDEST_AT_BANK), now))
    suspended = {row["code"]: row["bookings"] for row in await conn.fetch(SUSPENDED)}
    for code in SuspendCode:
        metrics.SUSPENDED_BOOKINGS.labels(code.value).set(suspended.get(code.value, 0))
    await _measure_outlook(conn, registry)


async def _measure_outlook(conn: Connection, registry: RegistryView) -> None:
    outlook = await read_outlook(conn, registry)
    _to_zero(metrics.HELD_MINOR, metrics.CARRIED_OVER_MINOR)
    for currency in {result.payee.currency for result in outlook.results}:
        for hold_code in HoldCode:
            held = [r.amount_minor for r in outlook.held() if r.code is hold_code and r.payee.currency == currency]
            metrics.HELD_MINOR.labels(currency, hold_code.value).set(sum(held))
        for carry_code in CarryCode:
            carried = [r.amount_minor for r in outlook.carried_over() if r.code is carry_code and r.payee.currency == currency]
            metrics.CARRIED_OVER_MINOR.labels(currency, carry_code.value).set(sum(carried))


def _to_zero(*gauges: Gauge) -> None:
    """Set what was measured before: a currency in which nothing is left has no row. Nothing is awaited until the new values."""
    for gauge in gauges:
        for family in gauge.collect():
            for sample in family.samples:
                gauge.labels(**sample.labels).set(0)


def _age_s(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())
