"""What the ledger answered: every sale, command, refusal and booking has its row and its message, and no message lacks a row.

Goal: nothing is lost without a word and nothing is told that did not happen: the ledger's own half of invariant 4.
Method: PostgreSQL compares; only differences come back. What was posted is announced with its leaf and needs no message in the
outbox. Texts are looked for in the bytes of messages, because a damaged one must not end the whole query.
Source: design, sections 3 and 6.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from premia.fsck.deviation import Checked, Deviation, DeviationCode
from premia.fsck.queries import Comparison, differences
from premia.fsck.streams import Connection

_SALES_TOLD: Final = """
    WITH told AS MATERIALIZED (
        SELECT number, substring(text FROM '"origin":"([^"]+)"') AS origin, substring(text FROM '"hash":"([^"]+)"') AS hash,
            substring(text FROM '"outcome":"([a-z]+)"') AS outcome, substring(text FROM '"detail":"([A-Za-z_]+)"') AS detail, at
        FROM (
            SELECT number, encode(value, 'escape') AS text,
                encode(header_values[array_position(header_names, 'ce_time')], 'escape') AS at
            FROM ledger.outbox WHERE topic = 'sale.outcomes.v1') AS message)"""
_COMMANDS_TOLD: Final = """
    WITH told AS MATERIALIZED (
        SELECT number, key, substring(text FROM '"command_id":"([0-9a-f-]{36})"') AS command_id,
            substring(text FROM '"code":"([A-Z_]+)"') AS code, at
        FROM (
            SELECT number, key, encode(value, 'escape') AS text,
                encode(header_values[array_position(header_names, 'ce_time')], 'escape') AS at
            FROM ledger.outbox WHERE topic = 'ledger.transactions.v1') AS message)"""
_LETTERS: Final = """
    WITH letter AS MATERIALIZED (
        SELECT number, encode(header_values[array_position(header_names, 'premia_dlq_origin')], 'escape') AS origin,
            encode(header_values[array_position(header_names, 'premia_dlq_code')], 'escape') AS code
        FROM ledger.outbox WHERE topic = 'premium.entitlements.v1.ledger.dlq')"""

COMPARISONS: Final = (
    Comparison(
        DeviationCode.ORIGIN_TWICE,
        """
        SELECT 'origin ' || origin AS place, '1 accepted sale' AS expected, count(*)::text AS found
        FROM ledger.entitlement WHERE cause = 'sale' GROUP BY origin HAVING count(*) > 1 ORDER BY 1""",
    ),
    Comparison(
        DeviationCode.OUTCOME_NOT_TOLD,
        """
        SELECT 'sale at ' || e.origin AS place, concat('accepted, ', e.detail, ', at ', e.at) AS expected, 'no message' AS found
        FROM (SELECT *, regexp_replace(to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '[.]000000$', '')
                || 'Z' AS at
            FROM ledger.entitlement WHERE cause = 'sale' AND detail IN ('unchanged', 'superseded')) AS e
        WHERE NOT EXISTS (SELECT FROM told AS t WHERE t.origin = e.origin AND t.outcome = 'accepted' AND t.detail = e.detail
            AND t.hash = e.sale_hash AND t.at = e.at)
        ORDER BY 1""",
        _SALES_TOLD,
    ),
    Comparison(
        DeviationCode.OUTCOME_UNFOUNDED,
        """
        SELECT 'outbox ' || t.number AS place, 'a sale that bears it out' AS expected,
            concat_ws(', ', t.outcome, t.detail, t.origin) AS found
        FROM told AS t
        LEFT JOIN ledger.entitlement AS e ON e.cause = 'sale' AND e.origin = t.origin AND e.detail = t.detail
            AND e.sale_hash = t.hash AND t.outcome = 'accepted'
        LEFT JOIN ledger.quarantine AS q ON q.origin = t.origin AND q.code = t.detail AND t.outcome = 'rejected'
        WHERE e.origin IS NULL AND q.origin IS NULL AND NOT EXISTS (
            SELECT FROM ledger.entitlement AS d
            WHERE d.cause = 'sale' AND d.sale_hash = t.hash AND d.origin <> t.origin AND t.outcome = 'duplicate')
        ORDER BY t.number""",
        _SALES_TOLD,
    ),
    Comparison(
        DeviationCode.OUTCOME_NOT_TOLD,
        """
        SELECT 'command ' || c.command_id AS place, concat(c.code, ', at ', c.at) AS expected, 'no message, no leaf' AS found
        FROM (SELECT *, regexp_replace(to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '[.]000000$', '')
                || 'Z' AS at
            FROM ledger.command WHERE first_leaf IS NULL) AS c
        WHERE NOT EXISTS (SELECT FROM told AS t
            WHERE t.command_id = c.command_id::text AND t.code = c.code AND t.at = c.at)
        ORDER BY 1""",
        _COMMANDS_TOLD,
    ),
    Comparison(
        DeviationCode.OUTCOME_UNFOUNDED,
        """
        SELECT 'outbox ' || t.number AS place, 'a command that bears it out' AS expected,
            concat_ws(', ', t.code, t.command_id) AS found
        FROM told AS t WHERE t.code IS DISTINCT FROM 'SCHEMA_INVALID' AND NOT EXISTS (
            SELECT FROM ledger.command AS c WHERE c.command_id::text = t.command_id
                AND (t.code = 'CONFLICTING_PAYLOAD' OR (c.code = t.code AND convert_to(c.subject_id, 'UTF8') = t.key)))
        ORDER BY t.number""",
        _COMMANDS_TOLD,
    ),
    Comparison(
        DeviationCode.OUTCOME_NOT_TOLD,
        """
        SELECT 'quarantine ' || q.origin AS place, 'a dead letter, ' || q.code AS expected, 'none' AS found
        FROM ledger.quarantine AS q
        WHERE NOT EXISTS (SELECT FROM letter AS l WHERE l.origin = q.origin AND l.code = q.code) ORDER BY 1""",
        _LETTERS,
    ),
    Comparison(
        DeviationCode.OUTCOME_UNFOUNDED,
        """
        SELECT 'outbox ' || l.number AS place, 'a row in quarantine' AS expected, concat_ws(', ', l.code, l.origin) AS found
        FROM letter AS l
        WHERE NOT EXISTS (SELECT FROM ledger.quarantine AS q WHERE q.origin = l.origin AND q.code = l.code)
        ORDER BY l.number""",
        _LETTERS,
    ),
    Comparison(
        DeviationCode.CAUSE_WITHOUT_LEAVES,
        """
        SELECT place, '0 leaves, as it names no first one' AS expected, leaves::text AS found FROM (
            SELECT 'entitlement ' || entitlement_id AS place, leaves FROM ledger.entitlement WHERE first_leaf IS NULL
            UNION ALL SELECT 'command ' || command_id, leaves FROM ledger.command WHERE first_leaf IS NULL) AS cause
        WHERE leaves <> 0 ORDER BY 1""",
    ),
    Comparison(
        DeviationCode.BOOKING_WRONG,
        """
        SELECT 'booking ' || b.booking_key AS place, 'a command with leaves' AS expected,
            concat_ws(', ', 'command ' || b.command_id, coalesce(c.code, 'not there')) AS found
        FROM ledger.booking AS b LEFT JOIN ledger.command AS c USING (command_id) WHERE c.first_leaf IS NULL ORDER BY 1""",
    ),
    Comparison(
        DeviationCode.RELAY_AHEAD,
        """
        SELECT 'relay of ' || c.source AS place, e.last || ' or less' AS expected, c.position::text AS found
        FROM ledger.relay_cursor AS c
        JOIN (SELECT 'journal' AS source, tree_size - 1 AS last FROM ledger.log_head
            UNION ALL SELECT 'outbox', last_number FROM ledger.outbox_head) AS e USING (source)
        WHERE c.position > e.last ORDER BY 1""",
    ),
)


async def check_told(conn: Connection, checked: Checked) -> AsyncIterator[Deviation]:
    """Yield what is wrong between the tables and the outbox."""
    async for deviation in differences(conn, COMPARISONS):
        yield deviation
    checked.add("commands", await conn.fetchval("SELECT count(*) FROM ledger.command"))
