"""Transactions as their leaves: of an account, of a lot, of a payout, or one by its id.

Method: in the order of the log, after a leaf and below a tree size, at most so many. What leads to the leaves: an account's
buckets, a lot's accepted entitlements, the payee of a payout's reservation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.ledger.domain.entitlement import LotKey
from services.ledger.limits import BUCKET_LEAVES
from services.ledger.use_cases.account_balances import SUMMED_BUCKETS

if TYPE_CHECKING:
    from services.runtime.database import Connection

ONE: Final = "SELECT leaf_index, leaf FROM ledger.journal WHERE transaction_id = $1"
LEAVES: Final = "SELECT leaf_index, leaf FROM ledger.journal WHERE leaf_index = ANY ($1::bigint[]) ORDER BY leaf_index"
BUCKETS_OF_ACCOUNT: Final = """
    SELECT DISTINCT bucket FROM ledger.account_day WHERE account_id = $1 AND bucket >= $2 AND bucket < $3 ORDER BY bucket"""
LEAVES_OF_ACCOUNT: Final = """
    SELECT DISTINCT leaf_index FROM ledger.transfer
    WHERE leaf_index > $2 AND leaf_index < $3 AND (debit_account_id = $1 OR credit_account_id = $1)
    ORDER BY leaf_index LIMIT $4"""
OF_LOT: Final = """
    SELECT j.leaf_index, j.leaf FROM ledger.entitlement AS e
    JOIN ledger.journal AS j ON j.leaf_index >= e.first_leaf AND j.leaf_index < e.first_leaf + e.leaves
    WHERE e.refiner_id = $1 AND e.lot_id = $2 AND j.leaf_index > $3 AND j.leaf_index < $4 ORDER BY j.leaf_index LIMIT $5"""
LOT_IS_KNOWN: Final = "SELECT EXISTS (SELECT FROM ledger.entitlement WHERE refiner_id = $1 AND lot_id = $2)"
RESERVATION: Final = "SELECT subject_kind, subject_id FROM ledger.reservation WHERE reservation_id = $1"
# A payee has some thousand transactions, few of them payments; the leaf says which reservation each is of.
OF_RESERVATION: Final = """
    SELECT leaf_index, leaf FROM ledger.journal
    WHERE subject_kind = $1 AND subject_id = $2 AND kind IN ('reserved', 'settled', 'voided', 'returned')
        AND position($3::bytea IN leaf) > 0 AND leaf_index > $4 AND leaf_index < $5 ORDER BY leaf_index LIMIT $6"""


@dataclass(frozen=True, slots=True)
class StoredLeaf:
    """A leaf in its place."""

    leaf_index: int
    leaf: bytes


@dataclass(frozen=True, slots=True)
class LeafPage:
    """Leaves after `after` and below `tree_size`, at most `limit`."""

    after: int
    tree_size: int
    limit: int


async def read_transaction(conn: Connection, transaction_id: UUID) -> StoredLeaf | None:
    """One, or None."""
    row = await conn.fetchrow(ONE, transaction_id)
    return None if row is None else StoredLeaf(*row)


async def transactions_of_account(conn: Connection, account_id: int, page: LeafPage) -> list[StoredLeaf]:
    """Those with a posting on the account."""
    summed = min(await conn.fetchval(SUMMED_BUCKETS), page.tree_size // BUCKET_LEAVES)
    first = (page.after + 1) // BUCKET_LEAVES
    rows = await conn.fetch(BUCKETS_OF_ACCOUNT, account_id, first, summed)
    ends = [((row["bucket"] * BUCKET_LEAVES), (row["bucket"] + 1) * BUCKET_LEAVES) for row in rows]
    found: list[int] = []
    for begin, end in [*ends, (summed * BUCKET_LEAVES, page.tree_size)]:
        after = max(page.after, begin - 1)
        leaves = await conn.fetch(LEAVES_OF_ACCOUNT, account_id, after, end, page.limit - len(found))
        found += [row["leaf_index"] for row in leaves]
        if len(found) == page.limit:
            break
    return [StoredLeaf(*row) for row in await conn.fetch(LEAVES, found)]


async def transactions_of_lot(conn: Connection, lot: LotKey, page: LeafPage) -> list[StoredLeaf] | None:
    """Those that its entitlements caused; None for a lot that never came."""
    if not await conn.fetchval(LOT_IS_KNOWN, *lot):
        return None
    return [StoredLeaf(*row) for row in await conn.fetch(OF_LOT, *lot, page.after, page.tree_size, page.limit)]


async def transactions_of_reservation(conn: Connection, reservation_id: UUID, page: LeafPage) -> list[StoredLeaf] | None:
    """The steps of one attempt of a payout; None where nothing was ever reserved under that id."""
    subject = await conn.fetchrow(RESERVATION, reservation_id)
    if subject is None:
        return None
    told = f'"reservation_id":"{reservation_id}"'.encode()
    rows = await conn.fetch(OF_RESERVATION, *subject, told, page.after, page.tree_size, page.limit)
    return [StoredLeaf(*row) for row in rows]
