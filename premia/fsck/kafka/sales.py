"""Every sale that came in has one outcome, and the ledger's is the one that was told: invariant 4, by origin.

Goal: none lost, none counted twice: in = accepted + rejected + duplicate, accepted = posted + unchanged + superseded.
Method: outcomes of sale.outcomes.v1 are noted by partition and offset of their sale, one byte for each, so that a million sales
take a megabyte. Then the sales are read, and the accepted ones that the ledger stored. How far Kafka and the calculator were is
asked before the snapshot of the database, so that what is still on its way is not taken for lost: it is counted as waiting.
A redriven record keeps the origin of its first reading: it claims it in a header, and what it claims must have an outcome.
Source: design, sections 3.4 and 9.4.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiokafka import ConsumerRecord, TopicPartition

from premia.fsck.deviation import Checked, Deviation, DeviationCode
from premia.fsck.kafka.topics import Ends, committed_by, ends_of, records_until
from premia.fsck.streams import Connection, open_stream

SALES: Final = "gold.sales.v1"
ENTITLEMENTS: Final = "premium.entitlements.v1"
OUTCOMES: Final = "sale.outcomes.v1"
PAYOUT_EVENTS: Final = "payout.events.v1"
STATEMENTS: Final = "premium.statements.v1"
CALCULATOR: Final = "premium_calculator"  # its consumer group
CLAIMED_ORIGIN: Final = "premia_dlq_origin"
FATES: Final = ("", "rejected", "duplicate", "posted", "unchanged", "superseded")
REJECTED: Final = FATES.index("rejected")
PAGE_ROWS: Final = 5_000
NEVER_TOLD: Final = 0
PIECE: Final = 4_096

APPLIED: Final = "SELECT topic, partition, next_offset FROM ledger.consumer_offset WHERE topic = $1"
ALL_TOLD: Final = """
    SELECT (SELECT coalesce(max(position), -1) FROM ledger.relay_cursor WHERE source = 'journal') >= h.tree_size - 1
        AND (SELECT coalesce(max(position), -1) FROM ledger.relay_cursor WHERE source = 'outbox') >= o.last_number
    FROM ledger.log_head AS h, ledger.outbox_head AS o"""
ACCEPTED: Final = "SELECT origin, detail FROM ledger.entitlement WHERE cause = 'sale'"


@dataclass(frozen=True, slots=True)
class Marks:
    """How far everything was before the snapshot was taken: sales that were answered, and the end of entitlements."""

    servers: str
    answered: Ends
    entitlements: Ends


@dataclass(slots=True)
class _Fates:
    """What became of each sale, one byte for each, in pieces: an invented offset costs no more than one piece."""

    pieces: dict[tuple[int, int], bytearray] = field(default_factory=dict)

    def at(self, partition: int, offset: int) -> int:
        piece = self.pieces.get((partition, offset // PIECE))
        return NEVER_TOLD if piece is None else piece[offset % PIECE]

    def note(self, partition: int, offset: int, fate: int) -> None:
        self.pieces.setdefault((partition, offset // PIECE), bytearray(PIECE))[offset % PIECE] = fate


async def read_marks(servers: str) -> Marks:
    """Ask how far things are. Raises KafkaUnusableError."""
    answered = await committed_by(servers, CALCULATOR)
    # All that is read later: a topic that is missing is told before anything is checked.
    ends = await ends_of(servers, SALES, ENTITLEMENTS, OUTCOMES, PAYOUT_EVENTS, STATEMENTS)
    return Marks(
        servers,
        {partition: min(answered.get(partition, 0), end) for partition, end in ends.items() if partition.topic == SALES},
        {partition: end for partition, end in ends.items() if partition.topic == ENTITLEMENTS},
    )


async def check_sales(conn: Connection, checked: Checked, marks: Marks) -> AsyncIterator[Deviation]:
    """Yield what is wrong between the sales topic, the outcomes and the ledger. Raises KafkaUnusableError."""
    all_told = await _all_told(conn, marks)
    fates, found = await _outcomes(marks)
    for deviation in found:
        yield deviation
    waiting: Counter[str] = Counter()
    async for page in records_until(marks.servers, marks.answered):
        for record in page:
            checked.add("sales")
            fate = fates.at(record.partition, record.offset) or _claimed_fate(fates, record)
            if fate is None:
                checked.add("sales redriven")
            elif fate != NEVER_TOLD:
                checked.add(f"sales {FATES[fate]}")
            elif all_told:
                where = f"{SALES}/{record.partition}/{record.offset}"
                yield Deviation(DeviationCode.SALE_WITHOUT_OUTCOME, where, "one outcome", "none")
            else:
                waiting["sales"] += 1
    rows = await open_stream(conn, ACCEPTED, page_rows=PAGE_ROWS)
    while (row := rows.row) is not None:
        place = _place(row["origin"])
        fate = NEVER_TOLD if place is None else fates.at(*place)
        if fate == NEVER_TOLD and not all_told:
            waiting["outcomes"] += 1
        elif FATES[fate] != row["detail"]:
            where = f"sale at {row['origin']}"
            yield Deviation(DeviationCode.SALE_NOT_AS_TOLD, where, f"{row['detail']}, as stored", FATES[fate] or "nothing told")
        await rows.advance()
    if waiting:
        told = ", ".join(f"{number:,} {what}" for what, number in waiting.items())
        checked.not_checked["sales on their way"] = f"{told} are not through yet: look again when nothing is waiting"


async def _all_told(conn: Connection, marks: Marks) -> bool:
    """Whether the snapshot has every entitlement that was there before it, and everything in it was published."""
    applied = await applied_of(conn)
    if any(applied.get(partition, 0) < end for partition, end in marks.entitlements.items()):
        return False
    return bool(await conn.fetchval(ALL_TOLD))


async def applied_of(conn: Connection) -> Ends:
    """The next offset of entitlements that the ledger applies, by partition, in the snapshot."""
    rows = await conn.fetch(APPLIED, ENTITLEMENTS)
    return {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}


async def _outcomes(marks: Marks) -> tuple[_Fates, list[Deviation]]:
    """Every outcome, noted. One that was rejected may be resolved later, by a redrive; what was resolved stays."""
    fates, found = _Fates(), []
    async for page in records_until(marks.servers, await ends_of(marks.servers, OUTCOMES)):
        for record in page:
            told = _told(record)
            if told is None:
                continue
            (partition, offset), fate = told
            before = fates.at(partition, offset)
            if before in {NEVER_TOLD, REJECTED}:
                fates.note(partition, offset, fate)
            elif fate not in {before, REJECTED}:
                where = f"sale at {SALES}/{partition}/{offset}"
                found.append(Deviation(DeviationCode.SALE_TOLD_TWICE, where, FATES[before], f"{FATES[fate]} too"))
    return fates, found


def _told(record: ConsumerRecord[Any, Any]) -> tuple[tuple[int, int], int] | None:
    """Place and fate of a sale; None for what is no outcome of ours: somebody else wrote it."""
    try:
        value = orjson.loads(record.value or b"")
        place = _place(value["origin"])
        fate = FATES.index(value["detail"] if value["outcome"] == "accepted" else value["outcome"])
    except (ValueError, KeyError, TypeError):
        return None
    return None if place is None else (place, fate)


def _claimed_fate(fates: _Fates, record: ConsumerRecord[Any, Any]) -> int | None:
    """For a record without an outcome of its own: None if it claims an earlier origin that has one, else NEVER_TOLD."""
    for name, content in record.headers:
        if name == CLAIMED_ORIGIN:
            place = _place((content or b"").decode(errors="replace"))
            if place is not None and place[0] == record.partition and place[1] < record.offset and fates.at(*place):
                return None
    return NEVER_TOLD


def _place(origin: object) -> tuple[int, int] | None:
    """Partition and offset of an origin, if it is one of the sales topic."""
    parts = origin.split("/") if isinstance(origin, str) else []
    if len(parts) != 3 or parts[0] != SALES or not (parts[1].isdecimal() and parts[2].isdecimal()):
        return None
    return int(parts[1]), int(parts[2])
