"""Bookings in suspense that are still open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from services.runtime.database import Connection

OPEN: Final = """
    SELECT booking_key, unit, arrived, amount, open_amount, booked_on FROM ledger.suspense
    WHERE open_amount > 0 AND (booked_on, booking_key) > ($1, $2) ORDER BY booked_on, booking_key LIMIT $3"""


class SuspensePlace(NamedTuple):
    """A booking's place in the list."""

    booked_on: date
    booking_key: str


FROM_THE_OLDEST: Final = SuspensePlace(date.min, "")


@dataclass(frozen=True, slots=True)
class OpenBooking:
    """One booking; amounts in minor units."""

    booking_key: str
    unit: str
    arrived: bool
    amount: int
    open_amount: int
    booked_on: date


async def read_suspense(conn: Connection, *, after: SuspensePlace, limit: int) -> list[OpenBooking]:
    """Oldest first, after a place, at most `limit`."""
    return [OpenBooking(*row) for row in await conn.fetch(OPEN, *after, limit)]
