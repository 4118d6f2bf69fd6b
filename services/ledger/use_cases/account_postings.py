"""What was posted to one account, in the order of the log, as of a tree size: the lines of an account statement.

Goal: opening + postings = closing, the same to the byte whenever the same tree size and days are asked for.
Method: the sums of days tell which buckets have postings of the period; only those are looked through, and the leaves that are
not summed yet. A page goes on after a place in the log, so that no page ever shifts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from services.ledger.domain.account import AccountKey
from services.ledger.limits import BUCKET_LEAVES
from services.ledger.use_cases.account_balances import SUMMED_BUCKETS, sums_as_of
from services.ledger.use_cases.as_of import AsOf

if TYPE_CHECKING:
    from services.runtime.database import Connection

ACCOUNT: Final = """
    SELECT account_id FROM ledger.account WHERE owner_kind = $1 AND owner_id = $2 AND purpose = $3 AND unit = $4"""
BUCKETS: Final = """
    SELECT DISTINCT bucket FROM ledger.account_day
    WHERE account_id = $1 AND bucket >= $2 AND bucket < $3 AND effective_on >= $4 AND effective_on <= $5 ORDER BY bucket"""
POSTINGS: Final = """
    SELECT t.leaf_index, t.number, j.transaction_id, j.kind, j.subject_kind, j.subject_id, j.effective_on, j.recorded_at,
        CASE WHEN t.debit_account_id = $1 THEN t.amount ELSE -t.amount END AS amount,
        o.owner_kind, o.owner_id, o.purpose, t.refiner_id, t.lot_id, t.scheme_id, t.payer_id
    FROM ledger.transfer AS t JOIN ledger.journal AS j USING (leaf_index)
    JOIN ledger.account AS o
        ON o.account_id = CASE WHEN t.debit_account_id = $1 THEN t.credit_account_id ELSE t.debit_account_id END
    WHERE t.leaf_index >= $2 AND t.leaf_index < $3 AND (t.leaf_index, t.number) > ($4, $5)
        AND (t.debit_account_id = $1 OR t.credit_account_id = $1) AND j.effective_on >= $6 AND j.effective_on <= $7
    ORDER BY t.leaf_index, t.number LIMIT $8"""


class Place(NamedTuple):
    """A transfer's place in the log."""

    leaf_index: int
    number: int


BEFORE_THE_FIRST: Final = Place(-1, 0)


@dataclass(frozen=True, slots=True)
class AccountPosting:
    """One transfer as the account sees it: `amount` is debit positive. The owner is that of the account on the other side."""

    leaf_index: int
    number: int
    transaction_id: UUID
    kind: str
    subject_kind: str
    subject_id: str
    effective_on: date
    recorded_at: datetime
    amount: int
    owner_kind: str
    owner_id: str
    purpose: str
    refiner_id: str | None
    lot_id: str | None
    scheme_id: str | None
    payer_id: str | None

    @property
    def place(self) -> Place:
        """Where it is in the log."""
        return Place(self.leaf_index, self.number)


@dataclass(frozen=True, slots=True)
class Period:
    """Days on which something took effect, both included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class PeriodBalances:
    """Debit positive, before the period and at its end."""

    opening: int
    closing: int


async def find_account(conn: Connection, key: AccountKey) -> int | None:
    """The id of an account, or None."""
    account_id: int | None = await conn.fetchval(ACCOUNT, *key)
    return account_id


async def period_balances(conn: Connection, account_id: int, tree_size: int, period: Period) -> PeriodBalances:
    """Opening and closing balance as recorded by a tree size."""
    opening = (0, 0)
    if period.first > date.min:
        before = AsOf(tree_size, period.first - timedelta(days=1))
        opening = (await sums_as_of(conn, [account_id], before)).get(account_id, opening)
    closing = (await sums_as_of(conn, [account_id], AsOf(tree_size, period.last))).get(account_id, (0, 0))
    return PeriodBalances(opening[0] - opening[1], closing[0] - closing[1])


async def account_postings(
    conn: Connection, account_id: int, tree_size: int, period: Period, *, after: Place, limit: int
) -> list[AccountPosting]:
    """The postings of the period after a place, in the order of the log, at most `limit`."""
    found: list[AccountPosting] = []
    for first, end in await _ranges(conn, account_id, tree_size, period, after):
        rows = await conn.fetch(POSTINGS, account_id, first, end, *after, period.first, period.last, limit - len(found))
        found += [AccountPosting(*row) for row in rows]
        if len(found) == limit:
            break
    return found


async def _ranges(conn: Connection, account_id: int, tree_size: int, period: Period, after: Place) -> Iterable[tuple[int, int]]:
    """Ranges of leaves that can hold postings: buckets that do, then what is not summed."""
    summed = min(await conn.fetchval(SUMMED_BUCKETS), tree_size // BUCKET_LEAVES)
    first = max(after.leaf_index, 0) // BUCKET_LEAVES
    rows = await conn.fetch(BUCKETS, account_id, first, summed, period.first, period.last)
    ranges = [(row["bucket"] * BUCKET_LEAVES, (row["bucket"] + 1) * BUCKET_LEAVES) for row in rows]
    return [*ranges, (summed * BUCKET_LEAVES, tree_size)]
