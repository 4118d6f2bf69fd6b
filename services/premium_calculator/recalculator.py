"""Publishes approved recalculations.

Goal: what two persons agreed to is published, whatever happens in between; nothing else is.
Method: for each recalculation that the log has as approved: its sales by their origins, calculated again by the worker's own
function under one registry, delivered, and then the step `published`. After a crash all of it is done again and gives the
same ids, which the ledger knows. One worker of the group does it, the one that has the first partition of sales; two at
once would write the same twice.
Refuses: a lot whose sale is not there, is rejected by now, or has another result than what was approved; every lot if another
registry is in force than the one that was prepared. A lot that moved on is refused by the ledger.
Source: design, section 4; docs/adr/0011.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from aiokafka import AIOKafkaProducer, ConsumerRecord

from schemas.dead_letter import Origin
from schemas.message import Message
from schemas.recalculation import MESSAGE_CHARS_MAX, REFUSED_LOTS_NAMED_MAX, LotToRecalculate, Published, RefusedLot
from schemas.topics import ENTITLEMENTS, SALES
from services.premium_calculator.adapters.sale_decision import Rejected, SaleRecord, recalculate
from services.premium_calculator.domain.registry import Registry
from services.premium_calculator.errors import LotRefusal
from services.premium_calculator.limits import BATCH_RECORDS_MAX, LEADER_POLL_S
from services.premium_calculator.metrics import RECALCULATED_LOTS_TOTAL
from services.premium_calculator.recalculation_feed import RecalculationFeed
from services.premium_calculator.recalculations import Recalculation
from services.premium_calculator.registry_feed import RegistryFeed
from services.runtime.kafka import publish
from services.runtime.topic_log import open_log

log = logging.getLogger(__name__)
PUBLISHED: Final = "published"


class Recalculator:
    """One of the group's; `leads` says whether it is the one that publishes."""

    def __init__(
        self, producer: AIOKafkaProducer, registry: RegistryFeed, recalculations: RecalculationFeed, leads: Callable[[], bool]
    ) -> None:
        """Deliver with `producer`."""
        self._producer = producer
        self._registry = registry
        self._recalculations = recalculations
        self._leads = leads

    async def run(self) -> None:
        """Publish what is approved, until cancelled."""
        await self._registry.loaded.wait()
        while True:
            due = await self._due()
            outcome = await self._publish(due)
            await self._recalculations.decide(outcome)
            log.info(
                "recalculation %s: %d lots published, %d refused", due.recalculation_id, outcome.published, outcome.refused
            )

    async def _due(self) -> Recalculation:
        while True:
            due = self._recalculations.known.due()
            if due is not None and self._leads():
                return due
            try:
                await self._recalculations.until(
                    lambda: self._recalculations.known.due() is not None and self._leads(), timeout_s=LEADER_POLL_S
                )
            except TimeoutError:
                continue  # to ask again whether we lead: nobody tells

    async def _publish(self, recalculation: Recalculation) -> Published:
        registry = self._registry.registry  # this one for all lots, whatever comes into force meanwhile
        lots = await self._recalculations.lots(recalculation)
        if registry.version == recalculation.registry_version:
            refused = await self._publish_lots(lots, registry)
        else:
            why = f"registry {registry.version} came into force meanwhile: prepare the recalculation again"
            refused = [_refused(lot, LotRefusal.REGISTRY_CHANGED, why) for lot in lots]
        RECALCULATED_LOTS_TOTAL.labels(PUBLISHED).inc(len(lots) - len(refused))
        for lot in refused:
            RECALCULATED_LOTS_TOTAL.labels(lot.code).inc()
        return Published(
            recalculation_id=recalculation.recalculation_id,
            published=len(lots) - len(refused),
            refused=len(refused),
            refused_lots=tuple(refused[:REFUSED_LOTS_NAMED_MAX]),
        )

    async def _publish_lots(self, lots: list[LotToRecalculate], registry: Registry) -> list[RefusedLot]:
        waiting = {lot.origin: lot for lot in lots}
        refused: list[RefusedLot] = []
        async with open_log(SALES) as sales:
            async for records in sales.at(Origin.parse(origin) for origin in list(waiting)):
                for first in range(0, len(records), BATCH_RECORDS_MAX):
                    batch = records[first : first + BATCH_RECORDS_MAX]
                    answers = [_answer(record, waiting.pop(_place(record)), registry) for record in batch]
                    refused += [answer for answer in answers if isinstance(answer, RefusedLot)]
                    await publish(self._producer, [answer for answer in answers if isinstance(answer, Message)])
                    await asyncio.sleep(0)  # sales that wait are not to wait for all of this
        return refused + [
            _refused(lot, LotRefusal.SALE_MISSING, f"there is no sale at {lot.origin}") for lot in waiting.values()
        ]


def _place(record: ConsumerRecord[Any, Any]) -> str:
    return str(Origin(record.topic, record.partition, record.offset))


def _answer(record: ConsumerRecord[Any, Any], lot: LotToRecalculate, registry: Registry) -> Message | RefusedLot:
    """The entitlement of one lot, or why there is none."""
    calculated = recalculate(SaleRecord(record.key, record.value, record.headers), registry, lot.replaces)
    if isinstance(calculated, Rejected):
        return _refused(lot, calculated.code.value, f"{calculated.field}: {calculated.message}")
    if calculated.entitlement_id != lot.entitlement_id:
        return _refused(lot, LotRefusal.RESULT_DIFFERS, f"calculated {calculated.entitlement_id}: prepare it again")
    return Message(ENTITLEMENTS, calculated.key, calculated.value, calculated.headers(lot.origin))


def _refused(lot: LotToRecalculate, code: str, message: str) -> RefusedLot:
    return RefusedLot(refiner_id=lot.refiner_id, lot_id=lot.lot_id, code=code, message=message[:MESSAGE_CHARS_MAX])
