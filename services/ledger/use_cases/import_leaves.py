"""Enter leaves into the journal that were posted before and that the database has lost.

Goal: a database that was restored from an old backup has the journal of before again, byte for byte, and the books that follow
from it.
Method: leaves in the order of the log, some hundred in one SQL transaction under the lock on the log head, never part of what
one cause led to. They are read as they were published, replayed upon the books, and written as posting writes. An entitlement's
row and its lot's head need the entitlement itself: they are entered when it comes again (recovered_posting). Leaves that
another process has entered meanwhile are passed over.
Refuses: leaves that do not continue the journal or do not fit its books, by raising LogError (TILES_DISAGREE).
Source: docs/adr/0014.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Final
from uuid import UUID

from pydantic import ValidationError

from schemas.ledger_words import OutcomeCode
from services.ledger.adapters.posted_leaf import read_leaf
from services.ledger.domain.account import AccountKey
from services.ledger.domain.books import Books
from services.ledger.domain.replay import PostedLeaf, ReplayError, replay
from services.ledger.domain.transaction import CommandCause
from services.ledger.log_errors import LogError, LogFault
from services.ledger.use_cases.load_books import load_accounts, load_reservations
from services.ledger.use_cases.load_suspense import load_suspended
from services.ledger.use_cases.post_batch import LOCK_LOG_HEAD, MOVE_LOG_HEAD
from services.ledger.use_cases.save_books import Pages, save_books

if TYPE_CHECKING:
    from services.runtime.database import Connection

LEAVES_WANTED: Final = 1_000  # as many as a posting batch writes; at 60 KB a leaf 60 MB. A cause is never cut.
REMEMBER_POSTINGS: Final = """
    INSERT INTO ledger.recovered_posting (entitlement_id, first_leaf, leaves, recorded_at)
    SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::int[], $4::timestamptz[])"""


async def import_leaves(conn: Connection, leaves: AsyncIterator[bytes]) -> int:
    """Enter leaves, of which the first is not above the journal's size. Returns the journal's size. Raises LogError."""
    size = 0
    waiting: list[PostedLeaf] = []
    async for leaf in leaves:
        posted = _read(leaf)
        if len(waiting) >= LEAVES_WANTED and posted.cause_id != waiting[-1].cause_id:
            size = await _enter(conn, waiting)
            waiting = []
        waiting.append(posted)
    return await _enter(conn, waiting) if waiting else size


def _read(leaf: bytes) -> PostedLeaf:
    try:
        return read_leaf(leaf)
    except ValidationError as error:
        raise LogError(LogFault.TILES_DISAGREE, f"a leaf of the log cannot be read: {error}") from error


async def _enter(conn: Connection, leaves: Sequence[PostedLeaf]) -> int:
    async with conn.transaction():
        head = await conn.fetchrow(LOCK_LOG_HEAD)
        assert head is not None, "the first migration inserted the log head"
        missing = [leaf for leaf in leaves if leaf.leaf_index >= head["tree_size"]]
        if not missing:
            size: int = head["tree_size"]
            return size
        books = await _load(conn, missing)
        pages = Pages()
        for expected, leaf in enumerate(missing, start=head["tree_size"]):
            if leaf.leaf_index != expected:
                raise LogError(LogFault.TILES_DISAGREE, f"leaf {leaf.leaf_index} of the log comes where {expected} was due")
            _replay(books, pages, leaf)
        last_account_id = await save_books(conn, books, pages, head["last_account_id"])
        await _remember_postings(conn, missing)
        size = missing[-1].leaf_index + 1
        # The clock of now is in the head, which no later batch may go behind; the leaves have the times of before.
        await conn.execute(MOVE_LOG_HEAD, size, head["recorded_at"], last_account_id)
        return size


async def _load(conn: Connection, leaves: Sequence[PostedLeaf]) -> Books:
    books = Books()
    accounts: set[AccountKey] = set()
    for leaf in leaves:
        for transfer in leaf.transfers:
            accounts.update((transfer.debit, transfer.credit))
    await load_accounts(conn, books, accounts, {leaf.subject for leaf in leaves})
    causes = [leaf.cause for leaf in leaves if isinstance(leaf.cause, CommandCause)]
    await load_reservations(conn, books, [cause.reservation_id for cause in causes if cause.reservation_id is not None])
    await load_suspended(conn, books, {part.booking_key for cause in causes for part in cause.clears})
    return books


def _replay(books: Books, pages: Pages, leaf: PostedLeaf) -> None:
    try:
        replayed = replay(books, leaf)
    except ReplayError as error:
        raise LogError(LogFault.TILES_DISAGREE, str(error)) from error
    pages.subjects.add(leaf.subject)
    pages.journal.append(
        (
            leaf.leaf_index,
            leaf.transaction_id,
            *leaf.subject,
            leaf.subject_number,
            leaf.kind.value,
            leaf.part,
            leaf.parts,
            leaf.effective_on,
            leaf.recorded_at,
            leaf.cause_id,
            leaf.value,
        )
    )
    pages.transfers += [(leaf.leaf_index, number, transfer) for number, transfer in enumerate(leaf.transfers, start=1)]
    if replayed.reservation is not None:
        pages.reservations.update([replayed.reservation])
    pages.suspended.update(replayed.suspended)
    if isinstance(leaf.cause, CommandCause) and leaf.part == 1:
        _remember_command(pages, leaf, leaf.cause)


def _remember_command(pages: Pages, leaf: PostedLeaf, cause: CommandCause) -> None:
    pages.commands.append(
        (
            cause.command_id,
            cause.command_hash,
            cause.kind,
            leaf.subject.id,
            leaf.recorded_at,
            OutcomeCode.POSTED.value,
            None,
            leaf.transaction_id,
            leaf.leaf_index,
            leaf.parts,
        )
    )
    if cause.booking_key is not None:
        pages.bookings.append((cause.booking_key, cause.command_id, cause.kind))
    if cause.reverses is not None:
        pages.reversals.append((cause.reverses, cause.command_id))


async def _remember_postings(conn: Connection, leaves: Sequence[PostedLeaf]) -> None:
    postings: dict[UUID, list[PostedLeaf]] = {}
    for leaf in leaves:
        if not isinstance(leaf.cause, CommandCause):
            postings.setdefault(leaf.cause, []).append(leaf)
    if postings:
        rows = [(id_, made[0].leaf_index, len(made), made[0].recorded_at) for id_, made in postings.items()]
        await conn.execute(REMEMBER_POSTINGS, *zip(*rows, strict=True))
