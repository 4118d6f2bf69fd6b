"""Sum the next whole bucket of leaves by account and day.

Goal: what was asked as of a tree size or of a day is answered in time that does not grow with the ledger, and posting pays
nothing for it.
Method: beside posting, in order, once for each bucket; leaves never change, so a sum never has to. What is not summed yet is
added up from the transfers by who reads: nothing is wrong while this is behind, only slower.
Source: docs/adr/0017.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from services.ledger.limits import BUCKET_LEAVES, SUMMING_INTERVAL_S

if TYPE_CHECKING:
    from services.runtime.database import Connection, Pool

# The row's lock keeps two processes from summing the same bucket.
NEXT: Final = """
    SELECT d.buckets FROM ledger.account_day_head AS d, ledger.log_head AS h
    WHERE (d.buckets + 1)::bigint * $1 <= h.tree_size FOR UPDATE OF d"""
SUM: Final = """
    INSERT INTO ledger.account_day (account_id, bucket, effective_on, debits, credits)
    SELECT side.account_id, $1::int, j.effective_on, sum(side.debit), sum(side.credit)
    FROM ledger.transfer AS t JOIN ledger.journal AS j USING (leaf_index)
    CROSS JOIN LATERAL (VALUES (t.debit_account_id, t.amount, 0::bigint), (t.credit_account_id, 0::bigint, t.amount))
        AS side (account_id, debit, credit)
    WHERE t.leaf_index >= $2 AND t.leaf_index < $3 AND j.leaf_index >= $2 AND j.leaf_index < $3
    GROUP BY side.account_id, j.effective_on"""
UNSUMMED: Final = "SELECT h.tree_size - d.buckets * $1::bigint FROM ledger.log_head AS h, ledger.account_day_head AS d"
ADVANCE: Final = "UPDATE ledger.account_day_head SET buckets = $1"


async def sum_next_bucket(conn: Connection) -> bool:
    """Sum one bucket in an SQL transaction of its own. False: no whole one is left."""
    async with conn.transaction():
        bucket = await conn.fetchval(NEXT, BUCKET_LEAVES)
        if bucket is None:
            return False
        await conn.execute(SUM, bucket, bucket * BUCKET_LEAVES, (bucket + 1) * BUCKET_LEAVES)
        await conn.execute(ADVANCE, bucket + 1)
        return True


async def unsummed_leaves(conn: Connection) -> int:
    """Leaves that are in no summed bucket: below a bucket when all is well."""
    leaves: int = await conn.fetchval(UNSUMMED, BUCKET_LEAVES)
    return leaves


async def keep_summed(pool: Pool) -> None:
    """Sum buckets as they become whole, until cancelled."""
    while True:
        async with pool.acquire() as conn:
            await sum_next_bucket(conn)
        await asyncio.sleep(SUMMING_INTERVAL_S)
