"""Proposed corrections and what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

import orjson

from schemas.ledger_correction import Correction, CorrectionState

if TYPE_CHECKING:
    from services.runtime.database import Connection

LIST_ROWS_MAX: Final = 1_000  # two persons write them by hand; an answer says whether it is all.
DECIDED: Final = ("proposed_by", "proposed_at", "state", "decided_by", "decided_at", "transaction_id", "leaf_index")
CORRECTIONS: Final = """
    SELECT c.content, c.proposed_by, c.proposed_at, coalesce(d.decision, 'proposed'), d.decided_by, d.decided_at,
        k.transaction_id, k.first_leaf
    FROM ledger.correction AS c
    LEFT JOIN ledger.correction_decision AS d USING (correction_id)
    LEFT JOIN ledger.command AS k ON k.command_id = c.correction_id AND d.decision = 'approved'
    WHERE ($1::uuid IS NULL OR correction_id = $1) AND ($2::text IS NULL OR coalesce(d.decision, 'proposed') = $2)
    ORDER BY c.proposed_at DESC, correction_id LIMIT $3"""

WAITING: Final = """
    SELECT count(*) FROM ledger.correction AS c
    WHERE NOT EXISTS (SELECT FROM ledger.correction_decision AS d WHERE d.correction_id = c.correction_id)"""


async def read_correction(conn: Connection, correction_id: UUID) -> Correction | None:
    """One of them, or None."""
    found = await _read(conn, correction_id, None)
    return found[0] if found else None


async def read_corrections(conn: Connection, state: CorrectionState | None) -> list[Correction]:
    """All, or those of one state, newest first; at most LIST_ROWS_MAX."""
    return await _read(conn, None, state)


async def waiting_corrections(conn: Connection) -> int:
    """How many nobody decided on."""
    waiting: int = await conn.fetchval(WAITING)
    return waiting


async def _read(conn: Connection, correction_id: UUID | None, state: CorrectionState | None) -> list[Correction]:
    rows = await conn.fetch(CORRECTIONS, correction_id, state, LIST_ROWS_MAX)
    return [
        Correction.model_validate(orjson.loads(content) | dict(zip(DECIDED, decided, strict=True)))
        for content, *decided in rows
    ]
