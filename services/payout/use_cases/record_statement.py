"""Record a statement as issued: its row, its hash on record in the ledger, and the event that tells of it.

Goal: a statement is issued once, under the next number of its payee; what was issued never changes.
Method: the number is checked again under the turn, so that two requests at once cannot issue two.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from schemas.identity import derived_id
from schemas.ledger_command import Attest, Subject
from schemas.ledger_words import OwnerKind
from schemas.payout_event import StatementBalance, StatementIssued
from schemas.statement import STATEMENT_TYPE
from services.payout.adapters.ledger_topic import ledger_amount_minor
from services.payout.adapters.payout_topic import statement_issued_message
from services.payout.metrics import STATEMENTS_TOTAL
from services.payout.statement.render_pdf import RenderedStatement
from services.payout.use_cases.compose_statement import Composed
from services.payout.use_cases.read_statement_facts import IssuedBefore
from services.payout.use_cases.send_ledger_commands import CommandToSend, send_ledger_commands
from services.payout.use_cases.take_turn import take_turn
from services.runtime.outbox import enqueue

if TYPE_CHECKING:
    from services.runtime.database import Connection

ATTESTATION: Final = STATEMENT_TYPE
SAME_NUMBER: Final = "SELECT statement_id FROM payout.statement WHERE subject_kind = $1 AND subject_id = $2 AND number = $3"
INSERT: Final = """
    INSERT INTO payout.statement (statement_id, subject_kind, subject_id, number, period_from, period_to, tree_size, language,
        json_sha256, pdf_sha256, issued_by, issued_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"""
INSERT_BALANCE: Final = """
    INSERT INTO payout.statement_balance (statement_id, currency, opening_minor, closing_minor) VALUES ($1, $2, $3, $4)"""


async def record_statement(
    conn: Connection, composed: Composed, rendered: RenderedStatement, *, actor: str, now: datetime
) -> UUID | IssuedBefore:
    """Record inside the caller's SQL transaction. Returns the statement's id."""
    await take_turn(conn)
    asked, statement = composed.asked, composed.statement
    subject = (asked.subject_kind, asked.subject_id)
    same = await conn.fetchval(SAME_NUMBER, *subject, statement.number)
    if same is not None:
        return IssuedBefore(same)
    statement_id = derived_id("statement", *subject, str(statement.number))
    await conn.execute(
        INSERT,
        statement_id,
        *subject,
        statement.number,
        statement.period_from,
        statement.period_to,
        statement.tree_size,
        statement.locale,
        rendered.json_sha256,
        rendered.pdf_sha256,
        actor,
        now,
    )
    await conn.executemany(
        INSERT_BALANCE,
        [
            (
                statement_id,
                row.currency,
                ledger_amount_minor(row.opening, row.currency),
                ledger_amount_minor(row.closing, row.currency),
            )
            for row in statement.balances
        ],
    )
    attest = Attest(
        command_id=derived_id("command", "attest", ATTESTATION, str(statement_id)),
        subject=Subject(kind=OwnerKind(asked.subject_kind), id=asked.subject_id),
        effective_on=statement.issued_on,
        attestation=ATTESTATION,
        sha256=rendered.json_sha256,
    )
    await send_ledger_commands(conn, [CommandToSend(attest)], now)
    event = StatementIssued(
        statement_id=statement_id,
        organization_id=asked.subject_id,
        number=statement.number,
        period_from=statement.period_from,
        period_to=statement.period_to,
        tree_size=statement.tree_size,
        balances=tuple(
            StatementBalance(currency=row.currency, opening=row.opening, closing=row.closing) for row in statement.balances
        ),
        json_sha256=rendered.json_sha256,
        pdf_sha256=rendered.pdf_sha256,
        issued_by=actor,
        issued_at=now,
    )
    await enqueue(conn, "payout", [statement_issued_message(event)])
    STATEMENTS_TOTAL.inc()
    return statement_id
