"""Ask the ledger for something.

Goal: a command leaves exactly if the decision behind it committed, and its outcome finds what it was for.
Method: the command is remembered and put into the outbox in the caller's SQL transaction. Command ids derive from what they
are about, so that the same decision can never ask twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from schemas.ledger_command import LedgerCommand
from services.payout.adapters.ledger_topic import ledger_command_message
from services.runtime.outbox import enqueue

if TYPE_CHECKING:
    from services.runtime.database import Connection

REMEMBER = """
    INSERT INTO payout.ledger_command (command_id, kind, order_id, booking_key, body, written_at)
    VALUES ($1, $2, $3, $4, $5, $6)"""


@dataclass(frozen=True, slots=True)
class CommandToSend:
    """A command, and the order or booking that it is about."""

    command: LedgerCommand
    order_id: UUID | None = None
    booking_key: str | None = None


async def send_ledger_commands(conn: Connection, commands: Sequence[CommandToSend], now: datetime) -> None:
    """Remember and enqueue the commands, in order. The ids must be new: asking twice is a broken assumption and raises."""
    messages = [ledger_command_message(entry.command, now) for entry in commands]
    await conn.executemany(
        REMEMBER,
        [
            (entry.command.command_id, entry.command.kind, entry.order_id, entry.booking_key, message.value, now)
            for entry, message in zip(commands, messages, strict=True)
        ],
    )
    await enqueue(conn, "payout", messages)
