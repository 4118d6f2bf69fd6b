"""All recalculations and their states, as the log of events says.

Goal: whoever reads the log comes to the same states: which recalculation waits for a second person, which must be published.
Method: parts are collected until the step `prepared` says that all are there and the id derives from them; after that the first
decision in the log counts. Lots are not kept: a recalculation knows the offsets of its parts.
Refuses: what does not fit the state, by ignoring it and saying why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from schemas.recalculation import (
    LOTS_MAX,
    Approved,
    Prepared,
    Published,
    RecalculationLots,
    RefusedLot,
    Withdrawn,
    recalculation_id,
)
from services.premium_calculator.adapters.recalculation_topic import RecalculationEvent

# Lots of preparations that never got their step. Past this the oldest is forgotten, which is safe: its step is then ignored.
COLLECTED_LOTS_MAX: Final = 4 * LOTS_MAX


class State(StrEnum):
    """Where a recalculation stands."""

    PREPARED = "prepared"
    APPROVED = "approved"
    WITHDRAWN = "withdrawn"
    PUBLISHED = "published"


class IgnoredBecause(StrEnum):
    """Why a step changed nothing."""

    LOTS_MISSING = "lots_missing"  # torn: not all parts are there
    OTHER_LOTS = "other_lots"  # the id does not derive from the parts
    OTHER_STATE = "other_state"  # decided before, or prepared already
    SAME_ACTOR = "same_actor"  # approved by whoever prepared it


@dataclass(frozen=True, slots=True)
class Recalculation:
    """One recalculation. `part_offsets`: where its lots are in the log. `published`: how many lots, once it is."""

    recalculation_id: UUID
    registry_version: str
    lots: int
    part_offsets: tuple[int, ...]
    state: State
    prepared_by: str
    prepared_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    published_at: datetime | None = None
    published: int | None = None
    refused: int | None = None
    refused_lots: tuple[RefusedLot, ...] = ()

    @property
    def can_be_prepared_again(self) -> bool:
        """Whether the same list makes sense again: it was withdrawn, or lots of it were left out when it was published."""
        return self.state is State.WITHDRAWN or bool(self.refused)


@dataclass(frozen=True, slots=True)
class _Part:
    offset: int
    content: RecalculationLots


class Recalculations:
    """Takes the events of the log in their order."""

    def __init__(self) -> None:
        """Start at the beginning of the log."""
        self._known: dict[UUID, Recalculation] = {}
        self._collected: dict[UUID, dict[int, _Part]] = {}

    def get(self, id_: UUID) -> Recalculation | None:
        """One recalculation, or None."""
        return self._known.get(id_)

    def all(self) -> Sequence[Recalculation]:
        """All of them, in the order in which they were first prepared."""
        return tuple(self._known.values())

    def due(self) -> Recalculation | None:
        """One that is approved and not published yet, or None."""
        return next((one for one in self._known.values() if one.state is State.APPROVED), None)

    def take(self, event: RecalculationEvent) -> IgnoredBecause | None:
        """Take the next event. Returns why it changed nothing, if it did not."""
        match event.content:
            case RecalculationLots() as lots:
                self._collect(event.offset, lots)
                return None
            case Prepared() as prepared:
                return self._prepare(prepared, event.at)
            case Approved() as approved:
                return self._approve(approved, event.at)
            case Withdrawn() as withdrawn:
                return self._withdraw(withdrawn, event.at)
            case Published() as published:
                return self._publish(published, event.at)

    def _collect(self, offset: int, part: RecalculationLots) -> None:
        parts = self._collected.pop(part.recalculation_id, {}) if part.part else {}  # part 0 begins anew
        parts[part.part] = _Part(offset, part)
        self._collected[part.recalculation_id] = parts
        while sum(map(_lots_in, self._collected.values())) > COLLECTED_LOTS_MAX:
            del self._collected[next(iter(self._collected))]

    def _prepare(self, step: Prepared, at: datetime) -> IgnoredBecause | None:
        parts = self._collected.pop(step.recalculation_id, {})
        known = self._known.get(step.recalculation_id)
        if known is not None and not known.can_be_prepared_again:
            return IgnoredBecause.OTHER_STATE
        if _lots_in(parts) != step.count:
            return IgnoredBecause.LOTS_MISSING
        ordered = [parts[number] for number in sorted(parts)]
        lots = [lot for part in ordered for lot in part.content.lots]
        if recalculation_id(step.registry_version, lots) != step.recalculation_id:
            return IgnoredBecause.OTHER_LOTS
        self._known[step.recalculation_id] = Recalculation(
            recalculation_id=step.recalculation_id,
            registry_version=step.registry_version,
            lots=step.count,
            part_offsets=tuple(part.offset for part in ordered),
            state=State.PREPARED,
            prepared_by=step.actor,
            prepared_at=at,
        )
        return None

    def _approve(self, step: Approved, at: datetime) -> IgnoredBecause | None:
        known = self._known.get(step.recalculation_id)
        if known is None or known.state is not State.PREPARED:
            return IgnoredBecause.OTHER_STATE
        if step.actor == known.prepared_by:
            return IgnoredBecause.SAME_ACTOR
        self._decide(known, State.APPROVED, step.actor, at)
        return None

    def _withdraw(self, step: Withdrawn, at: datetime) -> IgnoredBecause | None:
        known = self._known.get(step.recalculation_id)
        if known is None or known.state is not State.PREPARED:
            return IgnoredBecause.OTHER_STATE
        self._decide(known, State.WITHDRAWN, step.actor, at)
        return None

    def _decide(self, known: Recalculation, state: State, actor: str, at: datetime) -> None:
        self._known[known.recalculation_id] = replace(known, state=state, decided_by=actor, decided_at=at)

    def _publish(self, step: Published, at: datetime) -> IgnoredBecause | None:
        known = self._known.get(step.recalculation_id)
        if known is None or known.state is not State.APPROVED:
            return IgnoredBecause.OTHER_STATE
        self._known[step.recalculation_id] = replace(
            known,
            state=State.PUBLISHED,
            published_at=at,
            published=step.published,
            refused=step.refused,
            refused_lots=step.refused_lots,
        )
        return None


def _lots_in(parts: Mapping[int, _Part]) -> int:
    return sum(len(part.content.lots) for part in parts.values())
