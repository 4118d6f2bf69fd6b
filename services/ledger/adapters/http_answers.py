"""What the ledger answers to who reads it, as contracts, and how often it must be asked again."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import orjson
from aiohttp import web
from pydantic import BaseModel

from schemas import ledger_api as api
from schemas.currencies import minor_digits
from schemas.fixed_point import fixed_text
from schemas.ledger_command import Direction, Subject
from schemas.ledger_transaction import Account
from schemas.ledger_words import FINE_GOLD, OwnerKind, Purpose, TransactionKind
from services.ledger.domain.corrections import GOLD_DIGITS
from services.ledger.use_cases.account_balances import AccountBalance
from services.ledger.use_cases.account_postings import AccountPosting
from services.ledger.use_cases.read_suspense import OpenBooking

NOT_MODIFIED: Final = 304
FOR_EVER: Final = "private, max-age=31536000, immutable"
ASK_AGAIN: Final = "private, no-cache"


def balance_members(account: AccountBalance) -> dict[str, object]:
    """The members of an account's balance."""
    digits = GOLD_DIGITS if account.unit == FINE_GOLD else minor_digits(account.unit)
    return {
        "account": account.name,
        **account.key._asdict(),
        "debits_minor": account.debits,
        "credits_minor": account.credits,
        "balance_minor": account.balance,
        "balance": fixed_text(account.balance, digits),
    }


def posting_of(posting: AccountPosting, running: int) -> api.Posting:
    """A transfer, and the account's balance after it."""
    return api.Posting(
        leaf_index=posting.leaf_index,
        number=posting.number,
        transaction_id=posting.transaction_id,
        kind=TransactionKind(posting.kind),
        subject=Subject(kind=OwnerKind(posting.subject_kind), id=posting.subject_id),
        effective_on=posting.effective_on,
        recorded_at=posting.recorded_at,
        against=Account(owner_kind=OwnerKind(posting.owner_kind), owner_id=posting.owner_id, purpose=Purpose(posting.purpose)),
        amount_minor=posting.amount,
        balance_minor=running,
        refiner_id=posting.refiner_id,
        lot_id=posting.lot_id,
        scheme_id=posting.scheme_id,
        payer_id=posting.payer_id,
    )


def suspended_of(booking: OpenBooking) -> api.SuspendedBooking:
    """A booking in suspense."""
    return api.SuspendedBooking(
        booking_key=booking.booking_key,
        unit=booking.unit,
        direction=Direction.CREDIT if booking.arrived else Direction.DEBIT,
        booked_on=booking.booked_on,
        amount_minor=booking.amount,
        open_minor=booking.open_amount,
    )


def answer(request: web.Request, body: BaseModel, *, for_ever: bool) -> web.Response:
    """A body by its contract; see `answer_bytes`."""
    return answer_bytes(request, orjson.dumps(body.model_dump(mode="json", by_alias=True)), for_ever=for_ever)


def answer_bytes(request: web.Request, body: bytes, *, for_ever: bool) -> web.Response:
    """JSON with its ETag; 304 without a body where the client has it. `for_ever`: the same question has this answer always."""
    etag = sha256(body).hexdigest()
    headers = {"ETag": f'"{etag}"', "Cache-Control": FOR_EVER if for_ever else ASK_AGAIN}
    if any(known.value in {etag, "*"} for known in request.if_none_match or ()):
        return web.Response(status=NOT_MODIFIED, headers=headers)
    return web.Response(body=body, content_type="application/json", headers=headers)
