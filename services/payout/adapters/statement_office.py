"""Statements on request: composed from one snapshot, rendered beside the event loop, stored by hash, recorded.

Goal: asking twice gives the same statements and none twice; one payee's trouble stops no other's statement.
Method: one request at a time, recorded in one SQL transaction. The snapshot is one read-only SQL transaction for all payees,
so that all statements of a request are made at one tree size; documents are on disk before anything refers to them.
Refuses: ROLE_MISSING, PERIOD_INVALID, REGISTRY_MISSING for the whole request; see compose_statement for single payees.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from services.payout.adapters.document_store import store_document
from services.payout.adapters.statement_printer import StatementPrinter
from services.payout.errors import RefusalCode, Refused
from services.payout.limits import VIEW_POLL_INTERVAL_S, VIEW_WAIT_S_MAX
from services.payout.registry_view import COMMUNITY_FUND, RegistryView
from services.payout.statement.facts import StatementOf
from services.payout.statement.render_pdf import RenderedStatement
from services.payout.use_cases.compose_statement import Composed, compose_statement
from services.payout.use_cases.read_statement_facts import IssuedBefore
from services.payout.use_cases.record_statement import record_statement

if TYPE_CHECKING:
    from services.runtime.database import Connection, Pool

PAID: Final = """
    SELECT DISTINCT subject_kind, subject_id FROM payout.ledger_transaction
    WHERE kind = 'settled' AND effective_on BETWEEN $1 AND $2 ORDER BY subject_kind, subject_id"""
ALL: Final = """
    SELECT DISTINCT subject_kind, subject_id FROM payout.ledger_transaction
    WHERE subject_kind IN ('org', 'fund') AND effective_on <= $1 ORDER BY subject_kind, subject_id"""
GAP: Final = """
    SELECT EXISTS (SELECT FROM payout.ledger_transaction AS t, payout.ledger_view AS v WHERE t.leaf_index >= v.tree_size)"""
TREE_SIZE: Final = "SELECT tree_size FROM payout.ledger_view"
STATEMENT: Final = """
    SELECT statement_id, subject_id AS organization_id, number, period_from, period_to, tree_size, language, json_sha256,
        pdf_sha256, issued_by, issued_at
    FROM payout.statement WHERE statement_id = $1"""


@dataclass(frozen=True, slots=True)
class StatementsAsked:
    """`organizations`: "paid" in the period, "all" with postings, or ids. `period_to` is the last day."""

    period_from: date
    period_to: date
    issued_on: date | None
    organizations: str | Sequence[str]


@dataclass(slots=True)
class StatementOffice:
    """Issues statements. `committed()` is called after one was recorded."""

    pool: Pool
    registry: RegistryView
    documents: Path
    printer: StatementPrinter
    clock: Callable[[], datetime]
    committed: Callable[[], None]
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def issue(self, asked: StatementsAsked, actor: str) -> list[dict[str, Any]] | Refused:
        """Issue what is asked for. Returns one answer for each payee: the statement (issued now or before), or its refusal."""
        refused = self._allowed(asked, actor)
        if refused is not None:
            return refused
        async with self._one_at_a_time:
            await self._view_without_gap()
            async with self.pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
                payees = await self._payees(conn, asked)
                tree_size = await conn.fetchval(TREE_SIZE)
                issued_on = asked.issued_on or self.clock().date()
                composed = [
                    await compose_statement(
                        conn,
                        StatementOf(kind, id_, asked.period_from, asked.period_to, issued_on, tree_size),
                        self.registry,
                    )
                    for kind, id_ in payees
                ]
            rendered = await self.printer.render([entry.statement for entry in composed if isinstance(entry, Composed)])
            contents = [
                content
                for page in rendered
                if isinstance(page, RenderedStatement)
                for content in (page.json_bytes, page.pdf_bytes)
            ]
            await asyncio.to_thread(_store, self.documents, contents)
            pages = iter(rendered)
            async with self.pool.acquire() as conn, conn.transaction():
                answers = [
                    {
                        "organization_id": organization_id,
                        **await self._record(conn, entry, next(pages) if isinstance(entry, Composed) else None, actor),
                    }
                    for (_, organization_id), entry in zip(payees, composed, strict=True)
                ]
            self.committed()
            return answers

    async def _view_without_gap(self) -> None:
        """Wait a moment where transactions lie beyond a gap: partitions are read side by side, and the rest is on its way."""
        deadline = time.monotonic() + VIEW_WAIT_S_MAX
        while time.monotonic() < deadline:
            async with self.pool.acquire() as conn:
                if not await conn.fetchval(GAP):
                    return
            await asyncio.sleep(VIEW_POLL_INTERVAL_S)

    def _allowed(self, asked: StatementsAsked, actor: str) -> Refused | None:
        if self.registry.programme is None:
            return Refused(RefusalCode.REGISTRY_MISSING, "the registry names no programme yet: run premia registry apply")
        if not self.registry.may(actor, "statements"):
            message = f"{actor} does not have the role statements in the programme's list of actors"
            return Refused(RefusalCode.ROLE_MISSING, message)
        if asked.period_to < asked.period_from:
            return Refused(RefusalCode.PERIOD_INVALID, "the period ends before it begins")
        if asked.issued_on is not None and not asked.period_to <= asked.issued_on <= self.clock().date():
            message = "a statement is issued on a day that is not before the end of its period and not after today"
            return Refused(RefusalCode.PERIOD_INVALID, message)
        return None

    async def _payees(self, conn: Connection, asked: StatementsAsked) -> list[tuple[str, str]]:
        if asked.organizations == "paid":
            rows = await conn.fetch(PAID, asked.period_from, asked.period_to)
        elif asked.organizations == "all":
            rows = await conn.fetch(ALL, asked.period_to)
        else:
            return [(self._kind(id_), id_) for id_ in dict.fromkeys(asked.organizations)]
        return [(row["subject_kind"], row["subject_id"]) for row in rows]

    def _kind(self, organization_id: str) -> str:
        organization = self.registry.organization(organization_id)
        return "fund" if organization is not None and organization.kind == COMMUNITY_FUND else "org"

    async def _record(
        self,
        conn: Connection,
        entry: Composed | IssuedBefore | Refused,
        page: RenderedStatement | Refused | None,
        actor: str,
    ) -> dict[str, Any]:
        match entry, page:
            case (Refused() as refused, _) | (_, Refused() as refused):
                return {"refused": {"code": refused.code, "message": refused.message}}
            case IssuedBefore(), _:
                return await _issued(conn, entry.statement_id, created=False)
            case Composed(), RenderedStatement():
                recorded = await record_statement(conn, entry, page, actor=actor, now=self.clock())
                if isinstance(recorded, IssuedBefore):
                    return await _issued(conn, recorded.statement_id, created=False)
                return await _issued(conn, recorded, created=True)
            case _:
                raise AssertionError("every composed statement was rendered")


async def _issued(conn: Connection, statement_id: UUID, *, created: bool) -> dict[str, Any]:
    row = await conn.fetchrow(STATEMENT, statement_id)
    assert row is not None, "statements are never deleted"
    return {**dict(row), "created": created, "refused": None}


def _store(folder: Path, contents: Sequence[bytes]) -> None:
    for content in contents:
        store_document(folder, content)
