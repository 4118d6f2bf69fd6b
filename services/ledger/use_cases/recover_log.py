"""Find out, before anything is read, whether the database was taken back, and take back from the log what it lost.

Goal: after a restore of an old backup the ledger goes on where it was: one log, no fork, nothing posted twice.
Method: the journal is compared with the log's folder and with what Kafka has, the newest checkpoint and the last leaves that
were told. If it has fewer leaves than were signed or told, the missing ones are taken from the folder's entries, and what that
does not have from ledger.transactions.v1. All of them must hash to every root that was signed before the first is entered.
What was told beyond the last checkpoint is entered too, because its readers have seen it. Refused commands are answered again
as they were.
Refuses: stories that differ (TILES_DISAGREE); leaves that are nowhere (LEAVES_MISSING).
Source: docs/adr/0014.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from services.ledger.adapters.checkpoint import Checkpoint
from services.ledger.adapters.growing_log import edge_at
from services.ledger.adapters.kafka_copies import drop_spool, newest_published, spool_told, spooled_leaves, told_size
from services.ledger.adapters.log_folder import LogFolder
from services.ledger.adapters.log_keys import LogKeys
from services.ledger.adapters.posted_leaf import read_leaf
from services.ledger.domain.merkle import leaf_hash, root_hash
from services.ledger.domain.right_edge import RightEdge
from services.ledger.domain.tiles import TILE_WIDTH, subtrees_in_tiles
from services.ledger.domain.transaction import CommandCause
from services.ledger.log_errors import LogError, LogFault
from services.ledger.use_cases.compare_log import LEAVES, Compared, compare_log
from services.ledger.use_cases.import_leaves import import_leaves
from services.runtime.database import LOCK_POLL_S, hold_alone

if TYPE_CHECKING:
    from services.runtime.database import Connection

LEAVES_AT_ONCE: Final = 1_000  # read to be hashed: 1.5 MB as a rule, 60 at most

log = logging.getLogger(__name__)


async def recover_log(conn: Connection, folder: LogFolder, keys: LogKeys) -> None:
    """Compare, and recover if need be. `conn` is outside of any SQL transaction and may keep a lock. Raises LogError."""
    told = await told_size()  # before the journal's size, which another process may let grow: it tells what it committed
    compared = await compare_log(conn, folder, keys)
    published = await newest_published(keys)
    if not _is_behind(compared, published, told):
        await _check_published(conn, folder, compared, published)
        return
    await hold_alone(conn, "recover ledger")
    while _is_behind(compared := await compare_log(conn, folder, keys), published, told):
        if folder.hold():
            try:
                if not _is_behind(compared, published, 0):
                    await _check_published(conn, folder, compared, published)
                await _recover(conn, folder, compared, published)
            finally:
                folder.release()
            return
        if not _is_behind(compared, published, 0):
            return  # who has the folder seals, and took back before that what could be: not always all that was told
        await asyncio.sleep(LOCK_POLL_S)


def _is_behind(compared: Compared, published: Checkpoint | None, told: int) -> bool:
    """Leaves that were told count if our keys signed any: in a log that begins, those are of one that was before."""
    signed = max(compared.sealed_size, 0 if published is None else published.size)
    return compared.journal_size < (max(signed, told) if signed else 0)


async def _check_published(conn: Connection, folder: LogFolder, compared: Compared, published: Checkpoint | None) -> None:
    """The journal, and the folder as far as it goes, must be of the story that was published."""
    if published is None:
        return
    if published.size <= compared.sealed_size:
        await asyncio.to_thread(_check_folder, folder, compared.sealed_size, published)
        return
    edge = await asyncio.to_thread(edge_at, folder, compared.sealed_size, compared.sealed_size)
    await _append(edge, _journal(conn, edge.size, published.size), [published])


def _check_folder(folder: LogFolder, folder_size: int, published: Checkpoint) -> None:
    if root_hash(published.size, subtrees_in_tiles(folder.hashes, folder_size)) != published.root:
        raise LogError(
            LogFault.TILES_DISAGREE, f"{folder.path} is not the log of {published.size} leaves that was published on Kafka"
        )


async def _recover(conn: Connection, folder: LogFolder, compared: Compared, published: Checkpoint | None) -> None:
    first, sealed = compared.journal_size, compared.sealed_size
    signed = sorted(
        [checkpoint for checkpoint in (compared.stored and compared.stored[0], published) if checkpoint is not None],
        key=lambda checkpoint: checkpoint.size,
    )
    log.warning("the journal has %d leaves, %d were signed, and more may have been told", first, signed[-1].size)
    if published is not None and published.size <= sealed:
        await asyncio.to_thread(_check_folder, folder, sealed, published)
    await spool_told(conn, max(first, sealed))
    if first <= sealed:
        edge = await asyncio.to_thread(edge_at, folder, sealed, first)
    else:
        edge = await asyncio.to_thread(edge_at, folder, sealed, sealed)
        await _append(edge, _journal(conn, sealed, first), [])
    await _append(edge, _lost(conn, folder, first, sealed), signed)
    end = await _whole_causes_end(conn, folder, max(first, signed[-1].size), sealed)
    if end > first:
        size = await import_leaves(conn, _until(_lost(conn, folder, first, sealed), end - first))
        assert size >= end, "all leaves that were found are in the journal"
    await asyncio.to_thread(folder.drop_beyond, sealed)
    await drop_spool(conn)
    log.warning("took back %d leaves, from %d on; what led to them is read again and posts nothing", end - first, first)


async def _append(edge: RightEdge, leaves: AsyncIterator[bytes], signed: list[Checkpoint]) -> None:
    """Let the log grow until the last signed size, and compare each root that was signed. Without any, until the end."""
    due = [checkpoint for checkpoint in signed if checkpoint.size > edge.size]
    async for leaf in leaves:
        edge.append(leaf_hash(leaf))
        while due and due[0].size == edge.size:
            if due.pop(0).root != edge.root():
                raise LogError(
                    LogFault.TILES_DISAGREE,
                    f"the leaves that there are do not hash to the root of {edge.size} leaves that was signed",
                )
        if signed and not due:
            return
    if due:
        raise LogError(
            LogFault.LEAVES_MISSING,
            f"{due[-1].size} leaves were signed, and leaf {edge.size} is neither in the log's folder nor on Kafka",
        )


async def _journal(conn: Connection, first: int, end: int) -> AsyncIterator[bytes]:
    while first < end:
        rows = await conn.fetch(LEAVES, first, min(end, first + LEAVES_AT_ONCE))
        for row in rows:
            yield row["leaf"]
        first += len(rows)


async def _lost(conn: Connection, folder: LogFolder, first: int, sealed: int) -> AsyncIterator[bytes]:
    """Leaves from `first` on: those of the folder, then those on Kafka, as far as there is no gap."""
    while first < sealed:
        number, place = divmod(first, TILE_WIDTH)
        entries = await asyncio.to_thread(folder.entries, number, min(TILE_WIDTH, sealed - number * TILE_WIDTH))
        for leaf in entries[place:]:
            yield leaf
        first += len(entries) - place
    async for leaf in spooled_leaves(conn, first):
        yield leaf


async def _whole_causes_end(conn: Connection, folder: LogFolder, whole_size: int, sealed: int) -> int:
    """Where the last cause ends of which all leaves are here. Up to a checkpoint and in the journal, batches are whole.

    Beyond it, an entitlement's last leaf is not marked as such: it is known by what follows it.
    """
    end = whole_end = whole_size
    cause_id = None
    async for leaf in _lost(conn, folder, whole_size, sealed):
        posted = read_leaf(leaf)
        if posted.cause_id != cause_id:
            whole_end, cause_id = end, posted.cause_id
        end += 1
        if isinstance(posted.cause, CommandCause) and posted.part == posted.parts:
            whole_end = end
    return whole_end


async def _until(leaves: AsyncIterator[bytes], count: int) -> AsyncIterator[bytes]:
    async for leaf in leaves:
        if count == 0:
            return
        count -= 1
        yield leaf
