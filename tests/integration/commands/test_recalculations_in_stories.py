"""Whom a story names for an entitlement that was calculated again, where the log has more than one who prepared or approved."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid5

from premia.trace.recalculations import recalculations_of
from schemas.entitlement import Replaced
from schemas.message import Message
from schemas.recalculation import (
    Approved,
    LotToRecalculate,
    Prepared,
    Published,
    RefusedLot,
    Withdrawn,
    recalculation_id,
)
from services.premium_calculator.adapters.recalculation_topic import lots_message, parts_of, step_message
from services.runtime.kafka import publish, start_producer
from tests.integration.command import premia

NOW: Final = datetime(2025, 6, 1, 9, 0, tzinfo=UTC)
REGISTRY: Final = "sha256:" + "1" * 64
ENTITLEMENTS: Final = {name: uuid5(UUID(int=1), name) for name in ("A", "B", "C")}


def lot(name: str) -> LotToRecalculate:
    replaces = Replaced(revision=1, calculation=0)
    return LotToRecalculate(
        refiner_id="REF",
        lot_id=name,
        replaces=replaces,
        origin=f"gold.sales.v1/0/{ord(name)}",
        entitlement_id=ENTITLEMENTS[name],
    )


def prepared(names: str, actor: str) -> tuple[UUID, list[Message]]:
    lots = [lot(name) for name in names]
    id_ = recalculation_id(REGISTRY, lots)
    step = Prepared(recalculation_id=id_, registry_version=REGISTRY, count=len(lots), actor=actor)
    return id_, [*(lots_message(part, NOW) for part in parts_of(id_, lots)), step_message(step, NOW)]


def published(id_: UUID, *left_out: str) -> Message:
    refused = tuple(RefusedLot(refiner_id="REF", lot_id=name, code="SALE_MISSING", message="gone") for name in left_out)
    step = Published(recalculation_id=id_, published=2 - len(refused), refused=len(refused), refused_lots=refused)
    return step_message(step, NOW)


async def test_the_approval_that_a_lot_was_published_by_is_named(kafka: str) -> None:
    both, by_ana = prepared("AB", "ana")
    _, by_diego = prepared("AB", "diego")
    last, by_carla = prepared("BC", "carla")
    steps = [
        *by_ana,
        step_message(Withdrawn(recalculation_id=both, actor="ana"), NOW),
        *by_diego,
        step_message(Approved(recalculation_id=both, actor="diego"), NOW),  # by whoever prepared it: none
        step_message(Approved(recalculation_id=both, actor="bruno"), NOW),
        published(both, "B"),
        *by_ana,
        step_message(Approved(recalculation_id=both, actor="erik"), NOW),
        published(both),
        *by_carla,
        step_message(Approved(recalculation_id=last, actor="bruno"), NOW),
    ]
    assert (await premia(kafka, "topics", "apply")).exit_code == 0
    producer = await start_producer(kafka)
    await publish(producer, steps)
    await producer.stop()
    found = await recalculations_of(kafka, ENTITLEMENTS.values())
    persons = {name: (found[id_].prepared_by, found[id_].decided_by) for name, id_ in ENTITLEMENTS.items()}
    # B was left out at first; C is being published.
    assert persons == {"A": ("diego", "bruno"), "B": ("ana", "erik"), "C": ("carla", "bruno")}
    assert await recalculations_of(kafka, [UUID(int=2)]) == {}
