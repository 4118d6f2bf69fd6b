"""States of recalculations, as the log of events says: what is torn is none, and the first decision counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

import pytest

from schemas.entitlement import Replaced
from schemas.recalculation import (
    LOTS_IN_PART_MAX,
    LOTS_MAX,
    Approved,
    LotToRecalculate,
    Prepared,
    Published,
    Withdrawn,
    recalculation_id,
)
from services.premium_calculator import recalculations as module
from services.premium_calculator.adapters.recalculation_topic import RecalculationEvent, Step, parts_of
from services.premium_calculator.recalculations import IgnoredBecause, Recalculations, State

VERSION: Final = "sha256:" + "a" * 64
AT: Final = datetime(2025, 4, 1, 9, 0, tzinfo=UTC)


def lots(count: int, *, replaces: int = 0) -> list[LotToRecalculate]:
    return [
        LotToRecalculate(
            refiner_id="REF",
            lot_id=f"LOT-{number:06d}",
            replaces=Replaced(revision=1, calculation=replaces),
            origin=f"gold.sales.v1/0/{number}",
            entitlement_id=uuid5(UUID(int=0), f"{number}/{replaces}"),
        )
        for number in range(count)
    ]


class Log:
    """A log that is read while it is written."""

    def __init__(self) -> None:
        self.known = Recalculations()
        self._offset = 0

    def take(self, content: Any) -> IgnoredBecause | None:
        self._offset += 1
        return self.known.take(RecalculationEvent(self._offset, AT + timedelta(seconds=self._offset), content))

    def prepare(self, found: list[LotToRecalculate], actor: str = "ana") -> IgnoredBecause | None:
        id_ = recalculation_id(VERSION, found)
        for part in parts_of(id_, found):
            self.take(part)
        return self.take(Prepared(recalculation_id=id_, registry_version=VERSION, count=len(found), actor=actor))

    def state(self, id_: UUID) -> State | None:
        found = self.known.get(id_)
        return None if found is None else found.state


def step(kind: type[Any], id_: UUID, actor: str) -> Step:
    made: Step = kind(recalculation_id=id_, actor=actor)
    return made


def published(id_: UUID) -> Published:
    return Published(recalculation_id=id_, published=2, refused=0)


def test_prepared_by_one_approved_by_another_and_published() -> None:
    log, found = Log(), lots(2)
    id_ = recalculation_id(VERSION, found)
    assert log.prepare(found) is None
    assert (log.state(id_), log.known.due()) == (State.PREPARED, None)
    assert log.take(step(Approved, id_, "ana")) is IgnoredBecause.SAME_ACTOR
    assert log.take(step(Approved, id_, "bruno")) is None
    assert log.known.due() == log.known.get(id_)
    assert log.take(published(id_)) is None
    assert log.known.due() is None
    one = log.known.get(id_)
    assert one is not None
    assert (one.prepared_by, one.decided_by, one.lots, one.published, one.part_offsets) == ("ana", "bruno", 2, 2, (1,))


def test_lots_of_more_than_one_part_are_found_again_by_their_offsets() -> None:
    log, found = Log(), lots(LOTS_IN_PART_MAX + 1)
    assert log.prepare(found) is None
    one = log.known.get(recalculation_id(VERSION, found))
    assert one is not None
    assert one.part_offsets == (1, 2)


def test_a_torn_preparation_is_none_and_the_same_again_is_whole() -> None:
    log, found = Log(), lots(LOTS_IN_PART_MAX + 1)
    id_ = recalculation_id(VERSION, found)
    first, _ = parts_of(id_, found)
    log.take(first)
    assert log.state(id_) is None
    end = Prepared(recalculation_id=id_, registry_version=VERSION, count=len(found), actor="ana")
    assert log.take(end) is IgnoredBecause.LOTS_MISSING
    log.take(first)
    assert log.prepare(found) is None
    assert log.state(id_) is State.PREPARED


def test_two_preparations_at_once_do_not_mix() -> None:
    log, one, other = Log(), lots(2), lots(2, replaces=1)
    first, second = recalculation_id(VERSION, one), recalculation_id(VERSION, other)
    for part in (*parts_of(first, one), *parts_of(second, other)):
        log.take(part)
    for id_ in (second, first):
        assert log.take(Prepared(recalculation_id=id_, registry_version=VERSION, count=2, actor="ana")) is None
    assert [state.state for state in log.known.all()] == [State.PREPARED, State.PREPARED]


def test_lots_that_the_id_does_not_derive_from_are_not_taken() -> None:
    log = Log()
    id_ = recalculation_id(VERSION, lots(2))
    for part in parts_of(id_, lots(2, replaces=1)):
        log.take(part)
    end = Prepared(recalculation_id=id_, registry_version=VERSION, count=2, actor="ana")
    assert log.take(end) is IgnoredBecause.OTHER_LOTS


@pytest.mark.parametrize(
    ("first", "second", "state"), [(Approved, Withdrawn, State.APPROVED), (Withdrawn, Approved, State.WITHDRAWN)]
)
def test_of_two_decisions_at_once_the_first_counts(first: type[Any], second: type[Any], state: State) -> None:
    log, found = Log(), lots(2)
    id_ = recalculation_id(VERSION, found)
    log.prepare(found)
    assert log.take(step(first, id_, "bruno")) is None
    assert log.take(step(second, id_, "diego")) is IgnoredBecause.OTHER_STATE
    assert log.state(id_) is state


def test_what_was_withdrawn_can_be_prepared_again_and_what_was_published_not() -> None:
    log, found = Log(), lots(2)
    id_ = recalculation_id(VERSION, found)
    log.prepare(found)
    log.take(step(Withdrawn, id_, "ana"))
    assert log.prepare(found, actor="bruno") is None
    again = log.known.get(id_)
    assert again is not None
    assert (again.state, again.prepared_by, again.decided_by) == (State.PREPARED, "bruno", None)
    assert log.take(step(Approved, id_, "bruno")) is IgnoredBecause.SAME_ACTOR
    log.take(step(Approved, id_, "ana"))
    log.take(published(id_))
    assert log.prepare(found) is IgnoredBecause.OTHER_STATE
    assert log.take(published(id_)) is IgnoredBecause.OTHER_STATE


def test_what_was_published_without_some_lots_can_be_prepared_again() -> None:
    log, found = Log(), lots(2)
    id_ = recalculation_id(VERSION, found)
    log.prepare(found)
    log.take(step(Approved, id_, "bruno"))
    log.take(Published(recalculation_id=id_, published=0, refused=2))
    assert log.prepare(found) is None
    again = log.known.get(id_)
    assert again is not None
    assert (again.state, again.refused, again.published) == (State.PREPARED, None, None)


@pytest.mark.parametrize("kind", [Approved, Withdrawn])
def test_a_decision_about_what_is_not_there_is_ignored(kind: type[Any]) -> None:
    assert Log().take(step(kind, UUID(int=7), "bruno")) is IgnoredBecause.OTHER_STATE


def test_preparations_that_never_ended_are_forgotten_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COLLECTED_LOTS_MAX", 3)
    log, old, new = Log(), lots(2), lots(2, replaces=1)
    for found in (old, new):
        for part in parts_of(recalculation_id(VERSION, found), found):
            log.take(part)
    for found, expected in ((old, IgnoredBecause.LOTS_MISSING), (new, None)):
        id_ = recalculation_id(VERSION, found)
        assert log.take(Prepared(recalculation_id=id_, registry_version=VERSION, count=2, actor="ana")) is expected


def test_the_largest_recalculation_is_a_few_parts() -> None:
    found = lots(LOTS_MAX)
    assert len(parts_of(recalculation_id(VERSION, found), found)) == LOTS_MAX // LOTS_IN_PART_MAX
