"""What payout keeps of accounts, orders, cycles and statements is what it told of them.

Goal: whoever changed who vouched for a payment account, who moved an order, or when, is found out by topics that keep all.
Method: events are noted by what they are about, then the rows are read. Every row must be told by one of them, word for word,
once everything was published. An event without a row is left alone: after a restore from an old backup there are some.
Source: design, sections 2 and 7.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson
from aiokafka import ConsumerRecord

from premia.fsck.deviation import Checked, Deviation, DeviationCode
from premia.fsck.kafka.sales import PAYOUT_EVENTS, STATEMENTS, Marks
from premia.fsck.kafka.topics import ends_of, records_until
from premia.fsck.ledger.entitlement import digits_of, whole
from premia.fsck.streams import Connection, open_stream

PAGE_ROWS: Final = 1_000
ALL_TOLD: Final = """
    SELECT (SELECT coalesce(max(position), -1) FROM payout.relay_cursor WHERE source = 'outbox') >= last_number
    FROM payout.outbox_head"""


class _Kept(NamedTuple):
    """What is kept of one kind of event: `key` says what an event is about, `sql` has its members by their own names."""

    noun: str
    key: tuple[str, ...]
    facts: tuple[str, ...]
    sql: str


KEPT: Final[dict[str, _Kept]] = {
    "account_state": _Kept(
        "account",
        ("account_id", "state"),
        ("organization_id", "currency", "last_four", "at", "actor", "method", "checked_on", "reason"),
        """
        SELECT e.account_id::text, e.state, a.organization_id, a.currency, a.last_four, e.at, e.actor, e.method,
            e.checked_on::text, e.reason
        FROM payout.account_event AS e LEFT JOIN payout.account AS a USING (account_id) ORDER BY e.account_id, e.number""",
    ),
    # That an order was made is told by its cycle's result; what is remembered without another state is not told.
    "order_state": _Kept(
        "order",
        ("order_id", "state"),
        ("cycle_id", "organization_id", "currency", "amount", "at", "actor", "code", "end_to_end_id", "account_last_four"),
        """
        SELECT e.order_id::text, e.state, o.cycle_id::text, o.subject_id AS organization_id, o.currency,
            o.amount_minor AS amount, e.at, e.actor, e.code, t.end_to_end_id, a.last_four AS account_last_four
        FROM (SELECT order_id, number, state, at, actor, code,
                lag(state) OVER (PARTITION BY order_id ORDER BY number) AS state_before FROM payout.order_event) AS e
        LEFT JOIN payout.payout_order AS o USING (order_id)
        LEFT JOIN payout.account AS a USING (account_id)
        LEFT JOIN payout.attempt AS t ON t.order_id = e.order_id AND t.number = 1
        WHERE e.state <> e.state_before ORDER BY e.order_id, e.number""",
    ),
    "cycle_result": _Kept(
        "cycle",
        ("cycle_id", "organization_id", "currency", "outcome", "code"),
        ("settles_on", "amount", "order_id", "prepared_by"),
        """
        SELECT r.cycle_id::text, r.subject_id AS organization_id, r.currency, r.outcome, r.code, c.settles_on::text,
            r.amount_minor AS amount, r.order_id::text, c.prepared_by
        FROM payout.cycle_result AS r LEFT JOIN payout.cycle AS c USING (cycle_id) ORDER BY r.cycle_id, r.position""",
    ),
    "statement": _Kept(
        "statement",
        ("statement_id",),
        ("organization_id", "number", "period_from", "period_to", "tree_size", "json_sha256", "pdf_sha256", "issued_by",
         "issued_at"),
        """
        SELECT statement_id::text, subject_id AS organization_id, number, period_from::text, period_to::text, tree_size,
            json_sha256, pdf_sha256, issued_by, issued_at
        FROM payout.statement ORDER BY statement_id""",
    ),
}  # fmt: skip
TIMES: Final = frozenset({"at", "issued_at"})

Facts = dict[str, object]
# A few hundred bytes for each event. An order has six in its life: a programme of a thousand payments a year fills 2 MB.
Told = dict[tuple[object, ...], list[Facts]]


async def check_payout_events(conn: Connection, checked: Checked, marks: Marks) -> AsyncIterator[Deviation]:
    """Yield what payout keeps otherwise than it told. Raises KafkaUnusableError."""
    all_told = await conn.fetchval(ALL_TOLD)  # in the snapshot, so before the topics' ends are asked
    told = await _read_told(marks.servers)
    waiting = 0
    for kind, kept in KEPT.items():
        rows = await open_stream(conn, kept.sql, page_rows=PAGE_ROWS)
        while (row := rows.row) is not None:
            checked.add("events of payout")
            found = {name: row[name] for name in kept.facts}
            versions = told.get((kind, *(row[name] for name in kept.key)), [])
            where = f"{kept.noun} {', '.join(row[name] for name in kept.key if row[name] is not None)}"
            if versions and found not in versions:
                for name, value in versions[-1].items():
                    if found[name] != value:
                        yield Deviation(DeviationCode.PAYOUT_NOT_AS_TOLD, f"{where}: {name}", f"{value}", f"{found[name]}")
            elif not versions and all_told:
                yield Deviation(DeviationCode.PAYOUT_NOT_AS_TOLD, where, "an event that tells of it", "none")
            elif not versions:
                waiting += 1
            await rows.advance()
    if waiting:
        checked.not_checked["events of payout on their way"] = f"{waiting:,} are not published yet: look again when they are"


async def _read_told(servers: str) -> Told:
    told: Told = {}
    async for page in records_until(servers, await ends_of(servers, PAYOUT_EVENTS, STATEMENTS)):
        for record in page:
            event = _event(record)
            if event is not None:
                key, facts = event
                told.setdefault(key, []).append(facts)
    return told


def _event(record: ConsumerRecord[Any, Any]) -> tuple[tuple[object, ...], Facts] | None:
    """What an event is about, and what it says; None for what is no event of ours: somebody else wrote it."""
    try:
        value = orjson.loads(record.value or b"")
        kind = "statement" if record.topic == STATEMENTS else value["kind"]
        kept = KEPT[kind]
        return (kind, *(value[name] for name in kept.key)), {name: _fact(name, value) for name in kept.facts}
    except (ValueError, ArithmeticError, KeyError, TypeError):
        return None


def _fact(name: str, value: Mapping[str, Any]) -> object:
    if name in TIMES:
        return datetime.fromisoformat(value[name])
    if name == "amount":
        return whole(value[name], digits_of(value["currency"]))
    return value[name]
