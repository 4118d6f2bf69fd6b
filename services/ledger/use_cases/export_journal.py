"""The journal from its first leaf to a tree size, streamed: whole leaves, or transfers with their accounts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.ledger.domain.account import AccountKey

if TYPE_CHECKING:
    from services.runtime.database import Connection

FETCH_ROWS: Final = 1_000  # leaves have 2 KB on average and 60 KB at most: 2 MB in memory, 60 MB at worst.
LEAVES: Final = "SELECT leaf FROM ledger.journal WHERE leaf_index < $1 ORDER BY leaf_index"
TRANSFERS: Final = """
    SELECT j.leaf_index, t.number, j.transaction_id, j.kind, j.subject_kind, j.subject_id, j.effective_on, j.recorded_at,
        t.amount, t.unit, t.refiner_id, t.lot_id, t.revision, t.stage, t.scheme_id, t.payer_id, t.role,
        d.owner_kind AS debit_kind, d.owner_id AS debit_id, d.purpose AS debit_purpose,
        c.owner_kind AS credit_kind, c.owner_id AS credit_id, c.purpose AS credit_purpose
    FROM ledger.journal AS j JOIN ledger.transfer AS t USING (leaf_index)
    JOIN ledger.account AS d ON d.account_id = t.debit_account_id
    JOIN ledger.account AS c ON c.account_id = t.credit_account_id
    WHERE j.leaf_index < $1 ORDER BY j.leaf_index, t.number"""
TRANSFER_COLUMNS: Final = (
    "leaf_index", "number", "transaction_id", "kind", "subject_kind", "subject_id", "effective_on", "recorded_at", "amount",
    "unit", "refiner_id", "lot_id", "revision", "stage", "scheme_id", "payer_id", "role",
)  # fmt: skip
DAYS: Final = "SELECT min(effective_on), max(effective_on) FROM ledger.journal WHERE leaf_index < $1"


@dataclass(frozen=True, slots=True)
class ExportedTransfer:
    """One transfer with its transaction. `amount` in minor units, or milligrams of fine gold."""

    leaf_index: int
    number: int
    transaction_id: UUID
    kind: str
    subject_kind: str
    subject_id: str
    effective_on: date
    recorded_at: datetime
    amount: int
    unit: str
    refiner_id: str | None
    lot_id: str | None
    revision: int | None
    stage: str | None
    scheme_id: str | None
    payer_id: str | None
    role: str | None
    debit: AccountKey
    credit: AccountKey


async def exported_leaves(conn: Connection, tree_size: int) -> AsyncIterator[bytes]:
    """Leaves, byte for byte, in the order of the log. Needs an open transaction."""
    async for row in conn.cursor(LEAVES, tree_size, prefetch=FETCH_ROWS):
        yield row["leaf"]


async def exported_transfers(conn: Connection, tree_size: int) -> AsyncIterator[ExportedTransfer]:
    """Transfers in the order of the log. Needs an open transaction."""
    async for row in conn.cursor(TRANSFERS, tree_size, prefetch=FETCH_ROWS):
        debit, credit = (
            AccountKey(row[f"{side}_kind"], row[f"{side}_id"], row[f"{side}_purpose"], row["unit"])
            for side in ("debit", "credit")
        )
        yield ExportedTransfer(**{name: row[name] for name in TRANSFER_COLUMNS}, debit=debit, credit=credit)


async def exported_days(conn: Connection, tree_size: int) -> tuple[date, date] | None:
    """The first and the last day on which anything took effect; None for an empty log."""
    first, last = await conn.fetchrow(DAYS, tree_size) or (None, None)
    return None if first is None or last is None else (first, last)
