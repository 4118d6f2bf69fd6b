"""What the relay of the journal publishes: every transaction, and right after it the outcome that it settles.

Goal: whoever waits for the outcome of a command or of a sale has seen the transaction first, in the same order as the log.
Method: the outcome of what was posted is announced with its first leaf; it is not in the outbox. Rows come from the journal,
and messages are made of rows; if the batch that comes next was just committed by this process, of the rows that it wrote there.
Tests compare the two for whatever they post.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from schemas.message import Message
from schemas.sale_outcome import Outcome
from services.ledger.adapters.messages import command_outcome_message, sale_outcome_message, transaction_message
from services.ledger.domain.entitlement import Cause
from services.ledger.use_cases.just_posted import PostedRows
from services.ledger.use_cases.save_books import COMMAND, ENTITLEMENT, JOURNAL, Pages
from services.runtime.kafka import IN_ONE_GO_MAX

if TYPE_CHECKING:
    from services.ledger.use_cases.just_posted import JustPosted, Row
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


async def next_messages(just_posted: JustPosted, conn: Connection, leaf_index: int, limit: int) -> list[tuple[int, Message]]:
    """As `journal_after`; a batch that is at hand is given as a whole."""
    at_hand = just_posted.take(leaf_index + 1)
    return await journal_after(conn, leaf_index, limit) if at_hand is None else await messages_of(at_hand)


async def journal_after(conn: Connection, leaf_index: int, limit: int) -> list[tuple[int, Message]]:
    """Messages of up to `limit` leaves after `leaf_index`, each with its leaf index, in order of the log."""
    leaves = await conn.fetch(LEAVES, leaf_index, limit)
    if not leaves:
        return []
    until = leaves[-1]["leaf_index"]
    sales = await conn.fetch(POSTED_SALES, leaf_index, until)
    return await messages_of(PostedRows(leaves, sales, await conn.fetch(POSTED_COMMANDS, leaf_index, until)))


def _columns(table: Sequence[str], names: str) -> Callable[[Row], Row]:
    return itemgetter(*[table.index(name) for name in names.split()])


_leaf: Final = _columns(JOURNAL, "leaf_index transaction_id subject_id recorded_at leaf")
_sale: Final = _columns(
    ENTITLEMENT, "first_leaf sale_source sale_id sale_hash origin refiner_id lot_id revision sequence detail recorded_at"
)
_command: Final = _columns(COMMAND, "first_leaf command_id command_hash subject_id code transaction_id recorded_at")
_CAUSE: Final = ENTITLEMENT.index("cause")


def rows_of(pages: Pages) -> PostedRows:
    """What the statements above will give of a batch."""
    if not pages.journal:
        return PostedRows()
    leaves = [_leaf(row) for row in pages.journal]
    first = leaves[0][0]
    sales = [_sale(row) for row in pages.entitlements if row[_CAUSE] == Cause.SALE]
    commands = [_command(row) for row in pages.commands]
    return PostedRows(leaves, *([row for row in rows if row[0] is not None and row[0] >= first] for rows in (sales, commands)))


async def messages_of(rows: PostedRows) -> list[tuple[int, Message]]:
    """Each leaf's message, and after it the outcome that it settles."""
    sales = {row[0]: row for row in rows.sales}
    commands = {row[0]: row for row in rows.commands}
    messages = []
    for number, (position, transaction_id, subject_id, recorded_at, leaf) in enumerate(rows.leaves, start=1):
        transaction = transaction_message(
            transaction_id=transaction_id, subject_id=subject_id, recorded_at=recorded_at, leaf=leaf
        )
        messages.append((position, transaction))
        if position in sales:
            messages.append((position, _sale_outcome(sales[position])))
        if position in commands:
            messages.append((position, _command_outcome(commands[position])))
        if number % IN_ONE_GO_MAX == 0:
            await asyncio.sleep(0)
    return messages


def _sale_outcome(row: Row) -> Message:
    _, sale_source, sale_id, sale_hash, origin, refiner_id, lot_id, revision, sequence, detail, recorded_at = row
    return sale_outcome_message(
        sale_source=sale_source,
        sale_id=sale_id,
        sale_hash=sale_hash,
        origin=origin,
        refiner_id=refiner_id,
        lot_id=lot_id,
        revision=revision,
        sequence=sequence,
        outcome=Outcome.ACCEPTED,
        detail=detail,
        field=None,
        message=None,
        recorded_at=recorded_at,
    )


def _command_outcome(row: Row) -> Message:
    _, command_id, command_hash, subject_id, code, transaction_id, recorded_at = row
    return command_outcome_message(
        command_id=command_id,
        command_hash=command_hash,
        key=subject_id.encode(),
        code=code,
        transaction_id=transaction_id,
        message=None,
        recorded_at=recorded_at,
    )
