"""Sums of accounts by day, from which balances as of a day are read: each is that of the leaves of its bucket.

Goal: a report as of a tree size and a day is the journal's.
Method: PostgreSQL sums the transfers of all buckets that count as summed, and compares.
Source: docs/ledger.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from premia.fsck.deviation import Checked, Deviation, DeviationCode
from premia.fsck.queries import Comparison, differences
from premia.fsck.streams import Connection

BUCKET_LEAVES: Final = 16_384  # bucket b is leaves b * 16384 to (b + 1) * 16384 - 1

DAYS: Final = """
    WITH expected AS (
        SELECT side.account_id, (t.leaf_index / $1::bigint)::int AS bucket, j.effective_on, sum(side.debit) AS debits,
            sum(side.credit) AS credits
        FROM ledger.transfer AS t JOIN ledger.journal AS j USING (leaf_index)
        CROSS JOIN LATERAL (VALUES (t.debit_account_id, t.amount, 0::bigint), (t.credit_account_id, 0::bigint, t.amount))
            AS side (account_id, debit, credit)
        WHERE t.leaf_index < (SELECT buckets FROM ledger.account_day_head) * $1::bigint
        GROUP BY 1, 2, 3)
    SELECT concat('account ', account_id, ', bucket ', bucket, ', ', effective_on) AS place,
        concat(coalesce(e.debits, 0), ' debit, ', coalesce(e.credits, 0), ' credit') AS expected,
        concat(coalesce(k.debits, 0), ' debit, ', coalesce(k.credits, 0), ' credit') AS found
    FROM expected AS e FULL JOIN ledger.account_day AS k USING (account_id, bucket, effective_on)
    WHERE (e.debits, e.credits) IS DISTINCT FROM (k.debits::numeric, k.credits::numeric)
    ORDER BY bucket, account_id, effective_on"""
HEAD: Final = """
    SELECT 'summed buckets' AS place, (h.tree_size / $1::bigint) || ' or less' AS expected, d.buckets::text AS found
    FROM ledger.log_head AS h, ledger.account_day_head AS d WHERE d.buckets > h.tree_size / $1::bigint"""


async def check_days(conn: Connection, checked: Checked) -> AsyncIterator[Deviation]:
    """Yield what is wrong with the sums."""
    comparisons = [Comparison(DeviationCode.DAY_SUM_WRONG, sql, arguments=(BUCKET_LEAVES,)) for sql in (DAYS, HEAD)]
    async for deviation in differences(conn, comparisons):
        yield deviation
    checked.add("sums of days", await conn.fetchval("SELECT count(*) FROM ledger.account_day"))
