"""Balances of accounts, debit positive: now, or as of a tree size and a day.

Method: those of now are kept. Earlier ones are sums: of the days of whole buckets (sum_account_days.py), and of the transfers
of the leaves after them. An account is there from its first posting on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from services.ledger.domain.account import AccountKey
from services.ledger.limits import BUCKET_LEAVES
from services.ledger.use_cases.as_of import AsOf

if TYPE_CHECKING:
    from services.runtime.database import Connection

PAGE_ROWS: Final = 1_000  # a programme has some thousand accounts; they pass through, whatever their number
# $1 to $4 narrow down where they are not null; $5 to $8 is the account after which the page begins.
ACCOUNTS: Final = """
    SELECT a.account_id, a.owner_kind, a.owner_id, a.purpose, a.unit, b.debits, b.credits
    FROM ledger.account AS a JOIN ledger.balance AS b USING (account_id)
    WHERE ($1::text[] IS NULL OR a.owner_id = ANY ($1)) AND ($2::text IS NULL OR a.owner_kind = $2)
        AND ($3::text IS NULL OR a.purpose = $3) AND ($4::text IS NULL OR a.unit = $4)
        AND (a.owner_kind, a.owner_id, a.purpose, a.unit) > ($5, $6, $7, $8)
    ORDER BY a.owner_kind, a.owner_id, a.purpose, a.unit LIMIT $9"""
# Buckets below $2 are summed; the leaves from $4 to $5 are not.
SUMS: Final = """
    SELECT account_id, sum(debits)::bigint AS debits, sum(credits)::bigint AS credits FROM (
        SELECT account_id, debits, credits FROM ledger.account_day
        WHERE account_id = ANY ($1::bigint[]) AND bucket < $2 AND effective_on <= $3
        UNION ALL
        SELECT side.account_id, side.debit, side.credit
        FROM ledger.transfer AS t JOIN ledger.journal AS j USING (leaf_index)
        CROSS JOIN LATERAL (VALUES (t.debit_account_id, t.amount, 0::bigint), (t.credit_account_id, 0::bigint, t.amount))
            AS side (account_id, debit, credit)
        WHERE t.leaf_index >= $4 AND t.leaf_index < $5 AND j.leaf_index >= $4 AND j.leaf_index < $5 AND j.effective_on <= $3
            AND side.account_id = ANY ($1::bigint[])) AS posted
    GROUP BY account_id"""
SUMMED_BUCKETS: Final = "SELECT buckets FROM ledger.account_day_head"


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """Which accounts: those of some owners, of a kind of owner, for a purpose, in a unit. None: all."""

    owners: tuple[str, ...] | None = None
    owner_kind: str | None = None
    purpose: str | None = None
    unit: str | None = None


ALL_ACCOUNTS: Final = AccountFilter()
FROM_THE_FIRST: Final = AccountKey("", "", "", "")


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """One account. `balance` is debits less credits, in minor units or milligrams of fine gold."""

    account_id: int
    owner_kind: str
    owner_id: str
    purpose: str
    unit: str
    debits: int
    credits: int

    @property
    def key(self) -> AccountKey:
        """Its natural key."""
        return AccountKey(self.owner_kind, self.owner_id, self.purpose, self.unit)

    @property
    def balance(self) -> int:
        """Debit positive."""
        return self.debits - self.credits

    @property
    def name(self) -> str:
        """The text form of the account, for display."""
        return ":".join(self.key)


async def account_balances(
    conn: Connection, asked: AccountFilter = ALL_ACCOUNTS, as_of: AsOf | None = None
) -> AsyncIterator[AccountBalance]:
    """All accounts that are asked for, in order of their names; `as_of` None: now. Use one snapshot."""
    after: AccountKey | None = FROM_THE_FIRST
    while after is not None:
        page, after = await balances_page(conn, asked, as_of, after=after, limit=PAGE_ROWS)
        for account in page:
            yield account


async def balances_page(
    conn: Connection, asked: AccountFilter, as_of: AsOf | None, *, after: AccountKey, limit: int
) -> tuple[list[AccountBalance], AccountKey | None]:
    """At most `limit` accounts after one in the order of names, and after which the next page begins; None: there is none.

    Accounts that came later than `as_of` are passed over, so that a page of a tree size is the same whatever came since.
    """
    found: list[AccountBalance] = []
    rows_max = limit + 1  # one more tells whether another page follows
    while len(found) <= limit:
        rows = await conn.fetch(ACCOUNTS, asked.owners, asked.owner_kind, asked.purpose, asked.unit, *after, rows_max)
        page = [AccountBalance(*row) for row in rows]
        found += page if as_of is None else await _as_of(conn, page, as_of)
        if len(page) < rows_max:
            break
        after, rows_max = page[-1].key, PAGE_ROWS
    return found[:limit], found[limit - 1].key if len(found) > limit else None


async def _as_of(conn: Connection, accounts: Sequence[AccountBalance], as_of: AsOf) -> list[AccountBalance]:
    """Those of the accounts that were there, with what they had."""
    sums = await sums_as_of(conn, [account.account_id for account in accounts], as_of)
    return [
        AccountBalance(account.account_id, *account.key, *sums[account.account_id])
        for account in accounts
        if account.account_id in sums
    ]


async def sums_as_of(conn: Connection, account_ids: Sequence[int], as_of: AsOf) -> dict[int, tuple[int, int]]:
    """(debits, credits) of the accounts that were posted to."""
    buckets = min(await conn.fetchval(SUMMED_BUCKETS), as_of.tree_size // BUCKET_LEAVES)
    rows = await conn.fetch(SUMS, account_ids, buckets, as_of.effective_on, buckets * BUCKET_LEAVES, as_of.tree_size)
    return {row["account_id"]: (row["debits"], row["credits"]) for row in rows}
