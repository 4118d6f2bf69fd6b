"""Load what clearings and corrections look at: bookings in suspense, and transactions that are to be taken back.

Method: as load_books, under the lock on the log head; nothing is asked for a batch without such commands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from services.ledger.adapters.posted_leaf import read_posted
from services.ledger.domain.books import Books, SuspendedBooking
from services.ledger.domain.command import AgainstBooking, Clear, Correct, Open, Order

if TYPE_CHECKING:
    from services.runtime.database import Connection

# All parts of a transaction, which is named by its first: taken back are all of them or none.
POSTED: Final = """
    SELECT j.transaction_id, p.leaf, r.transaction_id IS NOT NULL AS reversed_before
    FROM ledger.journal AS j
    JOIN ledger.journal AS p ON p.leaf_index >= j.leaf_index AND p.leaf_index < j.leaf_index + j.parts
    LEFT JOIN ledger.reversal AS r ON r.transaction_id = j.transaction_id
    WHERE j.transaction_id = ANY ($1::uuid[]) AND j.part = 1 ORDER BY p.leaf_index"""
SUSPENDED: Final = """
    SELECT booking_key, unit, arrived, amount, open_amount, booked_on FROM ledger.suspense
    WHERE booking_key = ANY ($1::text[])"""


async def load_suspense(conn: Connection, books: Books, orders: Sequence[Order]) -> None:
    """Load them for these orders."""
    reversed_ids = [order.reverses for order in orders if isinstance(order, Correct) and order.reverses is not None]
    if reversed_ids:
        rows = await conn.fetch(POSTED, reversed_ids)
        for transaction_id in {row["transaction_id"] for row in rows}:
            parts = [row for row in rows if row["transaction_id"] == transaction_id]
            leaves = [row["leaf"] for row in parts]
            books.posted[transaction_id] = read_posted(leaves, reversed_before=parts[0]["reversed_before"])
    booking_keys = {key for order in orders for key in _booking_keys(order)}
    booking_keys |= {part.booking_key for posted in books.posted.values() for part in posted.clears}
    if booking_keys:
        await load_suspended(conn, books, booking_keys)


async def load_suspended(conn: Connection, books: Books, booking_keys: Iterable[str]) -> None:
    """Load bookings in suspense by their keys."""
    for row in await conn.fetch(SUSPENDED, sorted(booking_keys)):
        booking_key, *members = row
        books.suspended[booking_key] = SuspendedBooking(*members)


def _booking_keys(order: Order) -> Iterable[str]:
    match order:
        case Clear(booking_key=booking_key, against=AgainstBooking(booking_key=other_key)):
            return booking_key, other_key
        case Clear(booking_key=booking_key):
            return (booking_key,)
        case Open() | Correct():
            return [line.booking_key for line in order.lines if line.booking_key is not None]
        case _:
            return ()
