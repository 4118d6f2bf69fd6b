"""The recalculations, as the calculator knows them at any moment; and what it adds to their log.

Goal: an answer about a recalculation says what the log says, also when another worker, or we before a crash, wrote to it.
Method: recalculations.v1 from its beginning, by plain aiokafka. What is written is awaited where it is read back: of two
decisions at once the first in the log counts, and both askers learn it.
Refuses: an event that this release cannot read, by ending the process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import UUID

from aiokafka import AIOKafkaProducer

from schemas.dead_letter import Origin
from schemas.recalculation import LotToRecalculate, Prepared, RecalculationLots, recalculation_id
from schemas.topics import RECALCULATIONS
from services.premium_calculator.adapters.recalculation_topic import Step, lots_message, parts_of, read_event, step_message
from services.premium_calculator.limits import CONFIRM_TIMEOUT_S
from services.premium_calculator.metrics import RECALCULATION_STEPS_IGNORED_TOTAL, RECALCULATIONS_WAITING
from services.premium_calculator.recalculations import Recalculation, Recalculations, State
from services.runtime.kafka import publish
from services.runtime.topic_log import Records, open_log

log = logging.getLogger(__name__)


class RecalculationFeed:
    """Follows recalculations.v1 and writes to it."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        """Write with `producer`."""
        self.known = Recalculations()
        self._producer = producer
        self._loaded = False
        self._changed = asyncio.Condition()

    async def follow(self) -> None:
        """Read until cancelled. Raises UnreadableRecalculationError or services.runtime.topic_log.TopicMissingError."""
        async with open_log(RECALCULATIONS) as topic:
            async for records in topic.to_end():
                self._take(records)
            self._loaded = True
            await self._tell()
            async for records in topic.following():
                self._take(records)
                await self._tell()

    async def until(self, condition: Callable[[], bool], *, timeout_s: float = CONFIRM_TIMEOUT_S) -> None:
        """Wait until the log was read to its end and the condition holds. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(lambda: self._loaded and condition())

    async def prepare(self, registry_version: str, lots: Sequence[LotToRecalculate], actor: str) -> Recalculation:
        """Write a recalculation and return it as the log has it. Raises TimeoutError."""
        id_, now = recalculation_id(registry_version, lots), datetime.now(UTC)
        before = self.known.get(id_)
        parts = parts_of(id_, lots)
        await publish(self._producer, [lots_message(part, now) for part in parts])
        # Apart: the step must never be there before what it completes.
        await self.write(Prepared(recalculation_id=id_, registry_version=registry_version, count=len(lots), actor=actor))
        return await self._other_than(before, id_)

    async def write(self, step: Step) -> None:
        """Write a step, delivery awaited."""
        await publish(self._producer, [step_message(step, datetime.now(UTC))])

    async def decide(self, step: Step) -> Recalculation:
        """Write a step that ends a state, and return what the log made of it. Raises TimeoutError."""
        before = self.known.get(step.recalculation_id)
        await self.write(step)
        return await self._other_than(before, step.recalculation_id)

    async def lots(self, recalculation: Recalculation) -> list[LotToRecalculate]:
        """The lots of a recalculation, read from the log."""
        lots: list[LotToRecalculate] = []
        async with open_log(RECALCULATIONS) as topic:
            async for records in topic.at(Origin(RECALCULATIONS, 0, offset) for offset in recalculation.part_offsets):
                for record in records:
                    part = read_event(record).content
                    assert isinstance(part, RecalculationLots), "a part was read at this offset before"
                    lots += part.lots
        return lots

    async def _other_than(self, before: Recalculation | None, id_: UUID) -> Recalculation:
        await self.until(lambda: self.known.get(id_) is not before)
        found = self.known.get(id_)
        assert found is not None, "a recalculation never goes"
        return found

    def _take(self, records: Records) -> None:
        for record in records:
            event = read_event(record)
            because = self.known.take(event)
            if because is not None:
                RECALCULATION_STEPS_IGNORED_TOTAL.labels(because.value).inc()
                log.warning("offset %d of %s changed nothing: %s", event.offset, RECALCULATIONS, because.value)

    async def _tell(self) -> None:
        states = [one.state for one in self.known.all()]
        for state in (State.PREPARED, State.APPROVED):
            RECALCULATIONS_WAITING.labels(state.value).set(states.count(state))
        async with self._changed:
            self._changed.notify_all()
