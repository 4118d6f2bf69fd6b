"""Keep what is settled of each refiner's sequence, from one batch of sale.outcomes.v1, in the caller's SQL transaction.

Goal: a number that never arrived, and one that was rejected and not mended, stays visible until it is.
Method: accepted and duplicate outcomes settle their number. A rejected one waits until an event with its number is accepted, or
the same or a later revision of its lot (a mended resend may carry another number), once the refiner has counted past it.
Only sets are kept, so outcomes may come in any order and more than once.
Refuses: to count what may not be the refiner's own: rejections for a signature, for another source, or of an unknown refiner.
What cannot be read as an outcome is counted and passed over: this is a report, and must not stop the books.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from schemas.cloudevents import time_from_text
from schemas.rejection_code import RejectionCode
from schemas.sale_outcome import Outcome
from services.ledger.domain.sequences import SettledRange, settled
from services.ledger.metrics import UNREADABLE_OUTCOMES_TOTAL

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

    from services.runtime.database import Connection

LOCK_KEY: Final = 0x53455155454E43  # "SEQUENC": ranges are read, changed and written; one batch at a time, whoever has it.
HIGHEST: Final = (
    "SELECT refiner_id, max(last) AS last FROM ledger.sequence_range WHERE refiner_id = ANY($1) GROUP BY refiner_id"
)
ADD_REJECTIONS: Final = """
    INSERT INTO ledger.sequence_rejection (refiner_id, sequence, lot_id, revision, origin, code, rejected_at)
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::timestamptz[]) AS n
        (refiner_id, sequence, lot_id, revision, origin, code, rejected_at)
    WHERE coalesce((SELECT r.last FROM ledger.sequence_range AS r WHERE r.refiner_id = n.refiner_id
        AND r.first <= n.sequence ORDER BY r.first DESC LIMIT 1), -1) < n.sequence
    ON CONFLICT (refiner_id, sequence) DO UPDATE SET lot_id = EXCLUDED.lot_id, revision = EXCLUDED.revision,
        origin = EXCLUDED.origin, code = EXCLUDED.code, rejected_at = EXCLUDED.rejected_at"""
# Candidates are those of the lots that this batch tells of, and those that the refiner has now counted past.
TAKE_MENDED: Final = """
    DELETE FROM ledger.sequence_rejection AS j
    USING unnest($1::text[], $2::bigint[], $3::bigint[]) AS n (refiner_id, was_highest, highest)
    WHERE j.refiner_id = n.refiner_id AND j.sequence < n.highest
        AND (j.sequence > n.was_highest
            OR (j.refiner_id, j.lot_id) IN (SELECT * FROM unnest($4::text[], $5::text[])))
        AND EXISTS (SELECT FROM ledger.entitlement AS e WHERE e.refiner_id = j.refiner_id AND e.lot_id = j.lot_id
            AND e.revision >= j.revision AND e.cause = 'sale')
    RETURNING j.refiner_id, j.sequence"""
RANGES: Final = """
    SELECT r.refiner_id, r.first, r.last, r.began_at FROM ledger.sequence_range AS r
    JOIN unnest($1::text[], $2::bigint[]) AS n (refiner_id, lowest) ON r.refiner_id = n.refiner_id
    WHERE r.last >= n.lowest - 1"""
DROP_RANGES: Final = """
    DELETE FROM ledger.sequence_range AS r USING unnest($1::text[], $2::bigint[]) AS n (refiner_id, first)
    WHERE r.refiner_id = n.refiner_id AND r.first = n.first"""
SAVE_RANGES: Final = """
    INSERT INTO ledger.sequence_range (refiner_id, first, last, began_at)
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::timestamptz[])
    ON CONFLICT (refiner_id, first) DO UPDATE SET last = EXCLUDED.last, began_at = EXCLUDED.began_at"""
DROP_SETTLED: Final = """
    DELETE FROM ledger.sequence_rejection AS j USING unnest($1::text[], $2::bigint[]) AS n (refiner_id, sequence)
    WHERE j.refiner_id = n.refiner_id AND j.sequence = n.sequence"""

TIME_HEADER: Final = "ce_time"
TIMES_KEPT_MAX: Final = 64  # a whole batch of postings was recorded at one moment

log = logging.getLogger(__name__)


class _Outcome(msgspec.Struct, frozen=True, gc=False):
    """What counts here of `schemas.sale_outcome.SaleOutcome`. Its model took 10 µs for each sale that the ledger posts."""

    source: str | None
    refiner_id: str | None
    lot_id: str | None
    revision: int | None
    sequence: int | None
    origin: str
    outcome: Outcome
    detail: str
    field: str | None


_decoder: Final = msgspec.json.Decoder(_Outcome)


@dataclass(slots=True)
class _Told:
    """What a batch tells of one refiner, and when the last of it was told."""

    at: datetime
    numbers: dict[int, datetime] = field(default_factory=dict)
    rejections: dict[int, tuple[object, ...]] = field(default_factory=dict)
    lots: set[str] = field(default_factory=set)


async def track_sequences(conn: Connection, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
    """Take a batch of outcomes."""
    by_refiner = _told(records)
    if not by_refiner:
        return
    await conn.execute("SELECT pg_advisory_xact_lock($1)", LOCK_KEY)
    rejections = [(refiner, *row) for refiner, told in by_refiner.items() for row in told.rejections.values()]
    if rejections:
        await conn.execute(ADD_REJECTIONS, *zip(*rejections, strict=True))
    numbers = {refiner: dict(told.numbers) for refiner, told in by_refiner.items() if told.numbers}
    for refiner, mended, at in await _take_mended(conn, by_refiner):
        numbers.setdefault(refiner, {}).setdefault(mended, at)
    if numbers:
        await _settle(conn, numbers)


async def _take_mended(conn: Connection, by_refiner: dict[str, _Told]) -> list[tuple[str, int, datetime]]:
    was_highest = {row["refiner_id"]: row["last"] for row in await conn.fetch(HIGHEST, list(by_refiner))}
    candidates, lots = [], []
    for refiner, told in by_refiner.items():
        was = was_highest.get(refiner, -1)
        candidates.append((refiner, was, max((was, *told.numbers))))
        lots += [(refiner, lot) for lot in sorted(told.lots)]
    columns = (*zip(*candidates, strict=True), *(zip(*lots, strict=True) if lots else ((), ())))
    rows = await conn.fetch(TAKE_MENDED, *columns)
    return [(row["refiner_id"], row["sequence"], by_refiner[row["refiner_id"]].at) for row in rows]


async def _settle(conn: Connection, numbers: dict[str, dict[int, datetime]]) -> None:
    rows = await conn.fetch(RANGES, list(numbers), [min(found) for found in numbers.values()])
    known: dict[str, list[SettledRange]] = defaultdict(list)
    for row in rows:
        known[row["refiner_id"]].append(SettledRange(row["first"], row["last"], row["began_at"]))
    dropped, saved = [], []
    for refiner, found in numbers.items():
        before = set(known[refiner])
        after = set(settled(before, sorted(found.items())))
        dropped += [(refiner, gone.first) for gone in before - after]
        saved += [(refiner, new.first, new.last, new.began_at) for new in after - before]
    if dropped:
        await conn.execute(DROP_RANGES, *zip(*dropped, strict=True))
    if saved:
        await conn.execute(SAVE_RANGES, *zip(*saved, strict=True))
    pairs = [(refiner, number) for refiner, found in numbers.items() for number in found]
    await conn.execute(DROP_SETTLED, *zip(*pairs, strict=True))


def _told(records: Sequence[ConsumerRecord[Any, Any]]) -> dict[str, _Told]:
    by_refiner: dict[str, _Told] = {}
    for record in records:
        read = _read(record)
        if read is None:
            continue
        outcome, at = read
        refiner, sequence = outcome.refiner_id, outcome.sequence
        if refiner is None or sequence is None or not _is_the_refiners_own(outcome):
            continue
        told = by_refiner.setdefault(refiner, _Told(at))
        told.at = max(told.at, at)
        if outcome.lot_id is not None:
            told.lots.add(outcome.lot_id)
        if outcome.outcome is Outcome.REJECTED:
            row = (sequence, outcome.lot_id, outcome.revision, outcome.origin, outcome.detail, at)
            told.rejections[sequence] = row
        else:
            told.numbers.setdefault(sequence, at)
    return by_refiner


def _is_the_refiners_own(outcome: _Outcome) -> bool:
    if outcome.outcome is not Outcome.REJECTED:
        return True
    return (
        outcome.source == f"/refiners/{outcome.refiner_id}"
        and outcome.detail != RejectionCode.SIGNATURE_INVALID
        and (outcome.detail, outcome.field) != (RejectionCode.UNKNOWN_ORGANIZATION, "refiner_id")
    )


def _read(record: ConsumerRecord[Any, Any]) -> tuple[_Outcome, datetime] | None:
    try:
        return _decoder.decode(record.value or b""), _time(dict(record.headers)[TIME_HEADER] or b"")
    except (msgspec.DecodeError, KeyError, ValueError):  # ValueError: no time, or no UTF-8
        UNREADABLE_OUTCOMES_TOTAL.inc()
        log.warning("%s/%d/%d is no outcome of a sale", record.topic, record.partition, record.offset)
        return None


@lru_cache(TIMES_KEPT_MAX)
def _time(header: bytes) -> datetime:
    return time_from_text(header.decode())
