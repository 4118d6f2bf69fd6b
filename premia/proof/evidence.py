"""Find the leaves that prove something.

Goal: a bundle holds all that a check needs, and nothing of anybody else's but the parties of a lot.
Method: by the reader's login, in one snapshot. A statement rests on every leaf of its payee up to the one that records its
hash; a lot on its premiums of all parties; a payout on the steps of its attempts.
Refuses: Rejected for what has no leaves (yet).
Source: docs/verify.md; verifier/bundle.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from premia.connection import Rejected
from premia.trace.story import ATTESTED, LEAVES_OF_LOT
from premia.trace.subject import IssuedStatement, Lot, Payout, Traced
from schemas.identity import derived_id
from services.payout.use_cases.record_statement import ATTESTATION

if TYPE_CHECKING:
    from asyncpg import Record

    from services.runtime.database import Connection

STATEMENT: Final = "SELECT subject_kind, subject_id, number, json_sha256 FROM payout.statement WHERE statement_id = $1"
PREVIOUS: Final = """
    SELECT json_sha256 FROM payout.statement WHERE subject_kind = $1 AND subject_id = $2 AND number = $3 - 1"""
LEAVES_OF_SUBJECT: Final = """
    SELECT leaf_index, leaf FROM ledger.journal
    WHERE subject_kind = $1 AND subject_id = $2 AND leaf_index <= $3 ORDER BY leaf_index"""
LEAVES_OF_PAYOUT: Final = """
    SELECT x.leaf_index FROM payout.attempt AS t JOIN payout.ledger_transaction AS x ON x.reservation_id = t.attempt_id
    WHERE t.order_id = $1"""
LEAVES: Final = "SELECT leaf_index, leaf FROM ledger.journal WHERE leaf_index = ANY($1) ORDER BY leaf_index"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a bundle is about, its leaves in order, and the hashes of the documents that belong into it."""

    about: dict[str, Any]
    leaves: Sequence[tuple[int, bytes]]
    statement_sha256: str | None = None
    previous_sha256: str | None = None


async def evidence_of(conn: Connection, thing: Traced) -> Evidence:
    """All that proves a statement, a lot or a payout. Raises Rejected."""
    match thing:
        case IssuedStatement(statement_id=statement_id):
            return await _of_statement(conn, statement_id, str(thing))
        case Lot(refiner_id, lot_id):
            indices = [row["leaf_index"] for row in await conn.fetch(LEAVES_OF_LOT, refiner_id, lot_id)]
            about = {"kind": thing.kind, "refiner_id": refiner_id, "lot_id": lot_id}
        case Payout(order_id):
            indices = [row["leaf_index"] for row in await conn.fetch(LEAVES_OF_PAYOUT, order_id)]
            about = {"kind": thing.kind, "order_id": str(order_id)}
    leaves = _leaves(await conn.fetch(LEAVES, indices))
    if not leaves:
        raise Rejected(f"{thing} has no leaf in the ledger: nothing was posted for it")
    return Evidence(about, leaves)


async def _of_statement(conn: Connection, statement_id: UUID, name: str) -> Evidence:
    row = await conn.fetchrow(STATEMENT, statement_id)
    assert row is not None, "statements are never deleted"
    subject = (row["subject_kind"], row["subject_id"])
    record = await conn.fetchrow(ATTESTED, derived_id("command", "attest", ATTESTATION, str(statement_id)))
    if record is None:
        raise Rejected(f"{name} is not on record yet: the ledger has not answered; try again in a moment")
    leaves = _leaves(await conn.fetch(LEAVES_OF_SUBJECT, *subject, record["leaf_index"]))
    previous = await conn.fetchval(PREVIOUS, *subject, row["number"])
    return Evidence({"kind": IssuedStatement.kind}, leaves, row["json_sha256"], previous)


def _leaves(rows: Sequence[Record]) -> list[tuple[int, bytes]]:
    return [(row["leaf_index"], bytes(row["leaf"])) for row in rows]
