"""Events of recalculations.v1, written and read.

Goal: the log alone says which recalculations there are; a torn preparation is none.
Method: parts first, and the step that ends them only when the broker has them (`preparation`). Records are read back by their
ce_type; their ce_time says when.
Refuses: what this release cannot read (UnreadableRecalculationError): inside there is no skipping.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from aiokafka import ConsumerRecord
from pydantic import TypeAdapter, ValidationError

from schemas.cloudevents import CloudEventAttributes, HeaderFault, from_headers
from schemas.contract import first_fault
from schemas.identity import derived_id
from schemas.message import Message
from schemas.recalculation import (
    LOTS_IN_PART_MAX,
    RECALCULATION_LOTS_TYPE,
    RECALCULATION_STEP,
    RECALCULATION_STEP_TYPE,
    Approved,
    LotToRecalculate,
    Prepared,
    Published,
    RecalculationLots,
    Withdrawn,
)
from schemas.topics import RECALCULATIONS
from services.premium_calculator.adapters.sale_decision import SOURCE
from services.premium_calculator.errors import UnreadableRecalculationError

Step = Prepared | Approved | Withdrawn | Published
_LOTS: Final = TypeAdapter(RecalculationLots)


@dataclass(frozen=True, slots=True)
class RecalculationEvent:
    """An event with its offset and its time."""

    offset: int
    at: datetime
    content: RecalculationLots | Step


def parts_of(recalculation_id: UUID, lots: Sequence[LotToRecalculate]) -> list[RecalculationLots]:
    """The lots in as many parts as they take."""
    return [
        RecalculationLots(recalculation_id=recalculation_id, part=part, lots=tuple(lots[first : first + LOTS_IN_PART_MAX]))
        for part, first in enumerate(range(0, len(lots), LOTS_IN_PART_MAX))
    ]


def lots_message(part: RecalculationLots, at: datetime) -> Message:
    """The message of one part."""
    return _message(RECALCULATION_LOTS_TYPE, part, at, "lots", str(part.part))


def step_message(step: Step, at: datetime) -> Message:
    """The message of one step."""
    # A withdrawn recalculation may be prepared again, by the same person too: only the time tells the two apart.
    return _message(RECALCULATION_STEP_TYPE, step, at, step.kind, at.isoformat())


def _message(type_: str, event: RecalculationLots | Step, at: datetime, *name: str) -> Message:
    id_ = str(derived_id("recalculation-event", str(event.recalculation_id), *name))
    attributes = CloudEventAttributes(id=id_, source=SOURCE, type=type_, time=at)
    value = orjson.dumps(event.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
    return Message(RECALCULATIONS, str(event.recalculation_id).encode(), value, attributes.to_headers())


def read_event(record: ConsumerRecord[Any, Any]) -> RecalculationEvent:
    """Read a record. Raises UnreadableRecalculationError."""
    attributes = from_headers(record.headers)
    if isinstance(attributes, HeaderFault):
        raise _unreadable(record, f"{attributes.name} {attributes.message}")
    if attributes.type == RECALCULATION_LOTS_TYPE:
        contract: TypeAdapter[Any] = _LOTS
    elif attributes.type == RECALCULATION_STEP_TYPE:
        contract = RECALCULATION_STEP
    else:
        raise _unreadable(record, f"{attributes.type} is no type of this topic")
    try:
        return RecalculationEvent(record.offset, attributes.time, contract.validate_json(record.value or b""))
    except ValidationError as error:
        fault = first_fault(error)
        raise _unreadable(record, f"{fault.field}: {fault.message}") from error


def _unreadable(record: ConsumerRecord[Any, Any], why: str) -> UnreadableRecalculationError:
    return UnreadableRecalculationError(f"offset {record.offset} of {RECALCULATIONS}: {why}")
