"""Opening balances and corrections over HTTP: proposed by one person, approved by another.

Method: one handler for each endpoint, each a use case in its own SQL transaction. Refusals are values with codes; raising one
as an answer rolls the transaction back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiohttp import web

from schemas.ledger_api import CorrectionPath, CorrectionsQuery
from schemas.ledger_correction import (
    BalanceChange,
    Correction,
    CorrectionPreview,
    CorrectionProposal,
    Corrections,
    CorrectionState,
    ShownCorrection,
)
from schemas.ledger_transaction import Account, PremiumScope, Transfer
from schemas.ledger_words import OutcomeCode, OwnerKind, Purpose
from services.ledger.actor_roles import ActorRoles
from services.ledger.adapters.correction_command import command_of
from services.ledger.adapters.http_answers import answer
from services.ledger.domain.account import AccountKey
from services.ledger.domain.transaction import NO_SCOPE, TransferDraft
from services.ledger.errors import RefusalCode, Refused
from services.ledger.use_cases.approve_correction import approve_correction, unknown_correction
from services.ledger.use_cases.post_batch import BatchResult
from services.ledger.use_cases.preview_command import Preview, preview_command
from services.ledger.use_cases.propose_correction import propose_correction
from services.ledger.use_cases.read_corrections import LIST_ROWS_MAX, read_correction, read_corrections
from services.ledger.use_cases.withdraw_correction import withdraw_correction
from services.runtime.http import ACTOR, Handler, RefusedError, json_response, read_path, read_query, read_request

if TYPE_CHECKING:
    from services.runtime.database import Connection, Pool

CREATED: Final = 201
CONFLICT: Final = 409  # it does not fit what is there
STATUS: Final = {
    RefusalCode.ROLE_MISSING: 403,
    RefusalCode.SAME_ACTOR: 403,
    RefusalCode.CORRECTION_UNKNOWN: 404,
    RefusalCode.REGISTRY_MISSING: 503,
    OutcomeCode.AMOUNT_INVALID: 422,
    OutcomeCode.AMOUNT_OVERFLOW: 422,
    OutcomeCode.CURRENCY_MISMATCH: 422,
    OutcomeCode.SAME_ACCOUNT: 422,
    OutcomeCode.UNKNOWN_ACCOUNT: 422,
}


@dataclass(frozen=True, slots=True)
class CorrectionsApi:
    """What the handlers share. `posted(result)` is called after something was posted and committed."""

    pool: Pool
    roles: ActorRoles
    posted: Callable[[BatchResult], None]

    def handlers(self) -> dict[str, Handler]:
        """By the names of the table of endpoints."""
        return {
            "propose_correction": self.propose,
            "list_corrections": self.list_all,
            "read_correction": self.show,
            "approve_correction": self.approve,
            "withdraw_correction": self.withdraw,
        }

    async def propose(self, request: web.Request) -> web.Response:
        """POST /v1/corrections: 201, or 200 where the same was proposed before."""
        proposal = await read_request(request, CorrectionProposal)
        actor = request[ACTOR]
        async with self.pool.acquire() as conn, conn.transaction():
            outcome = await propose_correction(conn, proposal, actor=actor, roles=self.roles, now=datetime.now(UTC))
            if isinstance(outcome, Refused):
                raise refused_error(outcome)
            shown = await _shown(conn, outcome.correction, actor)
        return _answer(shown, status=CREATED if outcome.created else 200)

    async def list_all(self, request: web.Request) -> web.Response:
        """GET /v1/corrections?state=proposed|approved|withdrawn."""
        asked = read_query(request, CorrectionsQuery)
        async with self.pool.acquire() as conn:
            found = await read_corrections(conn, asked.state)
        body = Corrections(corrections=tuple(found), complete=len(found) < LIST_ROWS_MAX)
        return answer(request, body, for_ever=False)

    async def show(self, request: web.Request) -> web.Response:
        """GET /v1/corrections/{id}: with what would be posted now."""
        async with self.pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            return answer(request, await _found(conn, request), for_ever=False)

    async def approve(self, request: web.Request) -> web.Response:
        """POST /v1/corrections/{id}/approve: post it. A repeat posts nothing."""
        correction_id, actor = read_path(request, CorrectionPath).correction_id, request[ACTOR]
        async with self.pool.acquire() as conn, conn.transaction():
            outcome = await approve_correction(conn, correction_id, actor=actor, roles=self.roles, now=datetime.now(UTC))
            if isinstance(outcome, Refused):
                raise refused_error(outcome)
            shown = await _found(conn, request)
        if outcome is not None:
            self.posted(outcome)
        return _answer(shown)

    async def withdraw(self, request: web.Request) -> web.Response:
        """POST /v1/corrections/{id}/withdraw: give up what was not approved."""
        correction_id, actor = read_path(request, CorrectionPath).correction_id, request[ACTOR]
        async with self.pool.acquire() as conn, conn.transaction():
            refused = await withdraw_correction(conn, correction_id, actor=actor, roles=self.roles, now=datetime.now(UTC))
            if refused is not None:
                raise refused_error(refused)
            return _answer(await _found(conn, request))


def refused_error(refused: Refused) -> RefusedError:
    """A refusal as an answer."""
    return RefusedError(refused.code, refused.message, status=STATUS.get(refused.code, CONFLICT))


def _answer(body: Correction, *, status: int = 200) -> web.Response:
    return json_response(body.model_dump(mode="json"), status=status)


async def _found(conn: Connection, request: web.Request) -> ShownCorrection:
    correction = await read_correction(conn, read_path(request, CorrectionPath).correction_id)
    if correction is None:
        raise refused_error(unknown_correction())
    return await _shown(conn, correction, request[ACTOR])


async def _shown(conn: Connection, correction: Correction, actor: str) -> ShownCorrection:
    preview = None
    if correction.state is CorrectionState.PROPOSED:
        command = command_of(correction, proposed_by=correction.proposed_by, approved_by=actor)
        preview = _preview(await preview_command(conn, command))
    return ShownCorrection(**dict(correction), preview=preview)


def _preview(preview: Preview) -> CorrectionPreview:
    return CorrectionPreview(
        code=preview.code,
        message=preview.message,
        transfers=tuple(_transfer(transfer) for transfer in preview.transfers),
        balances=tuple(
            BalanceChange(**_account(account), unit=account.unit, before_minor=before, after_minor=after)
            for account, before, after in preview.balances
        ),
    )


def _transfer(draft: TransferDraft) -> Transfer:
    scope = None if draft.scope is NO_SCOPE else PremiumScope(**msgspec.structs.asdict(draft.scope))
    debit, credit = Account(**_account(draft.debit)), Account(**_account(draft.credit))
    return Transfer(debit=debit, credit=credit, amount_minor=draft.amount, unit=draft.debit.unit, scope=scope)


def _account(account: AccountKey) -> dict[str, Any]:
    return {
        "owner_kind": OwnerKind(account.owner_kind),
        "owner_id": account.owner_id,
        "purpose": Purpose(account.purpose),
    }
