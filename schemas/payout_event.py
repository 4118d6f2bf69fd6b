"""What payout tells (`payout.events.v1`), keyed by organization id: results of cycles, states of orders and accounts.

Goal: whoever shows an organization its money (the portal) follows it without asking payout's database.
Method: a closed union by `kind`; each event carries the whole of what it is about, so that a reader needs no earlier one.
Amounts are decimal strings with exactly the currency's minor digits. Accounts appear by their last four digits only.
Source: design, sections 2 and 7.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field, TypeAdapter

from schemas.contract import Contract
from schemas.decimals import Amount
from schemas.identifiers import Id, IsoDate, Text
from schemas.payee_state import PayeeState

PAYOUT_EVENT_TYPE: Final = "payout.event.v1"
LAST_FOUR: Final = 4

Code = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{1,63}$")]
CurrencyCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class CycleResult(Contract):
    """What a settlement cycle decided for one organization and currency. `code` says why money is held or carried over."""

    kind: Literal["cycle_result"] = "cycle_result"
    cycle_id: UUID
    settles_on: IsoDate
    organization_id: Id
    currency: CurrencyCode
    outcome: Literal["ordered", "carried_over", "held"]
    amount: Amount
    code: Code | None
    order_id: UUID | None
    prepared_by: Id


class OrderStateChange(Contract):
    """An order is in another state. `actor`: the person who decided, if one did. `code`: why, where it did not go well."""

    kind: Literal["order_state"] = "order_state"
    order_id: UUID
    cycle_id: UUID
    organization_id: Id
    currency: CurrencyCode
    amount: Amount
    state: Annotated[str, Field(pattern=r"^[a-z]{4,16}$")]
    payee_state: PayeeState
    at: datetime
    actor: Id | None
    code: str | None
    end_to_end_id: str
    account_last_four: str


class AccountStateChange(Contract):
    """A payment account was proposed, verified, replaced by another, or withdrawn because the bank refused it."""

    kind: Literal["account_state"] = "account_state"
    account_id: UUID
    organization_id: Id
    currency: CurrencyCode
    state: Literal["proposed", "verified", "replaced", "withdrawn"]
    at: datetime
    actor: Id | None
    method: Text | None
    checked_on: IsoDate | None
    reason: str | None
    last_four: Annotated[str, Field(max_length=LAST_FOUR)]


PayoutEvent = Annotated[CycleResult | OrderStateChange | AccountStateChange, Field(discriminator="kind")]
PAYOUT_EVENT: Final[TypeAdapter[PayoutEvent]] = TypeAdapter(PayoutEvent)

STATEMENT_ISSUED_TYPE: Final = "premium.statement-issued.v1"


class StatementBalance(Contract):
    """Opening and closing of a statement in one currency."""

    currency: CurrencyCode
    opening: Amount
    closing: Amount


class StatementIssued(Contract):
    """A statement was issued (`premium.statements.v1`). Its documents are fetched from payout by their hashes."""

    statement_id: UUID
    organization_id: Id
    number: Annotated[int, Field(ge=1)]
    period_from: IsoDate
    period_to: IsoDate
    tree_size: Annotated[int, Field(ge=0)]
    balances: tuple[StatementBalance, ...]
    json_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    pdf_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    issued_by: Id
    issued_at: datetime


def last_four(account: str) -> str:
    """The last four characters of an account number: all that anybody is shown of it."""
    return account[-LAST_FOUR:]
