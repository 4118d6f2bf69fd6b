"""The messages that answer one record of gold.sales.v1.

Goal: every record has exactly one answer on the output topics, and answering it again gives the same ids and values.
Method: an entitlement; or a dead letter with the original bytes and an outcome for whoever published it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import orjson
from aiokafka import ConsumerRecord

from schemas.cloudevents import CloudEventAttributes
from schemas.dead_letter import DeadLetter, Origin
from schemas.identity import derived_id
from schemas.message import Message
from schemas.sale_outcome import SALE_OUTCOME_TYPE, Outcome, SaleOutcome
from schemas.topics import ENTITLEMENTS, SALE_OUTCOMES
from services.premium_calculator.adapters.sale_decision import SOURCE, Calculated, Rejected, SaleRecord, decide
from services.premium_calculator.domain.registry import Registry
from services.premium_calculator.metrics import REJECTIONS_TOTAL, SALES_TOTAL

SERVICE: Final = "premium_calculator"

_CALCULATED: Final = SALES_TOTAL.labels("calculated")
_REJECTED: Final = SALES_TOTAL.labels("rejected")


def answer(record: ConsumerRecord[Any, Any], registry: Registry, now: datetime, origin: Origin | None = None) -> list[Message]:
    """One entitlement, or a dead letter and an outcome. `now` is when the sale is rejected, if it is.

    `origin` is where the sale was first read; without it, the record's own place.
    """
    decision = decide(SaleRecord(record.key, record.value, record.headers), registry)
    origin = origin or Origin(record.topic, record.partition, record.offset)
    if isinstance(decision, Calculated):
        _CALCULATED.inc()
        return [Message(ENTITLEMENTS, decision.key, decision.value, decision.headers(str(origin)))]
    _REJECTED.inc()
    REJECTIONS_TOTAL.labels(decision.code.value).inc()
    return _rejection(record, decision, origin, now)


def _rejection(record: ConsumerRecord[Any, Any], rejected: Rejected, origin: Origin, now: datetime) -> list[Message]:
    letter = DeadLetter(rejected.code.value, rejected.field, rejected.message, origin, now)
    facts = rejected.facts
    outcome = SaleOutcome(
        source=facts.source,
        id=facts.id,
        hash=facts.hash,
        origin=str(origin),
        refiner_id=facts.refiner_id,
        lot_id=facts.lot_id,
        revision=facts.revision,
        sequence=facts.sequence,
        outcome=Outcome.REJECTED,
        detail=rejected.code.value,
        field=rejected.field,
        message=rejected.message,
    )
    value = orjson.dumps(outcome.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
    attributes = CloudEventAttributes(
        # A redriven sale may be rejected for another reason: another outcome of the same origin.
        id=str(derived_id("sale-outcome", str(origin), rejected.code.value, rejected.field.replace("\n", " "))),
        source=SOURCE,
        type=SALE_OUTCOME_TYPE,
        time=now,
    )
    # A header without value becomes an empty one; all that read them take the two for the same.
    headers = tuple((name, content or b"") for name, content in record.headers)
    return [
        letter.to_message(service=SERVICE, key=record.key, value=record.value, headers=headers),
        Message(SALE_OUTCOMES, record.key, value, attributes.to_headers()),
    ]
