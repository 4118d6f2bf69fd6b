"""What the relay of the journal publishes: every transaction, and right after it the outcome that it settles.

Goal: whoever waits for the outcome of a command or of a sale has seen the transaction first, in the same order as the log.
Method: the outcome of what was posted is announced with its first leaf; it is not in the outbox.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schemas.message import Message
from schemas.sale_outcome import Outcome
from services.ledger.adapters.messages import command_outcome_message, sale_outcome_message, transaction_message

if TYPE_CHECKING:
    from services.runtime.database import Connection

LEAVES: Final = """
    SELECT leaf_index, transaction_id::text, subject_id, recorded_at, leaf FROM ledger.journal
    WHERE leaf_index > $1 ORDER BY leaf_index LIMIT $2"""
POSTED_SALES: Final = """
    SELECT first_leaf, sale_source, sale_id, sale_hash, origin, refiner_id, lot_id, revision, sequence, detail, recorded_at
    FROM ledger.entitlement WHERE first_leaf > $1 AND first_leaf <= $2 AND cause = 'sale'"""
POSTED_COMMANDS: Final = """
    SELECT first_leaf, command_id, command_hash, subject_id, code, transaction_id, recorded_at
    FROM ledger.command WHERE first_leaf > $1 AND first_leaf <= $2"""


async def journal_after(conn: Connection, leaf_index: int, limit: int) -> list[tuple[int, Message]]:
    """Messages of up to `limit` leaves after `leaf_index`, each with its leaf index, in order of the log."""
    leaves = await conn.fetch(LEAVES, leaf_index, limit)
    if not leaves:
        return []
    last = leaves[-1]["leaf_index"]
    outcomes: dict[int, Message] = {}
    for row in await conn.fetch(POSTED_SALES, leaf_index, last):
        outcomes[row["first_leaf"]] = sale_outcome_message(
            sale_source=row["sale_source"],
            sale_id=row["sale_id"],
            sale_hash=row["sale_hash"],
            origin=row["origin"],
            refiner_id=row["refiner_id"],
            lot_id=row["lot_id"],
            revision=row["revision"],
            sequence=row["sequence"],
            outcome=Outcome.ACCEPTED,
            detail=row["detail"],
            field=None,
            message=None,
            recorded_at=row["recorded_at"],
        )
    for row in await conn.fetch(POSTED_COMMANDS, leaf_index, last):
        outcomes[row["first_leaf"]] = command_outcome_message(
            command_id=row["command_id"],
            command_hash=row["command_hash"],
            key=row["subject_id"].encode(),
            code=row["code"],
            transaction_id=row["transaction_id"],
            message=None,
            recorded_at=row["recorded_at"],
        )
    messages = []
    for row in leaves:
        position = row["leaf_index"]
        transaction = transaction_message(
            transaction_id=row["transaction_id"],
            subject_id=row["subject_id"],
            recorded_at=row["recorded_at"],
            leaf=row["leaf"],
        )
        messages.append((position, transaction))
        if position in outcomes:
            messages.append((position, outcomes[position]))
    return messages
