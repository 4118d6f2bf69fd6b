"""The outbox, message by message: numbered without a gap, readable, and each what its own content says it is.

Goal: what was told can be trusted when it is compared with the tables (told.py), and a relay passes over nothing.
Method: ids and keys derive from what a message tells, so each is checked against its own bytes. A dead letter carries the bytes
of the event that was refused; they are compared with the row in quarantine.
Source: design, sections 2 and 3.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final
from uuid import uuid5

import orjson

from premia.fsck.deviation import Checked, Deviation, DeviationCode
from premia.fsck.ledger.leaf import PREMIA_NAMESPACE
from premia.fsck.streams import Connection, Row, open_stream

PAGE_ROWS: Final = 500  # messages have 1 KB, dead letters up to 4 MB of which there are few.
SALE_OUTCOMES: Final = "sale.outcomes.v1"
TRANSACTIONS: Final = "ledger.transactions.v1"
ENTITLEMENTS_DEAD: Final = "premium.entitlements.v1.ledger.dlq"
COMMANDS_DEAD: Final = "ledger.commands.v1.ledger.dlq"
TYPES: Final = {SALE_OUTCOMES: "sale.outcome.v1", TRANSACTIONS: "ledger.command-outcome.v1"}

MESSAGES: Final = "SELECT number, topic, key, value, header_names, header_values FROM ledger.outbox ORDER BY number"
HEAD: Final = "SELECT last_number FROM ledger.outbox_head"
QUARANTINED: Final = """
    SELECT q.origin, q.entitlement_id::text, q.sale_source, q.sale_id, q.sale_hash, q.refiner_id, q.lot_id, q.revision,
        q.calculation, q.known_origin, q.recorded_at, o.value, o.header_names, o.header_values,
        q.known_origin IS NULL OR EXISTS (SELECT FROM ledger.entitlement AS e WHERE e.origin = q.known_origin) AS known
    FROM ledger.quarantine AS q
    LEFT JOIN ledger.outbox AS o ON o.topic = 'premium.entitlements.v1.ledger.dlq'
        AND o.header_values[array_position(o.header_names, 'premia_dlq_origin')] = convert_to(q.origin, 'UTF8')
    ORDER BY q.origin, o.number"""


async def check_outbox(conn: Connection, checked: Checked) -> AsyncIterator[Deviation]:
    """Yield what is wrong with messages and with quarantined events."""
    expected = 1
    rows = await open_stream(conn, MESSAGES, page_rows=PAGE_ROWS)
    while (row := rows.row) is not None:
        checked.add("messages")
        if row["number"] != expected:
            yield Deviation(DeviationCode.OUTBOX_NUMBER_SKIPPED, f"outbox {expected}", "a message", f"{row['number']} is next")
        expected = row["number"] + 1
        found = _wrong(row)
        if found is not None:
            yield Deviation(DeviationCode.MESSAGE_WRONG, f"outbox {row['number']}", f"a message for {row['topic']}", found)
        await rows.advance()
    last_number = await conn.fetchval(HEAD)
    if last_number != expected - 1:
        yield Deviation(DeviationCode.OUTBOX_NUMBER_SKIPPED, "outbox head", f"{expected - 1}", f"{last_number}")
    async for deviation in _check_quarantine(conn, checked):
        yield deviation


def _wrong(row: Row) -> str | None:
    """What is wrong with one message, or None."""
    headers = dict(zip(row["header_names"], row["header_values"], strict=False))
    if len(row["header_names"]) != len(row["header_values"]):
        return f"{len(row['header_names'])} names of headers for {len(row['header_values'])} values"
    if row["topic"] == COMMANDS_DEAD:  # its bytes are anybody's
        return None if "premia_dlq_origin" in headers else "no origin"
    try:
        value = orjson.loads(row["value"])
        if row["topic"] == ENTITLEMENTS_DEAD:
            return None if row["key"] == _lot(value) else f"key {row['key']!r}"
        if orjson.dumps(value, option=orjson.OPT_SORT_KEYS) != row["value"]:
            return "no canonical JSON"
        return _wrong_outcome(row["topic"], row["key"], value, headers)
    except (ValueError, KeyError, TypeError) as error:
        return repr(error)


def _wrong_outcome(topic: str, key: bytes | None, value: dict[str, Any], headers: dict[str, bytes]) -> str | None:
    if headers["ce_type"].decode() != TYPES.get(topic):
        return f"type {headers['ce_type']!r}"
    if headers["ce_source"] != b"/ledger":
        return f"source {headers['ce_source']!r}"
    datetime.fromisoformat(headers["ce_time"].decode())
    if topic == SALE_OUTCOMES:
        derived = uuid5(PREMIA_NAMESPACE, f"sale-outcome\n{value['origin']}")
        if headers["ce_id"] != str(derived).encode():
            return f"id {headers['ce_id']!r}, which derives from another origin"
        if key != _lot(value):
            return f"key {key!r}"
    return None


def _lot(value: dict[str, Any]) -> bytes:
    return f"{value['refiner_id']}/{value['lot_id']}".encode()


async def _check_quarantine(conn: Connection, checked: Checked) -> AsyncIterator[Deviation]:
    rows = await open_stream(conn, QUARANTINED, page_rows=PAGE_ROWS)
    origin = None
    while (row := rows.row) is not None:
        if row["origin"] != origin and row["value"] is not None:  # the first letter: others are of redrives
            checked.add("quarantined events")
            for deviation in _quarantined(row):
                yield deviation
        origin = row["origin"]
        await rows.advance()


def _quarantined(row: Row) -> list[Deviation]:
    where = f"quarantine {row['origin']}"
    headers = dict(zip(row["header_names"], row["header_values"], strict=False))
    try:
        value = orjson.loads(row["value"])
        told = {name: value[name] for name in ("entitlement_id", "refiner_id", "lot_id", "revision", "calculation")}
        told |= {f"sale_{name}": value["sale"][name] for name in ("source", "id", "hash")}
        told["recorded_at"] = datetime.fromisoformat(headers["premia_dlq_at"].decode())
    except (ValueError, KeyError, TypeError) as error:
        return [Deviation(DeviationCode.QUARANTINE_WRONG, where, "a dead letter that can be read", repr(error))]
    deviations = [
        Deviation(DeviationCode.QUARANTINE_WRONG, f"{where}: {name}", f"{found}", f"{row[name]}")
        for name, found in told.items()
        if found != row[name]
    ]
    if not row["known"]:
        expected = "an accepted event that it conflicts with"
        deviations.append(Deviation(DeviationCode.QUARANTINE_WRONG, where, expected, f"{row['known_origin']}"))
    return deviations
