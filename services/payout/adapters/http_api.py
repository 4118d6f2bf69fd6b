"""Payout's HTTP API: what persons decide, and what they and other programs read.

Goal: every change is made by a named actor; a refusal says what to do.
Method: one handler for each endpoint, each a use case in its own SQL transaction. Refusals are values with codes, answered
with the HTTP status that fits the code. Bulk requests answer for each entry, so that one bad entry stops no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aiohttp import web

from services.payout.adapters.document_store import read_document
from services.payout.adapters.http_requests import (
    AccountProposals,
    AccountVerifications,
    CycleRequest,
    StatementRequest,
)
from services.payout.adapters.statement_office import StatementOffice, StatementsAsked
from services.payout.bank.errors import BankFolderUnusableError
from services.payout.errors import RefusalCode, Refused
from services.payout.limits import LIST_ROWS_MAX
from services.payout.registry_view import RegistryView
from services.payout.use_cases.approve_cycle import approve_cycle
from services.payout.use_cases.cancel_cycle import cancel_cycle
from services.payout.use_cases.prepare_cycle import prepare_cycle
from services.payout.use_cases.propose_account import propose_account
from services.payout.use_cases.read_accounts import read_accounts, read_claims
from services.payout.use_cases.read_cycles import read_cycle, read_cycles, read_orders
from services.payout.use_cases.read_money import read_holds, read_organization, read_statements, read_summary
from services.payout.use_cases.verify_account import verify_account
from services.runtime.http import ACTOR, RefusedError, json_response, read_request, uuid_in_path

if TYPE_CHECKING:
    from services.payout.adapters.bank_intake import BankIntake
    from services.runtime.database import Pool

_Outcome = TypeVar("_Outcome")
STATUS: Final = {
    RefusalCode.SCHEMA_INVALID: 400,
    RefusalCode.ROLE_MISSING: 403,
    RefusalCode.SAME_ACTOR: 403,
    RefusalCode.CYCLE_UNKNOWN: 404,
    RefusalCode.ORGANIZATION_UNKNOWN: 404,
    RefusalCode.ACCOUNT_UNKNOWN: 404,
    RefusalCode.DOCUMENT_UNKNOWN: 404,
    RefusalCode.ACCOUNT_INVALID: 422,
    RefusalCode.PERIOD_INVALID: 422,
    RefusalCode.REGISTRY_MISSING: 503,
    RefusalCode.BANK_FOLDER_UNUSABLE: 503,
}
CONFLICT: Final = 409  # everything else: it does not fit what is there
CREATED: Final = 201
DOCUMENT_FORM: Final = """
    SELECT CASE WHEN pdf_sha256 = $1 THEN 'application/pdf' ELSE 'application/json' END
    FROM payout.statement WHERE pdf_sha256 = $1 OR json_sha256 = $1 LIMIT 1"""


def utc_now() -> datetime:
    """The clock of the service."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Api:
    """What the handlers share. `committed()` wakes the relay and the file sender."""

    pool: Pool
    registry: RegistryView
    intake: BankIntake
    office: StatementOffice
    committed: Callable[[], None]

    def routes(self) -> list[web.RouteDef]:
        """All endpoints."""
        return [
            web.post("/v1/cycles", self.post_cycle),
            web.post("/v1/cycles/{cycle_id}/approve", self.approve),
            web.post("/v1/cycles/{cycle_id}/cancel", self.cancel),
            web.post("/v1/accounts/propose", self.propose),
            web.post("/v1/accounts/verify", self.verify),
            web.post("/v1/bank/scan", self.scan_bank),
            web.post("/v1/statements", self.post_statements),
            web.get("/v1/statements", self.get_statements),
            web.get("/v1/documents/{sha256}", self.get_document),
            web.get("/v1/cycles", self.get_cycles),
            web.get("/v1/cycles/{cycle_id}", self.get_cycle),
            web.get("/v1/orders", self.get_orders),
            web.get("/v1/accounts", self.get_accounts),
            web.get("/v1/accounts/claims", self.get_claims),
            web.get("/v1/holds", self.get_holds),
            web.get("/v1/summary", self.get_summary),
            web.get("/v1/organizations/{organization_id}", self.get_organization),
        ]

    async def post_cycle(self, request: web.Request) -> web.Response:
        """POST /v1/cycles {"on"}: prepare the cycle of a business date; 201, or 200 if it was there."""
        asked = await read_request(request, CycleRequest)
        async with self.pool.acquire() as conn, conn.transaction():
            outcome = _done(await prepare_cycle(conn, on=asked.on, actor=request[ACTOR], registry=self.registry, now=utc_now()))
            cycle = await read_cycle(conn, outcome.cycle_id)
        self.committed()
        assert cycle is not None, "it was written in this SQL transaction"
        return json_response({**cycle, "created": outcome.created}, status=CREATED if outcome.created else 200)

    async def approve(self, request: web.Request) -> web.Response:
        """POST /v1/cycles/{id}/approve: by another actor than the one who prepared it."""
        cycle_id = uuid_in_path(request, "cycle_id")
        async with self.pool.acquire() as conn, conn.transaction():
            _done(await approve_cycle(conn, cycle_id=cycle_id, actor=request[ACTOR], registry=self.registry, now=utc_now()))
            cycle = await read_cycle(conn, cycle_id)
        self.committed()
        return json_response(cycle)

    async def cancel(self, request: web.Request) -> web.Response:
        """POST /v1/cycles/{id}/cancel: give up a cycle that was not approved."""
        cycle_id = uuid_in_path(request, "cycle_id")
        async with self.pool.acquire() as conn, conn.transaction():
            _done(await cancel_cycle(conn, cycle_id=cycle_id, actor=request[ACTOR], registry=self.registry, now=utc_now()))
            cycle = await read_cycle(conn, cycle_id)
        self.committed()
        return json_response(cycle)

    async def propose(self, request: web.Request) -> web.Response:
        """POST /v1/accounts/propose {"accounts": […]}: an answer for each, in order."""
        asked = await read_request(request, AccountProposals)
        answers: list[dict[str, Any]] = []
        for entry in asked.accounts:
            async with self.pool.acquire() as conn, conn.transaction():
                outcome = await propose_account(
                    conn,
                    organization_id=entry.organization_id,
                    currency=entry.currency,
                    details=None if isinstance(entry.details, str) else entry.details.model_dump(),
                    actor=request[ACTOR],
                    registry=self.registry,
                    now=utc_now(),
                )
            answer = {"organization_id": entry.organization_id, "currency": entry.currency}
            if isinstance(outcome, Refused):
                answers.append({**answer, "refused": {"code": outcome.code, "message": outcome.message}})
            else:
                answers.append({**answer, **asdict(outcome), "refused": None})
        self.committed()
        return json_response({"accounts": answers})

    async def verify(self, request: web.Request) -> web.Response:
        """POST /v1/accounts/verify {"accounts": […]}: an answer for each, in order."""
        asked = await read_request(request, AccountVerifications)
        answers: list[dict[str, Any]] = []
        for entry in asked.accounts:
            async with self.pool.acquire() as conn, conn.transaction():
                outcome = await verify_account(
                    conn,
                    account_id=entry.account_id,
                    method=entry.method,
                    checked_on=entry.on,
                    evidence=entry.evidence,
                    actor=request[ACTOR],
                    registry=self.registry,
                    now=utc_now(),
                )
            answer = {"account_id": entry.account_id}
            if isinstance(outcome, Refused):
                answers.append({**answer, "refused": {"code": outcome.code, "message": outcome.message}})
            else:
                answers.append({**answer, **asdict(outcome), "refused": None})
        self.committed()
        return json_response({"accounts": answers})

    async def scan_bank(self, _request: web.Request) -> web.Response:
        """POST /v1/bank/scan: read all files that lie in the bank's folder now; answers when they are read."""
        try:
            return json_response({"files": await self.intake.scan()})
        except BankFolderUnusableError as error:
            raise _refused(Refused(RefusalCode.BANK_FOLDER_UNUSABLE, str(error))) from error

    async def post_statements(self, request: web.Request) -> web.Response:
        """POST /v1/statements {"period": {"from", "to"}, "organizations": "paid" | "all" | […]}: an answer for each payee."""
        asked = await read_request(request, StatementRequest)
        outcome = await self.office.issue(
            StatementsAsked(asked.period.first, asked.period.last, asked.issued_on, asked.organizations), request[ACTOR]
        )
        return json_response({"statements": _done(outcome)})

    async def get_statements(self, request: web.Request) -> web.Response:
        """GET /v1/statements?organization=."""
        async with self.pool.acquire() as conn:
            return json_response(_list("statements", await read_statements(conn, request.query.get("organization"))))

    async def get_document(self, request: web.Request) -> web.Response:
        """GET /v1/documents/{sha256}: the PDF or JSON of a statement, by its hash."""
        digest = request.match_info["sha256"]
        async with self.pool.acquire() as conn:
            form = await conn.fetchval(DOCUMENT_FORM, digest)
        content = None if form is None else await asyncio.to_thread(read_document, self.office.documents, digest)
        if content is None:
            raise _refused(Refused(RefusalCode.DOCUMENT_UNKNOWN, f"no statement has a document {digest}"))
        return web.Response(body=content, content_type=form)

    async def get_cycles(self, _request: web.Request) -> web.Response:
        """GET /v1/cycles."""
        async with self.pool.acquire() as conn:
            return json_response(_list("cycles", await read_cycles(conn)))

    async def get_cycle(self, request: web.Request) -> web.Response:
        """GET /v1/cycles/{id}: with results, orders and files."""
        async with self.pool.acquire() as conn:
            cycle = await read_cycle(conn, uuid_in_path(request, "cycle_id"))
        if cycle is None:
            raise _refused(Refused(RefusalCode.CYCLE_UNKNOWN, "there is no such cycle: premia payouts list shows them"))
        return json_response(cycle)

    async def get_orders(self, request: web.Request) -> web.Response:
        """GET /v1/orders?organization=&state=."""
        query = request.query
        async with self.pool.acquire() as conn:
            orders = await read_orders(conn, organization_id=query.get("organization"), state=query.get("state"))
        return json_response(_list("orders", orders))

    async def get_accounts(self, request: web.Request) -> web.Response:
        """GET /v1/accounts?organization=&state=."""
        query = request.query
        async with self.pool.acquire() as conn:
            accounts = await read_accounts(conn, organization_id=query.get("organization"), state=query.get("state"))
        return json_response(_list("accounts", accounts))

    async def get_claims(self, _request: web.Request) -> web.Response:
        """GET /v1/accounts/claims: accounts that the registry claims and nobody proposed."""
        async with self.pool.acquire() as conn:
            return json_response({"claims": await read_claims(conn, self.registry)})

    async def get_holds(self, _request: web.Request) -> web.Response:
        """GET /v1/holds: money that a hold keeps, as of now."""
        async with self.pool.acquire() as conn:
            return json_response({"holds": await read_holds(conn, self.registry)})

    async def get_summary(self, _request: web.Request) -> web.Response:
        """GET /v1/summary: the programme's money, as of now."""
        async with self.pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            return json_response(await read_summary(conn, self.registry))

    async def get_organization(self, request: web.Request) -> web.Response:
        """GET /v1/organizations/{id}: earned, paid, carried over, held; lots, payouts, statements."""
        organization_id = request.match_info["organization_id"]
        async with self.pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            found = await read_organization(conn, self.registry, organization_id)
        if found is None:
            raise _refused(Refused(RefusalCode.ORGANIZATION_UNKNOWN, f"the registry has no organization {organization_id}"))
        return json_response(found)


def _list(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A list, and whether it is all there is: a cap that nobody is told of would hide money."""
    return {name: rows, "complete": len(rows) < LIST_ROWS_MAX}


def _done(outcome: _Outcome | Refused) -> _Outcome:
    """The outcome, unless it is a refusal. Raises RefusedError, which rolls back the SQL transaction of the request."""
    if isinstance(outcome, Refused):
        raise _refused(outcome)
    return outcome


def _refused(refused: Refused) -> RefusedError:
    return RefusedError(refused.code, refused.message, status=STATUS.get(refused.code, CONFLICT))
