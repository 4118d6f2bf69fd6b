"""Reading a ledger of 1,000,000 transactions as of any time: `python -m benchmarks.ledger_reading`.

Goal: what was asked as of a tree size or a day is answered in bounded time, and posting pays nothing for it. Targets: a balance
of now in under 5 ms; one account as of anything in under 50 ms.
Method: rows are made by SQL: 128 organizations, 5 payers, 3 refiners, two transfers a transaction, twelve years of days, one in
fifty of them up to 400 days back. Beside the sums of days stands the obvious other way, two B-trees on the transfers: what they
cost when 40,000 transfers are copied in, and what they give.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import date
from functools import partial
from typing import Any, Final

import asyncpg
import uvloop

from benchmarks.ledger_database import local_stack, machine, new_database
from premia.local.stack import LocalStack
from services.ledger.domain.account import AccountKey
from services.ledger.use_cases.account_balances import ALL_ACCOUNTS, AccountFilter, account_balances
from services.ledger.use_cases.account_postings import BEFORE_THE_FIRST, Period, account_postings, find_account, period_balances
from services.ledger.use_cases.as_of import AsOf
from services.ledger.use_cases.sum_account_days import sum_next_bucket
from services.runtime.database import Connection

TRANSACTIONS: Final = 1_000_000
STEP: Final = 100_000
ROUNDS: Final = 15
COPIED: Final = 40_000
NOW_MS_MAX: Final = 5.0
AS_OF_MS_MAX: Final = 50.0
ORGANIZATION: Final = AccountKey("org", "ORG-001", "payable", "USD")
PAYER: Final = AccountKey("payer", "PAY-1", "receivable", "USD")
ACCOUNTS: Final = """
    INSERT INTO ledger.account (account_id, owner_kind, owner_id, purpose, unit)
    SELECT i, 'org', 'ORG-' || lpad(i::text, 3, '0'), 'payable', 'USD' FROM generate_series(1, 128) AS i
    UNION ALL SELECT 128 + i, 'org', 'ORG-' || lpad(i::text, 3, '0'), 'gold', 'AU-MG' FROM generate_series(1, 128) AS i
    UNION ALL SELECT 256 + i, 'payer', 'PAY-' || i, 'receivable', 'USD' FROM generate_series(1, 5) AS i
    UNION ALL SELECT 261 + i, 'refiner', 'REF-' || i, 'gold', 'AU-MG' FROM generate_series(1, 3) AS i"""
JOURNAL: Final = """
    INSERT INTO ledger.journal (leaf_index, transaction_id, subject_kind, subject_id, subject_number, kind, part, parts,
        effective_on, recorded_at, cause_id, leaf)
    SELECT i, gen_random_uuid(), 'org', 'ORG-' || lpad((1 + i % 128)::text, 3, '0'), 1 + i / 128, 'premium', 1, 1,
        date '2014-01-01' + (i * 4380 / $3::bigint)::int - CASE WHEN i % 50 = 0 THEN (i % 400)::int ELSE 0 END,
        timestamptz '2026-01-01' + i * interval '1 ms', gen_random_uuid(),
        convert_to(rpad(i::text, 1300, md5(i::text)), 'UTF8')
    FROM generate_series($1::bigint, $2::bigint - 1) AS i"""
TRANSFERS: Final = """
    INSERT INTO ledger.transfer (leaf_index, number, debit_account_id, credit_account_id, amount, unit, refiner_id, lot_id,
        revision, stage, scheme_id, payer_id, role)
    SELECT i, n, CASE n WHEN 1 THEN 257 + i % 5 ELSE 262 + i % 3 END, CASE n WHEN 1 THEN 1 + i % 128 ELSE 129 + i % 128 END,
        1 + i % 1000, CASE n WHEN 1 THEN 'USD' ELSE 'AU-MG' END, 'REF-1', 'LOT-' || i, 1, 'final', 'sbg', 'PAY-1', 'producer'
    FROM generate_series($1::bigint, $2::bigint - 1) AS i, generate_series(1, 2) AS n"""
BALANCES: Final = """
    INSERT INTO ledger.balance (account_id, debits, credits) SELECT account_id, sum(debit), sum(credit) FROM (
        SELECT debit_account_id AS account_id, amount AS debit, 0 AS credit FROM ledger.transfer
        UNION ALL SELECT credit_account_id, 0, amount FROM ledger.transfer) AS side GROUP BY account_id"""
B_TREES: Final = """
    CREATE INDEX by_debit ON ledger.transfer (debit_account_id, leaf_index);
    CREATE INDEX by_credit ON ledger.transfer (credit_account_id, leaf_index)"""
BY_B_TREE: Final = """
    SELECT sum(t.amount) FROM ledger.transfer AS t JOIN ledger.journal AS j USING (leaf_index)
    WHERE t.leaf_index < $1 AND t.debit_account_id = $2 AND j.effective_on <= $3"""
COLUMNS: Final = ("leaf_index", "number", "debit_account_id", "credit_account_id", "amount", "unit")


def main() -> None:
    """Print the table; exit code 1 if a target is missed."""
    with local_stack("postgres") as stack:
        missed = uvloop.run(_measure(stack))
    if missed:
        sys.exit(1)


async def _measure(stack: LocalStack) -> bool:
    print(machine())
    database = await new_database(stack)
    conn = await asyncpg.connect(database.admin)
    await _fill(conn)
    now = AccountFilter((ORGANIZATION.owner_id,), ORGANIZATION.owner_kind, ORGANIZATION.purpose, ORGANIZATION.unit)
    missed = await _median_ms("a balance of now", partial(_read, conn, now, None)) > NOW_MS_MAX
    await _sum_days(conn)
    month, day = Period(date(2019, 3, 1), date(2019, 3, 31)), date(2020, 1, 1)
    for name, key in (("an organization's account", ORGANIZATION), ("a payer's, of 200,000 postings", PAYER)):
        wanted = AccountFilter((key.owner_id,), key.owner_kind, key.purpose, key.unit)
        account_id = await find_account(conn, key)
        assert account_id is not None, "it was made above"
        for size, on in ((TRANSACTIONS, date.max), (TRANSACTIONS // 2, day)):
            read = partial(_read, conn, wanted, AsOf(size, on))
            missed |= await _median_ms(f"{name}, as of {size:,} leaves and {on}", read) > AS_OF_MS_MAX
        ends = partial(period_balances, conn, account_id, TRANSACTIONS, month)
        await _median_ms(f"{name}, opening and closing of a month", ends)
        postings = partial(account_postings, conn, account_id, TRANSACTIONS, month, after=BEFORE_THE_FIRST, limit=100)
        await _median_ms(f"{name}, the first 100 postings of a month", postings)
    await _median_ms("all 264 accounts, as of half of the leaves", partial(_read, conn, ALL_ACCOUNTS, AsOf(TRANSACTIONS // 2)))
    await _beside_b_trees(conn, day)
    await conn.close()
    return missed


async def _fill(conn: Connection) -> None:
    started = time.monotonic()
    await conn.execute(ACCOUNTS)
    for first in range(0, TRANSACTIONS, STEP):
        await conn.execute(JOURNAL, first, first + STEP, TRANSACTIONS)
        await conn.execute(TRANSFERS, first, first + STEP)
    await conn.execute(BALANCES)
    await conn.execute("UPDATE ledger.log_head SET tree_size = $1", TRANSACTIONS)
    for table in ("journal", "transfer", "balance", "account"):
        await conn.execute(f"VACUUM ANALYZE ledger.{table}")
    print(f"{TRANSACTIONS:,} transactions made in {time.monotonic() - started:.0f} s", flush=True)


async def _sum_days(conn: Connection) -> None:
    took_ms = []
    started = time.perf_counter()
    while await sum_next_bucket(conn):
        took_ms.append((time.perf_counter() - started) * 1e3)
        started = time.perf_counter()
    await conn.execute("VACUUM ANALYZE ledger.account_day")
    rows = await conn.fetchval("SELECT count(*) FROM ledger.account_day")
    print(
        f"sums of days: {len(took_ms)} buckets, {statistics.median(took_ms):.0f} ms each, {rows:,} rows:"
        f" {sum(took_ms) / TRANSACTIONS * 1e3:.1f} µs a transaction, beside posting"
    )


async def _read(conn: Connection, wanted: AccountFilter, as_of: AsOf | None) -> object:
    return [account async for account in account_balances(conn, wanted, as_of)]


async def _median_ms(what: str, read: Callable[[], Awaitable[Any]]) -> float:
    took_ms = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        found = await read()
        took_ms.append((time.perf_counter() - started) * 1e3)
        assert found, what
    print(f"{what}: {statistics.median(took_ms):.2f} ms", flush=True)
    return statistics.median(took_ms)


async def _beside_b_trees(conn: Connection, day: date) -> None:
    await conn.execute("ALTER TABLE ledger.transfer DISABLE TRIGGER check_transfers")
    without_us = await _copied_us(conn)
    await conn.execute(B_TREES)
    await conn.execute("VACUUM ANALYZE ledger.transfer")
    with_us = await _copied_us(conn)
    print(f"a transfer copied in: {without_us:.2f} µs, with two B-trees {with_us:.2f} µs")
    account_id = await find_account(conn, PAYER)
    await _median_ms("a payer's account by the B-tree", partial(conn.fetch, BY_B_TREE, TRANSACTIONS, account_id, day))


async def _copied_us(conn: Connection) -> float:
    rows = [(TRANSACTIONS + n // 2, n % 2 + 1, 257 + n % 5, 1 + n % 128, 5, "USD") for n in range(COPIED)]
    took_us = []
    for _ in range(5):
        transaction = conn.transaction()
        await transaction.start()
        started = time.perf_counter()
        await conn.copy_records_to_table("transfer", schema_name="ledger", columns=COLUMNS, records=rows)
        took_us.append((time.perf_counter() - started) * 1e6 / COPIED)
        await transaction.rollback()
    return min(took_us)


if __name__ == "__main__":
    main()
