"""Statements, invariant 9: what each one says is owed is what the journal has, and its documents are those that were issued.

Goal: a statement that anybody holds still redoes, today and in ten years.
Method: PostgreSQL sums the journal's transfers on payable and in_transit, of leaves below the statement's tree size that took
effect by the end of its period. Documents are read one by one, by the hash that is their name.
Source: design, sections 7 and 9.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import orjson

from premia.fsck.deviation import Checked, Deviation, DeviationCode
from premia.fsck.ledger.entitlement import digits_of, whole
from premia.fsck.queries import Comparison, differences
from premia.fsck.streams import Connection, Row, open_stream

PAGE_ROWS: Final = 500
DOCUMENT_BYTES_MAX: Final = 64 * 1024 * 1024  # the sample's largest has 0.2 MB; what is larger was not made by Premia.

COMPARISONS: Final = (
    Comparison(
        DeviationCode.STATEMENT_NOT_THE_JOURNAL,
        """
        WITH owing AS (
            SELECT account_id, owner_kind, owner_id, unit FROM ledger.account
            WHERE owner_kind IN ('org', 'fund') AND purpose IN ('payable', 'in_transit')),
        moved AS (
            SELECT o.owner_kind, o.owner_id, o.unit, t.leaf_index, t.amount
            FROM ledger.transfer AS t JOIN owing AS o ON o.account_id = t.credit_account_id
            UNION ALL
            SELECT o.owner_kind, o.owner_id, o.unit, t.leaf_index, -t.amount
            FROM ledger.transfer AS t JOIN owing AS o ON o.account_id = t.debit_account_id),
        summed AS (
            SELECT s.statement_id, m.unit AS currency, sum(m.amount) AS amount
            FROM payout.statement AS s
            JOIN moved AS m ON m.owner_kind = s.subject_kind AND m.owner_id = s.subject_id AND m.leaf_index < s.tree_size
            JOIN ledger.journal AS j ON j.leaf_index = m.leaf_index AND j.effective_on <= s.period_to
            GROUP BY s.statement_id, m.unit)
        SELECT concat('statement ', statement_id, ' of ', (SELECT subject_id FROM payout.statement AS s
                WHERE s.statement_id = coalesce(b.statement_id, summed.statement_id)), ': ', currency) AS place,
            coalesce(summed.amount, 0)::text AS expected, coalesce(b.closing_minor, 0)::text AS found
        FROM summed FULL JOIN payout.statement_balance AS b USING (statement_id, currency)
        WHERE coalesce(summed.amount, 0) <> coalesce(b.closing_minor, 0) ORDER BY 1""",
    ),
    Comparison(
        DeviationCode.STATEMENT_NOT_THE_JOURNAL,
        """
        SELECT concat('statement ', s.statement_id, ' of ', s.subject_id, ': tree size') AS place,
            h.tree_size || ' or less' AS expected, s.tree_size::text AS found
        FROM payout.statement AS s, ledger.log_head AS h WHERE s.tree_size > h.tree_size ORDER BY 1""",
    ),
    Comparison(
        DeviationCode.STATEMENT_NOT_CONTINUED,
        """
        SELECT concat('statement ', s.statement_id, ' of ', s.subject_id, ': ', b.currency) AS place,
            coalesce((SELECT p.closing_minor FROM payout.statement AS e
                JOIN payout.statement_balance AS p ON p.statement_id = e.statement_id AND p.currency = b.currency
                WHERE (e.subject_kind, e.subject_id, e.number) = (s.subject_kind, s.subject_id, s.number - 1)), 0)::text
                AS expected,
            b.opening_minor::text AS found
        FROM payout.statement AS s JOIN payout.statement_balance AS b USING (statement_id)
        WHERE b.opening_minor <> coalesce((SELECT p.closing_minor FROM payout.statement AS e
                JOIN payout.statement_balance AS p ON p.statement_id = e.statement_id AND p.currency = b.currency
                WHERE (e.subject_kind, e.subject_id, e.number) = (s.subject_kind, s.subject_id, s.number - 1)), 0)
        ORDER BY 1""",
    ),
    Comparison(
        DeviationCode.STATEMENT_NOT_ON_RECORD,
        """
        WITH attested AS MATERIALIZED (
            SELECT subject_kind, subject_id, substring(encode(leaf, 'escape') FROM '"sha256":"([0-9a-f]{64})"') AS sha256
            FROM ledger.journal WHERE kind = 'attested'),
        asked AS MATERIALIZED (
            SELECT substring(encode(c.body, 'escape') FROM '"sha256":"([0-9a-f]{64})"') AS sha256
            FROM payout.ledger_command AS c
            WHERE c.kind = 'attest' AND NOT EXISTS (SELECT FROM ledger.command AS l WHERE l.command_id = c.command_id))
        SELECT concat('statement ', s.statement_id, ' of ', s.subject_id) AS place, 'a leaf that attests ' || s.json_sha256
            AS expected, 'none' AS found
        FROM payout.statement AS s
        WHERE NOT EXISTS (SELECT FROM attested AS a WHERE a.sha256 = s.json_sha256 AND a.subject_kind = s.subject_kind
                AND a.subject_id = s.subject_id)
            AND NOT EXISTS (SELECT FROM asked WHERE asked.sha256 = s.json_sha256)
        ORDER BY 1""",
    ),
)
STATEMENTS: Final = """
    SELECT s.statement_id::text, s.subject_id, s.json_sha256, s.pdf_sha256, s.tree_size,
        array_agg(b.currency ORDER BY b.currency) FILTER (WHERE b.currency IS NOT NULL) AS currencies,
        array_agg(b.closing_minor ORDER BY b.currency) FILTER (WHERE b.currency IS NOT NULL) AS closings
    FROM payout.statement AS s LEFT JOIN payout.statement_balance AS b USING (statement_id)
    GROUP BY s.statement_id ORDER BY s.statement_id"""


async def check_statements(conn: Connection, checked: Checked) -> AsyncIterator[Deviation]:
    """Yield what is wrong with statements, by the tables alone."""
    async for deviation in differences(conn, COMPARISONS):
        yield deviation
    checked.add("statements", await conn.fetchval("SELECT count(*) FROM payout.statement"))


async def check_documents(conn: Connection, checked: Checked, folder: Path) -> AsyncIterator[Deviation]:
    """Yield what is wrong with the documents of statements in `folder`."""
    rows = await open_stream(conn, STATEMENTS, page_rows=PAGE_ROWS)
    while (row := rows.row) is not None:
        where = f"statement {row['statement_id']} of {row['subject_id']}"
        for kind in ("json", "pdf"):
            digest = row[f"{kind}_sha256"]
            content = _read(folder / digest[:2] / digest)
            if isinstance(content, str):
                yield Deviation(DeviationCode.DOCUMENT_WRONG, f"{where}: {kind}", f"a document of hash {digest}", content)
                continue
            checked.add("documents")
            found = hashlib.sha256(content).hexdigest()
            if found != digest:
                yield Deviation(DeviationCode.DOCUMENT_WRONG, f"{where}: {kind}", f"hash {digest}", f"hash {found}")
            elif kind == "json":
                for deviation in _check_json(where, row, content):
                    yield deviation
        await rows.advance()


def _read(path: Path) -> bytes | str:
    try:
        if path.stat().st_size > DOCUMENT_BYTES_MAX:
            return "a file that is too large"
        return path.read_bytes()
    except FileNotFoundError:
        return "no file"


def _check_json(where: str, row: Row, content: bytes) -> list[Deviation]:
    """Whether the document says the tree size and the closing balances that its row says."""
    expected: dict[str, Any] = {"tree size": row["tree_size"]}
    expected |= dict(zip(row["currencies"] or (), row["closings"] or (), strict=True))
    try:
        value = orjson.loads(content)
        found: dict[str, Any] = {"tree size": value["tree_size"]}
        found |= {
            balance["currency"]: whole(balance["closing"], digits_of(balance["currency"])) for balance in value["balances"]
        }
    except (ValueError, ArithmeticError, KeyError, TypeError) as error:
        return [Deviation(DeviationCode.DOCUMENT_WRONG, f"{where}: json", "a statement", repr(error))]
    return [
        Deviation(DeviationCode.DOCUMENT_WRONG, f"{where}: {name}", f"{expected.get(name)}", f"{found.get(name)}")
        for name in sorted(expected.keys() | found.keys())
        if expected.get(name) != found.get(name)
    ]
