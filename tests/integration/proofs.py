"""Everything that a test left in the books, proven: the log, every statement, every lot, every payout.

Goal: whatever payout and ledger do in any test, an auditor finds nothing.
Method: the journal is written as a log by tests/log_files.py, bundles are made as `premia proof` makes them, and checked as
`premia verify` checks them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import asyncpg

from premia.connection import Rejected
from premia.proof.assemble import assemble
from premia.proof.evidence import evidence_of
from premia.trace.subject import IssuedStatement, Lot, Payout, Traced
from schemas.note_signing import NoteKind, new_note_key
from tests.log_files import checkpoint, write_log
from verifier.audit import Audit
from verifier.bundle import open_bundle
from verifier.checkpoint import TrustedKeys, open_checkpoint
from verifier.findings import Findings
from verifier.log import verify_log
from verifier.lot import verify_lot
from verifier.note import LOG_KIND, read_verifier_key
from verifier.payout import verify_payout
from verifier.statement import verify_statement
from verifier.tiles import Folder

CHECKS: dict[str, Callable[..., Findings]] = {"statement": verify_statement, "lot": verify_lot, "payout": verify_payout}
LOG = new_note_key("tests.example/ledger", NoteKind.LOG)
KEYS = TrustedKeys((read_verifier_key(LOG.verifier_key(), LOG_KIND),))


async def prove_all(conn: asyncpg.Connection, folder: Path, document: Callable[[str], bytes]) -> dict[str, int]:
    """Check everything; `document` gives the bytes of a hash. Returns how much was checked, by kind. Raises Deviation."""
    leaves = [bytes(row["leaf"]) for row in await conn.fetch("SELECT leaf FROM ledger.journal ORDER BY leaf_index")]
    source = Folder(write_log(folder, leaves, LOG))
    verify_log(source, open_checkpoint(checkpoint(leaves, LOG).encode(), KEYS, "the log"), None, entries=True)
    proven = dict.fromkeys(CHECKS, 0)
    for thing in await _things(conn):
        try:
            evidence = await evidence_of(conn, thing)
        except Rejected:
            continue  # nothing was posted for it, or a statement's record is still on its way
        hashes = (evidence.statement_sha256, evidence.previous_sha256)
        statement, previous = (None if one is None else document(one) for one in hashes)
        bundle = assemble(evidence, source, statement=statement, previous_statement=previous)
        CHECKS[thing.kind](open_bundle(bundle, KEYS, thing.kind))
        proven[thing.kind] += 1
    return proven


async def audit_journal(conn: asyncpg.Connection) -> None:
    """Have the journal's leaves audited as `premia verify log` does. Raises Deviation."""
    audit = Audit()
    for row in await conn.fetch("SELECT leaf FROM ledger.journal ORDER BY leaf_index"):
        audit.take(bytes(row["leaf"]))
    assert not audit.repeated_nonces()


async def _things(conn: asyncpg.Connection) -> list[Traced]:
    statements = await conn.fetch("SELECT statement_id, subject_id, number FROM payout.statement")
    lots = await conn.fetch("SELECT DISTINCT refiner_id, lot_id FROM ledger.entitlement")
    orders = await conn.fetch("SELECT order_id FROM payout.payout_order")
    return [
        *(IssuedStatement(row["statement_id"], row["subject_id"], str(row["number"])) for row in statements),
        *(Lot(row["refiner_id"], row["lot_id"]) for row in lots),
        *(Payout(row["order_id"]) for row in orders),
    ]
