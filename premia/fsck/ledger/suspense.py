"""Bookings in suspense: what is still open of each, replayed from the journal.

Goal: nobody clears more than the bank booked, and what a person still has to clear is what the table says.
Method: a booking opens with its amount, and every cause that clears says of which booking and how much (below zero where a
clearing was taken back); so much must have moved on the account suspense. Bookings that match nothing are few (hundreds), so
all are in memory.
Source: design, section 6.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

from premia.fsck.deviation import Deviation, DeviationCode
from premia.fsck.ledger.leaf import Leaf
from premia.fsck.ledger.transaction import Transaction
from premia.fsck.streams import Connection, open_stream

PAGE_ROWS: Final = 1_000
KEPT: Final = """
    SELECT booking_key, unit, arrived, amount, open_amount, booked_on::text FROM ledger.suspense ORDER BY booking_key"""


@dataclass(slots=True)
class Suspended:
    """One booking, in minor units of `unit`."""

    unit: str
    arrived: bool
    amount: int
    open_amount: int
    booked_on: str

    def __str__(self) -> str:
        came = "arrived" if self.arrived else "left"
        return f"{self.open_amount} of {self.amount} {self.unit} open, {came} on {self.booked_on}"


@dataclass(slots=True)
class Suspense:
    """All bookings in suspense, by their key."""

    bookings: dict[str, Suspended] = field(default_factory=dict)

    def follow(self, leaf: Leaf) -> list[Deviation]:
        """Take one leaf. Raises KeyError or TypeError where it is none of ours."""
        cause = leaf["cause"]
        if leaf["kind"] == "suspended":
            (transfer,) = leaf["transfers"]
            amount, arrived = transfer["amount_minor"], transfer["debit"]["purpose"] == "bank"
            self.bookings[cause["booking_key"]] = Suspended(transfer["unit"], arrived, amount, amount, leaf["effective_on"])
        # Every part of a transaction tells its cause, and only the first counts.
        found = []
        for part in cause.get("clears", ()) if leaf["part"] == 1 else ():
            booking = self.bookings.get(part["booking_key"])
            where = f"leaf {leaf['leaf_index']}: booking {part['booking_key']}"
            if booking is None:
                found.append(Deviation(DeviationCode.CLEARED_TOO_MUCH, where, "a booking in suspense", "none"))
                continue
            left = booking.open_amount - part["amount_minor"]
            if not 0 <= left <= booking.amount:
                expected = f"between 0 and {booking.amount} open after it"
                found.append(Deviation(DeviationCode.CLEARED_TOO_MUCH, where, expected, f"{left}"))
            booking.open_amount = left
        return found

    def check_moved(self, transaction: Transaction) -> list[Deviation]:
        """Compare what was moved on the account suspense with what was cleared. Openings and corrections move more there."""
        if transaction.kind in {"suspended", "opened", "corrected"}:
            return []
        moved: Counter[str] = Counter()
        for transfer in transaction.transfers:
            for side, sign in (("debit", 1), ("credit", -1)):
                if transfer[side]["purpose"] == "suspense":
                    moved[transfer["unit"]] += sign * transfer["amount_minor"]
        cleared: Counter[str] = Counter()
        for part in transaction.clears:
            if (booking := self.bookings.get(part["booking_key"])) is not None:  # else `follow` names it
                cleared[booking.unit] += part["amount_minor"] if booking.arrived else -part["amount_minor"]
        return [
            Deviation(DeviationCode.CLEARED_OTHERWISE, transaction.where, f"{cleared[unit]} {unit} debited", f"{moved[unit]}")
            for unit in sorted(moved.keys() | cleared.keys())
            if moved[unit] != cleared[unit]
        ]


async def check_suspense(conn: Connection, suspense: Suspense) -> AsyncIterator[Deviation]:
    """Yield where the kept rows differ, once all leaves were followed."""
    missing = set(suspense.bookings)
    rows = await open_stream(conn, KEPT, page_rows=PAGE_ROWS)
    while (row := rows.row) is not None:
        key, *members = row
        missing.discard(key)
        expected, found = suspense.bookings.get(key), Suspended(*members)
        if found != expected:
            yield Deviation(DeviationCode.SUSPENSE_WRONG, f"booking {key}", f"{expected or 'no row'}", f"{found}")
        await rows.advance()
    for key in sorted(missing):
        yield Deviation(DeviationCode.SUSPENSE_WRONG, f"booking {key}", f"{suspense.bookings[key]}", "no row")
