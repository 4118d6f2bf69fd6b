"""Put a booking that nobody can be named for into suspense.

Goal: what the bank booked is in our books, whatever we make of it; a person clears it.
Source: design, sections 3.4 and 6.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Final

from schemas.identity import derived_id
from schemas.ledger_command import Direction, Subject, Suspend
from schemas.ledger_words import OwnerKind
from services.payout.bank.amount import amount_text
from services.payout.use_cases.send_ledger_commands import CommandToSend, send_ledger_commands

if TYPE_CHECKING:
    from services.runtime.database import Connection

BOOKING: Final = """
    SELECT b.direction, b.amount_minor, b.currency, b.booked_on FROM payout.booking AS b
    WHERE b.booking_key = $1
      AND NOT EXISTS (SELECT FROM payout.ledger_command AS c WHERE c.booking_key = b.booking_key AND c.kind = 'suspend')"""


def suspend_command(
    *, programme: str, booking_key: str, direction: Direction, amount_minor: int, currency: str, booked_on: date
) -> Suspend:
    """The command for one booking; one for each key, for ever."""
    return Suspend(
        command_id=derived_id("command", "suspend", booking_key),
        subject=Subject(kind=OwnerKind.PROGRAMME, id=programme),
        effective_on=booked_on,
        currency=currency,
        amount=amount_text(amount_minor, currency),
        direction=direction,
        booking_key=booking_key,
    )


async def suspend_refused_booking(conn: Connection, booking_key: str, *, programme: str, now: datetime) -> bool:
    """Suspend a booking whose command the ledger refused; once, however often it is asked. Returns whether it did so now."""
    row = await conn.fetchrow(BOOKING, booking_key)
    if row is None:
        return False
    command = suspend_command(
        programme=programme,
        booking_key=booking_key,
        direction=Direction(row["direction"]),
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        booked_on=row["booked_on"],
    )
    await send_ledger_commands(conn, [CommandToSend(command, booking_key=booking_key)], now)
    return True
