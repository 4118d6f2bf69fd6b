"""The story of one lot: what was said about it, in which order, and what the ledger did.

Method: accepted entitlements with their bytes, refused ones by their quarantine rows, transfers by the leaves that each
entitlement caused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

if TYPE_CHECKING:
    from services.runtime.database import Connection

LOTS_FOUND_MAX: Final = 20  # enough to show that a bare lot id is not unique
FIND: Final = """
    SELECT DISTINCT refiner_id, lot_id FROM ledger.entitlement
    WHERE lot_id = $1 AND ($2::text IS NULL OR refiner_id = $2) ORDER BY refiner_id LIMIT $3"""
ENTITLEMENTS: Final = """
    SELECT e.revision, e.calculation, entitlement_id, e.cause, e.sale_source, e.sale_id, e.sale_hash, e.origin, e.sequence,
        e.effective_on, e.recorded_at, e.detail, e.first_leaf, e.leaves, e.value,
        h.revision IS NOT NULL AS counts
    FROM ledger.entitlement AS e
    LEFT JOIN ledger.lot_head AS h USING (refiner_id, lot_id, entitlement_id)
    WHERE refiner_id = $1 AND lot_id = $2 ORDER BY e.recorded_at, e.first_leaf NULLS LAST, e.revision, e.calculation"""
TRANSFERS: Final = """
    SELECT t.leaf_index, t.number, t.amount, t.unit, t.stage, t.scheme_id,
        d.owner_kind || ':' || d.owner_id || ':' || d.purpose AS debit,
        c.owner_kind || ':' || c.owner_id || ':' || c.purpose AS credit
    FROM ledger.transfer AS t
    JOIN ledger.account AS d ON d.account_id = t.debit_account_id
    JOIN ledger.account AS c ON c.account_id = t.credit_account_id
    WHERE t.leaf_index >= $1 AND t.leaf_index < $2 ORDER BY t.leaf_index, t.number"""
REFUSED: Final = """
    SELECT origin, code, revision, sale_id, known_origin, recorded_at FROM ledger.quarantine
    WHERE refiner_id = $1 AND lot_id = $2 ORDER BY recorded_at, origin"""


@dataclass(frozen=True, slots=True)
class StoryTransfer:
    """One transfer with the leaf that proves it. Accounts are without their unit."""

    leaf_index: int
    number: int
    amount: int
    unit: str
    stage: str
    scheme_id: str | None
    debit: str
    credit: str


@dataclass(frozen=True, slots=True)
class StoryRevision:
    """One accepted entitlement. `counts` marks the one that is the lot's head; `value` are its bytes."""

    revision: int
    calculation: int
    entitlement_id: UUID
    cause: str
    sale_source: str
    sale_id: str
    sale_hash: str
    origin: str
    sequence: int | None
    effective_on: date
    recorded_at: datetime
    detail: str
    counts: bool
    value: bytes
    transfers: tuple[StoryTransfer, ...]


@dataclass(frozen=True, slots=True)
class StoryRefusal:
    """A sale of the lot that the ledger refused; its bytes lie in the dead-letter topic under its origin."""

    origin: str
    code: str
    revision: int
    sale_id: str
    known_origin: str | None
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class LotStory:
    """Everything, in the order in which it was recorded."""

    refiner_id: str
    lot_id: str
    revisions: tuple[StoryRevision, ...]
    refused: tuple[StoryRefusal, ...]


async def find_lots(conn: Connection, lot_id: str, refiner_id: str | None) -> list[tuple[str, str]]:
    """(refiner, lot) of every lot of this id, or of the one refiner's; at most LOTS_FOUND_MAX."""
    rows = await conn.fetch(FIND, lot_id, refiner_id, LOTS_FOUND_MAX)
    return [(row["refiner_id"], row["lot_id"]) for row in rows]


async def lot_story(conn: Connection, refiner_id: str, lot_id: str) -> LotStory:
    """Tell the story; it is empty for a lot that never came."""
    revisions = []
    for row in await conn.fetch(ENTITLEMENTS, refiner_id, lot_id):
        members = dict(row)
        first_leaf, leaves = members.pop("first_leaf"), members.pop("leaves")
        transfers = [] if first_leaf is None else await conn.fetch(TRANSFERS, first_leaf, first_leaf + leaves)
        revisions.append(StoryRevision(**members, transfers=tuple(StoryTransfer(*transfer) for transfer in transfers)))
    refused = tuple(StoryRefusal(*row) for row in await conn.fetch(REFUSED, refiner_id, lot_id))
    return LotStory(refiner_id, lot_id, tuple(revisions), refused)
