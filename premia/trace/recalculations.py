"""The recalculations that entitlements came from, with the two persons of each.

Goal: a story names who prepared and who approved that a lot was calculated again, as it names those of a payment.
Method: recalculations.v1 read to its end, and taken as the calculator takes it. A recalculation names its entitlements. Where
several do, the first that was published with the lot counts: what a later one publishes is there already.
Source: docs/adr/0011.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any, Final
from uuid import UUID

from schemas.recalculation import Published, RecalculationLots
from schemas.topics import RECALCULATIONS
from services.premium_calculator.adapters.recalculation_topic import read_event
from services.premium_calculator.recalculations import Recalculation, Recalculations
from services.runtime.topic_log import open_log

MOMENT: Final = "%Y-%m-%dT%H:%M UTC"


def two_persons(recalculation: Recalculation) -> tuple[str, dict[str, Any]]:
    """Who prepared and who approved a recalculation, and when: in words, and as an event's details."""
    prepared = f"prepared by {recalculation.prepared_by} at {recalculation.prepared_at:{MOMENT}}"
    approved = f"approved by {recalculation.decided_by} at {recalculation.decided_at:{MOMENT}}"
    return f"; recalculation {recalculation.recalculation_id}, {prepared}, {approved}", {
        "recalculation_id": str(recalculation.recalculation_id),
        "prepared_by": recalculation.prepared_by,
        "prepared_at": recalculation.prepared_at,
        "approved_by": recalculation.decided_by,
        "approved_at": recalculation.decided_at,
    }


async def recalculations_of(servers: str, entitlement_ids: Collection[UUID]) -> Mapping[UUID, Recalculation]:
    """By the entitlement's id. Raises UnreadableRecalculationError, services.runtime.topic_log.TopicMissingError."""
    known = Recalculations()
    named: defaultdict[UUID, dict[UUID, tuple[str, str]]] = defaultdict(dict)
    found: dict[UUID, Recalculation] = {}
    async with open_log(RECALCULATIONS, servers=servers) as log:
        async for records in log.to_end():
            for record in records:
                event = read_event(record)
                ignored = known.take(event)
                if isinstance(event.content, RecalculationLots):
                    for lot in event.content.lots:
                        if lot.entitlement_id in entitlement_ids:
                            named[event.content.recalculation_id][lot.entitlement_id] = (lot.refiner_id, lot.lot_id)
                elif isinstance(event.content, Published) and ignored is None:
                    left_out = {(lot.refiner_id, lot.lot_id) for lot in event.content.refused_lots}
                    one = known.get(event.content.recalculation_id)
                    assert one is not None, "what is not known is ignored"
                    for entitlement_id, lot_key in named[one.recalculation_id].items():
                        if lot_key not in left_out:
                            found.setdefault(entitlement_id, one)
    # The ledger may have posted lots of what is being published right now.
    due = known.due()
    return found if due is None else {**dict.fromkeys(named[due.recalculation_id], due), **found}
