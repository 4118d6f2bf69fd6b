"""The entitlements that the ledger stored are those that were published, byte for byte: what invariants 3 and 8 rest on.

Goal: whoever changed stored bytes and everything derived from them is found out by the topic, which keeps everything.
Method: records that the ledger has applied are read, and their rows fetched by primary key, a page at a time. A record that was
refused, or is a duplicate's, has no row of its id.
Source: design, sections 3 and 6.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from aiokafka import ConsumerRecord

from premia.fsck.deviation import Checked, Deviation, DeviationCode
from premia.fsck.kafka.sales import Marks, applied_of
from premia.fsck.kafka.topics import records_until
from premia.fsck.streams import Connection
from premia.printable import printable

STORED: Final = """
    SELECT e.refiner_id, e.lot_id, e.revision, e.calculation, e.entitlement_id::text, e.origin, e.sequence,
        e.effective_on::text, e.value
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) AS k (refiner_id, lot_id, revision, calculation)
    JOIN ledger.entitlement AS e USING (refiner_id, lot_id, revision, calculation)"""

SHOWN_BYTES: Final = 40  # before and after the first difference: a member's name and its value

Key = tuple[str, str, int, int]


async def check_published(conn: Connection, checked: Checked, marks: Marks) -> AsyncIterator[Deviation]:
    """Yield what is wrong between stored and published entitlements. Raises KafkaUnusableError."""
    applied = await applied_of(conn)
    ends = {partition: min(applied.get(partition, 0), end) for partition, end in marks.entitlements.items()}
    async for page in records_until(marks.servers, ends):
        for deviation in await _check_page(conn, checked, page):
            yield deviation


async def _check_page(conn: Connection, checked: Checked, page: Sequence[ConsumerRecord[Any, Any]]) -> list[Deviation]:
    read = [(record, *keyed) for record in page if (keyed := _keyed(record)) is not None]
    keys = sorted({key for _, key, _ in read})
    rows = await conn.fetch(STORED, *([key[place] for key in keys] for place in range(4)))
    stored = {(row["refiner_id"], row["lot_id"], row["revision"], row["calculation"]): row for row in rows}
    found = []
    for record, key, entitlement_id in read:
        row = stored.get(key)
        if row is None or row["entitlement_id"] != entitlement_id:
            continue
        checked.add("entitlements compared with Kafka")
        headers = {name: (content or b"").decode(errors="replace") for name, content in record.headers}
        where = f"{key[0]}/{key[1]}, revision {key[2]}, calculation {key[3]}"
        expected: dict[str, object] = {"value": record.value}
        if headers.get("ce_origin") == row["origin"]:  # the same sale under another origin is its duplicate
            expected |= {"sequence": _number(headers.get("ce_salesequence")), "effective_on": _day(headers.get("ce_saletime"))}
        found += [
            Deviation(DeviationCode.ENTITLEMENT_NOT_AS_PUBLISHED, f"{where}: {name}", *_apart(value, row[name]))
            for name, value in expected.items()
            if row[name] != value
        ]
    return found


def _keyed(record: ConsumerRecord[Any, Any]) -> tuple[Key, str] | None:
    """The row that a record is about, and its id; None for what the ledger would have stopped at."""
    try:
        value = orjson.loads(record.value or b"")
        return (value["refiner_id"], value["lot_id"], value["revision"], value["calculation"]), value["entitlement_id"]
    except (ValueError, KeyError, TypeError):
        return None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _day(text: str | None) -> str | None:
    try:
        return None if text is None else str(datetime.fromisoformat(text).astimezone(UTC).date())
    except ValueError:
        return None


def _apart(published: object, stored: object) -> tuple[str, str]:
    """Both as a person compares them: of bytes, where they first differ, and some around it."""
    if not isinstance(published, bytes) or not isinstance(stored, bytes):
        return f"{published}", f"{stored}"
    at = next(
        (at for at, (a, b) in enumerate(zip(published, stored, strict=False)) if a != b), min(len(published), len(stored))
    )
    around = slice(max(0, at - SHOWN_BYTES), at + SHOWN_BYTES)
    expected, found = (
        f"from byte {at} of {len(content)}: …{printable(content[around].decode(errors='replace'))}…"
        for content in (published, stored)
    )
    return expected, found
