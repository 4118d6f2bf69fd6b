"""What became of sale events, read from sale.outcomes.v1.

Goal: whoever published or redrove an event waits for its fate, and whoever looks later sees the last one.
Method: outcomes are found by origin, which is unique for ever and the same for a redriven event. A watch begins at the
ends of the topic as they are before anything is sent, so that no answer can come too early for it.
Refuses: nothing; what cannot be read as an outcome of ours is passed over, since somebody else wrote it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import ConsumerRecord
from pydantic import ValidationError

from schemas.sale_outcome import Outcome, SaleOutcome
from schemas.topics import SALE_OUTCOMES
from services.runtime.topic_log import TopicLog, open_log

RESOLVED: Final = frozenset({Outcome.ACCEPTED, Outcome.DUPLICATE})


class OutcomeWatch:
    """Outcomes that come after the watch began."""

    def __init__(self, log: TopicLog) -> None:
        """Watch a log whose position is where the watch begins."""
        self._log = log

    async def of(
        self, origins: Iterable[str], *, timeout_s: float, advance: Callable[[int], None] = lambda _: None
    ) -> dict[str, SaleOutcome]:
        """Wait for the outcomes of these origins. Those that did not come in time are left out."""
        awaited = set(origins)
        found: dict[str, SaleOutcome] = {}
        try:
            async with asyncio.timeout(timeout_s) as deadline:
                async for records in self._log.following():
                    known = len(found)
                    for outcome in map(outcome_of, records):
                        if outcome is not None and outcome.origin in awaited:
                            found[outcome.origin] = outcome
                    advance(len(found) - known)
                    if len(found) == len(awaited):
                        break
        except TimeoutError:
            if not deadline.expired():
                raise
        return found


@asynccontextmanager
async def watch_outcomes(servers: str) -> AsyncIterator[OutcomeWatch]:
    """Begin to watch: everything that is published after this is seen. Raises TopicMissingError."""
    async with open_log(SALE_OUTCOMES, servers=servers) as log:
        await log.skip_to_end()
        yield OutcomeWatch(log)


@dataclass(slots=True)
class AcceptedSales:
    """What was accepted, or found a duplicate of what was: the origins, and of each refiner/lot the highest revision."""

    origins: set[str] = field(default_factory=set)
    last_revisions: dict[str, int] = field(default_factory=dict)

    def add(self, outcome: SaleOutcome) -> None:
        """Take one outcome."""
        if outcome.outcome not in RESOLVED:
            return
        self.origins.add(outcome.origin)
        lot, revision = f"{outcome.refiner_id}/{outcome.lot_id}", outcome.revision or 0
        self.last_revisions[lot] = max(revision, self.last_revisions.get(lot, 0))


async def accepted_sales(servers: str) -> AcceptedSales:
    """All of them. Raises TopicMissingError."""
    accepted = AcceptedSales()
    async with open_log(SALE_OUTCOMES, servers=servers) as log:
        async for records in log.to_end():
            for outcome in map(outcome_of, records):
                if outcome is not None:
                    accepted.add(outcome)
    return accepted


def outcome_of(record: ConsumerRecord[Any, Any]) -> SaleOutcome | None:
    """One record as an outcome, or None if it is none."""
    try:
        return SaleOutcome.model_validate_json(record.value or b"")
    except ValidationError:
        return None
