"""What payout tells others: payout.events.v1 and premium.statements.v1, keyed by organization id."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from pydantic import BaseModel

from schemas.canonical_json import canonical_json
from schemas.cloudevents import CloudEventAttributes
from schemas.message import Message
from schemas.payout_event import (
    PAYOUT_EVENT_TYPE,
    STATEMENT_ISSUED_TYPE,
    AccountStateChange,
    CycleResult,
    OrderStateChange,
    StatementIssued,
)
from schemas.topics import PAYOUT_EVENTS, STATEMENTS

SOURCE: Final = "/payout"


def cycle_result_message(event: CycleResult, at: datetime) -> Message:
    """The result of a cycle for one organization and currency."""
    id_ = f"{event.cycle_id}/{event.organization_id}/{event.currency}/{event.outcome}/{event.code or event.order_id}"
    return _message(PAYOUT_EVENTS, _attributes(PAYOUT_EVENT_TYPE, id_, at), event.organization_id, event)


def order_state_message(event: OrderStateChange) -> Message:
    """An order's new state. An order is in each state once, so order and state are the event's id."""
    attributes = _attributes(PAYOUT_EVENT_TYPE, f"{event.order_id}/{event.state}", event.at)
    return _message(PAYOUT_EVENTS, attributes, event.organization_id, event)


def account_state_message(event: AccountStateChange) -> Message:
    """An account's new state, each once."""
    attributes = _attributes(PAYOUT_EVENT_TYPE, f"{event.account_id}/{event.state}", event.at)
    return _message(PAYOUT_EVENTS, attributes, event.organization_id, event)


def statement_issued_message(event: StatementIssued) -> Message:
    """A statement was issued."""
    attributes = _attributes(STATEMENT_ISSUED_TYPE, str(event.statement_id), event.issued_at)
    return _message(STATEMENTS, attributes, event.organization_id, event)


def _attributes(type_: str, id_: str, at: datetime) -> CloudEventAttributes:
    return CloudEventAttributes(id=id_, source=SOURCE, type=type_, time=at)


def _message(topic: str, attributes: CloudEventAttributes, organization_id: str, event: BaseModel) -> Message:
    value = canonical_json(event.model_dump(mode="json"))
    return Message(topic, organization_id.encode(), value, attributes.to_headers())
