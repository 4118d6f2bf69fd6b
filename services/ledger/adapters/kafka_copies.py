"""What Kafka has of the log: a copy of every checkpoint, every leaf and every outcome that was told.

Goal: a ledger that was taken back knows that it was, and finds what it lost.
Method: the last record of ledger.checkpoints.v1 that our keys signed says how far the log was sealed, the last ones of
ledger.transactions.v1 how far it was told. To take leaves back, that topic is read from its beginning, once: a restore is rare,
and no offset of before can be trusted after it. Leaves go to a temporary table, whatever their number; outcomes without a leaf
to the one that commands are looked up in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from schemas.cloudevents import CloudEventAttributes, HeaderFault, from_headers
from schemas.ledger_transaction import LEDGER_OUTCOME_TYPE, LEDGER_TRANSACTION_TYPE
from schemas.ledger_words import OutcomeCode
from schemas.topics import LEDGER_CHECKPOINTS, LEDGER_TRANSACTIONS
from services.ledger.adapters.checkpoint import Checkpoint, read_checkpoint
from services.ledger.adapters.log_keys import LogKeys
from services.ledger.adapters.signed_note import NoteError, read_note
from services.ledger.log_errors import LogError, LogFault
from services.runtime.topic_log import Records, open_log

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiokafka import ConsumerRecord

    from services.runtime.database import Connection

LAST_CHECKPOINTS: Final = 32  # nobody else writes there; a broken record or two must not hide the one before.
# Of each partition: outcomes of refused commands that came since its last leaf must not hide it. 4 MB in twelve partitions.
LAST_TOLD: Final = 200
LEAVES_AT_ONCE: Final = 500
SPOOL: Final = "CREATE TEMPORARY TABLE spooled_leaf (leaf_index bigint PRIMARY KEY, leaf bytea NOT NULL)"
ADD_LEAVES: Final = """
    INSERT INTO spooled_leaf (leaf_index, leaf) SELECT * FROM unnest($1::bigint[], $2::bytea[]) ON CONFLICT DO NOTHING"""
LEAVES: Final = """
    SELECT leaf_index, leaf FROM spooled_leaf WHERE leaf_index >= $1 ORDER BY leaf_index LIMIT $2"""
ADD_OUTCOMES: Final = """
    INSERT INTO ledger.recovered_outcome (outcome_id, command_id, code, message, recorded_at)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[]) ON CONFLICT DO NOTHING"""


async def newest_published(keys: LogKeys) -> Checkpoint | None:
    """The largest of the last checkpoints that were published; None if our keys signed none of them.

    Raises LogError (TILES_DISAGREE) if they signed two of one size.
    """
    roots: dict[int, bytes] = {}
    async with open_log(LEDGER_CHECKPOINTS) as topic:
        await topic.skip_to_last(LAST_CHECKPOINTS)
        async for records in topic.to_end():
            for record in records:
                found = _checkpoint(record.value, keys)
                if found is not None and roots.setdefault(found.size, found.root) != found.root:
                    place = f"{record.topic}/{record.partition}/{record.offset}"
                    raise LogError(LogFault.TILES_DISAGREE, f"{place} is the second checkpoint of {found.size} leaves")
    return Checkpoint(keys.origin, max(roots), roots[max(roots)]) if roots else None


async def told_size() -> int:
    """How many leaves the log had when the last one was told; 0 if none was."""
    size = 0
    async with open_log(LEDGER_TRANSACTIONS) as topic:
        await topic.skip_to_last(LAST_TOLD)
        async for records in topic.to_end():
            size = max([size, *(leaf_index + 1 for record in records if (leaf_index := _told_leaf(record)) is not None)])
    return size


async def spool_told(conn: Connection, first_leaf: int) -> None:
    """Read all that was told. Outcomes without a leaf are kept for good, leaves from `first_leaf` on until `drop_spool`."""
    await conn.execute(SPOOL)
    async with open_log(LEDGER_TRANSACTIONS) as topic:
        async for records in topic.to_end():
            await keep_told(conn, records, first_leaf)


async def spooled_leaves(conn: Connection, first_leaf: int) -> AsyncIterator[bytes]:
    """Leaves from `first_leaf` on, as far as there is no gap."""
    expected = first_leaf
    while rows := await conn.fetch(LEAVES, expected, LEAVES_AT_ONCE):
        for row in rows:
            if row["leaf_index"] != expected:
                return
            yield row["leaf"]
            expected += 1


async def drop_spool(conn: Connection) -> None:
    """Forget the leaves."""
    await conn.execute("DROP TABLE spooled_leaf")


def _checkpoint(value: bytes | None, keys: LogKeys) -> Checkpoint | None:
    try:
        note = read_note(orjson.loads(value or b"")["checkpoint"].encode())
        checkpoint = read_checkpoint(note.text)
    except (NoteError, orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return None
    return checkpoint if checkpoint.origin == keys.origin and keys.have_signed(note) else None


def _told_leaf(record: ConsumerRecord[Any, Any]) -> int | None:
    """The index of the leaf that a record tells; None for what tells none, or is broken."""
    _, value = _told(record, LEDGER_TRANSACTION_TYPE)
    leaf_index = value.get("leaf_index")
    return leaf_index if isinstance(leaf_index, int) else None


def _told_refusal(record: ConsumerRecord[Any, Any]) -> tuple[Any, ...] | None:
    """The row of an outcome without a leaf that is worth keeping; None for everything else."""
    told, value = _told(record, LEDGER_OUTCOME_TYPE)
    if told is None or not {"command_id", "code"} <= value.keys():
        return None
    if value["code"] in {OutcomeCode.POSTED, OutcomeCode.SCHEMA_INVALID}:
        return None
    return told.id, value["command_id"], value["code"], value.get("message"), told.time


def _told(record: ConsumerRecord[Any, Any], type_: str) -> tuple[CloudEventAttributes | None, dict[str, Any]]:
    """Attributes and value of a record of a type; nothing for others, and for what nobody of us wrote so."""
    told = from_headers(record.headers)
    if isinstance(told, HeaderFault) or told.type != type_:
        return None, {}
    try:
        value = orjson.loads(record.value or b"")
    except orjson.JSONDecodeError:
        return None, {}
    return (told, value) if isinstance(value, dict) else (None, {})


async def keep_told(conn: Connection, records: Records, first_leaf: int) -> None:
    """Keep what some records of the topic told. Needs the temporary table of `spool_told`."""
    leaves: list[tuple[int, bytes]] = []
    outcomes: list[tuple[Any, ...]] = []
    for record in records:
        leaf_index = _told_leaf(record)
        if leaf_index is not None and leaf_index >= first_leaf:
            leaves.append((leaf_index, record.value or b""))
        elif (refusal := _told_refusal(record)) is not None:
            outcomes.append(refusal)
    if leaves:
        await conn.execute(ADD_LEAVES, *zip(*leaves, strict=True))
    if outcomes:
        await conn.execute(ADD_OUTCOMES, *zip(*outcomes, strict=True))
