"""The lots' revisions as events: published, sent again, contradicted, late.

Goal: a stream as refiners really send it: most events once, some twice, a few that contradict an earlier one, a gap in
a refiner's numbers that is closed late, a correction that overtakes what it corrects.
Method: everything that takes a number of its own is a draft; drafts are numbered by refiner in the order they were meant
to go out; what is sent again or too late is moved afterwards. Each event carries what should become of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from samples.chance import Chance
from samples.cycles import CYCLES, LAST_PUBLISHING_DAY
from samples.lot import Lot, Revision, Stage
from samples.premium import StatusOn
from samples.sale import Value, sale_value
from samples.stories import STORY_LOT

REPEATED_PERMILLE: Final = 26  # Senders that got no answer send again.
RENAMED_PERMILLE: Final = 3  # The same sale again under a new event id, after a restart of the sender.
GAP: Final = 3
GAP_CLOSED_AFTER: Final = timedelta(days=9)
OVERTAKEN: Final = 3
CONFLICTS_BY_ID: Final = 3
CONFLICTS_BY_REVISION: Final = 3
LIGHTER_STEPS: Final = 350  # 3.50 g


class Fate(StrEnum):
    """What should become of an event."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class SaleEvent:
    """One event as it is published. Exactly one of value and raw is set."""

    at: datetime
    event_id: str
    source: str
    key: str
    value: Value | None
    raw: bytes | None
    fate: Fate
    lot: Lot
    revision: Revision
    sequence: int
    code: str | None = None


@dataclass(frozen=True, slots=True)
class _Draft:
    """An event before it has its number."""

    meant_for: datetime
    at: datetime
    lot: Lot
    revision: Revision
    fate: Fate


def published(lots: Iterable[Lot], status_on: StatusOn) -> list[SaleEvent]:
    """Return all good events, with duplicates and conflicts, in the order in which they are published."""
    drafts = [_draft(lot, revision) for lot in lots for revision in lot.revisions]
    spare = _Spare(drafts)
    drafts += [_renamed(draft) for draft in drafts if _is_renamed(draft)]
    drafts += [_contradicted(draft) for draft in spare.take("REF-CH-01", "final", CONFLICTS_BY_REVISION)]
    drafts = _overtaken(drafts, spare)
    events = _numbered(drafts, status_on)
    events = _gap_closed_late(events)
    same_id = {draft.lot.lot_id for draft in _same_id_conflicts(spare)}
    events += [
        _same_id(event, status_on)
        for event in events
        if event.lot.lot_id in same_id and event.revision.stage == "final" and event.fate is Fate.ACCEPTED
    ]
    events += [_repeated(event) for event in list(events) if _is_repeated(event)]
    return in_order(events)


def in_order(events: Iterable[SaleEvent]) -> list[SaleEvent]:
    """Order of publication; no two events of a lot share a second."""
    return sorted(events, key=lambda event: (event.at, event.source, event.sequence, event.event_id))


def refiner_source(refiner_id: str) -> str:
    """The ce_source of a refiner's events."""
    return f"/refiners/{refiner_id}"


def key_of(lot: Lot) -> str:
    """Key of a lot's events."""
    return f"{lot.refiner_id}/{lot.lot_id}"


def at_office_hours(day: date, *label: str | int) -> datetime:
    """A second between 07:00 and 15:59 UTC, when refineries in Switzerland book."""
    return datetime.combine(day, time(7), UTC) + timedelta(seconds=Chance("second", *label).below(9 * 3600))


def _draft(lot: Lot, revision: Revision) -> _Draft:
    at = at_office_hours(revision.published_on, lot.lot_id, revision.number)
    return _Draft(at, at, lot, revision, Fate.ACCEPTED)


class _Spare:
    """Lots with one provisional and one final revision, to which one odd thing may happen, each taken once."""

    def __init__(self, drafts: Sequence[_Draft]) -> None:
        usual: tuple[Stage, ...] = ("provisional", "final")
        self._drafts = [
            draft
            for draft in drafts
            if not draft.lot.told
            and tuple(row.stage for row in draft.lot.revisions) == usual
            and len(draft.revision.sources) == 1
        ]
        self._taken: set[str] = set()

    def take(self, refiner_id: str, stage: Stage, count: int) -> list[_Draft]:
        """Take `count` drafts of one refiner and stage, spread over the last years."""
        free = [
            draft
            for draft in self._drafts
            if draft.lot.refiner_id == refiner_id
            and draft.revision.stage == stage
            and draft.lot.sold_on.year >= 2019
            and draft.lot.lot_id not in self._taken
        ]
        taken = [free[(2 * nth + 1) * len(free) // (2 * count)] for nth in range(count)]
        self._taken |= {draft.lot.lot_id for draft in taken}
        return taken


# --- what takes a number of its own ------------------------------------------------------------------------------------


def _is_renamed(draft: _Draft) -> bool:
    return not draft.lot.told and Chance("renamed", draft.lot.lot_id, draft.revision.number).happens(RENAMED_PERMILLE)


def _renamed(draft: _Draft) -> _Draft:
    at = _soon_after(draft.at, "renamed", draft.lot.lot_id)
    return replace(draft, meant_for=at, at=at, fate=Fate.DUPLICATE)


def _contradicted(draft: _Draft) -> _Draft:
    at = _soon_after(draft.at, "contradicted", draft.lot.lot_id)
    return replace(draft, meant_for=at, at=at, revision=_lighter(draft.revision), fate=Fate.CONFLICT)


def _overtaken(drafts: list[_Draft], spare: _Spare) -> list[_Draft]:
    """Let the final revision of some lots arrive after the correction that replaces it."""
    ready = [
        draft
        for draft in drafts
        if draft.lot.refiner_id == "REF-CH-03"
        and not draft.lot.told
        and draft.fate is Fate.ACCEPTED
        and [row.stage for row in draft.lot.revisions] == ["provisional", "final", "final"]
        and draft.revision.number == 3
        and not any(_is_renamed(replace(draft, revision=row)) for row in draft.lot.revisions)
    ]
    late = {ready[(2 * nth + 1) * len(ready) // (2 * OVERTAKEN)].lot.lot_id: nth for nth in range(OVERTAKEN)}
    corrected_at = {draft.lot.lot_id: draft.at for draft in ready}
    return [
        replace(draft, at=_soon_after(corrected_at[draft.lot.lot_id], "overtaken", draft.lot.lot_id))
        if draft.lot.lot_id in late and draft.revision.number == 2
        else draft
        for draft in drafts
    ]


def _numbered(drafts: Iterable[_Draft], status_on: StatusOn) -> list[SaleEvent]:
    """Give each refiner's drafts running numbers without gaps, in the order they were meant to go out."""
    last: dict[str, int] = defaultdict(int)
    events = []
    for draft in sorted(drafts, key=lambda row: (row.meant_for, row.lot.refiner_id, row.lot.lot_id)):
        refiner_id = draft.lot.refiner_id
        last[refiner_id] += 1
        events.append(
            SaleEvent(
                at=draft.at,
                event_id=f"{refiner_id.replace('-', '')}-{draft.meant_for:%Y}-{last[refiner_id]:06d}",
                source=refiner_source(refiner_id),
                key=key_of(draft.lot),
                value=sale_value(draft.lot, draft.revision, last[refiner_id], status_on),
                raw=None,
                fate=draft.fate,
                lot=draft.lot,
                revision=draft.revision,
                sequence=last[refiner_id],
            )
        )
    return events


# --- what is sent again or late ----------------------------------------------------------------------------------------


def _gap_closed_late(events: list[SaleEvent]) -> list[SaleEvent]:
    """Hold three consecutive provisional events of REF-CH-03 back for nine days, in the spring of 2024."""
    refiner = [event for event in events if event.lot.refiner_id == "REF-CH-03"]
    for place in range(len(refiner) - GAP):
        held = refiner[place : place + GAP]
        if all(
            event.at.date() >= date(2024, 5, 1)
            and event.revision.stage == "provisional"
            and not event.lot.told
            and event.lot.revisions[1].published_on > event.at.date() + GAP_CLOSED_AFTER
            for event in held
        ):
            names = {event.event_id for event in held}
            return [replace(event, at=event.at + GAP_CLOSED_AFTER) if event.event_id in names else event for event in events]
    raise AssertionError("three consecutive provisional events can be held back")


def _same_id_conflicts(spare: _Spare) -> list[_Draft]:
    return spare.take("REF-CH-03", "final", 1) + spare.take("REF-CH-01", "final", CONFLICTS_BY_ID - 1)


def _same_id(event: SaleEvent, status_on: StatusOn) -> SaleEvent:
    revision = _lighter(event.revision)
    return replace(
        event,
        at=_soon_after(event.at, "same id", event.lot.lot_id),
        value=sale_value(event.lot, revision, event.sequence, status_on),
        revision=revision,
        fate=Fate.CONFLICT,
    )


def _lighter(revision: Revision) -> Revision:
    """The same revision with less weight: how refiners that do not know revisions try to correct."""
    (source,) = revision.sources
    steps = revision.melt_steps - LIGHTER_STEPS
    return replace(revision, melt_steps=steps, sources=(replace(source, melt_steps=steps),), states_fine_weight=False)


def _is_repeated(event: SaleEvent) -> bool:
    if event.lot.lot_id == STORY_LOT:
        return event.revision.number == 1
    permille = 0 if event.lot.told or event.fate is not Fate.ACCEPTED else REPEATED_PERMILLE
    return Chance("repeated", event.event_id).happens(permille)


def _repeated(event: SaleEvent) -> SaleEvent:
    return replace(event, at=_soon_after(event.at, "repeated", event.event_id), fate=Fate.DUPLICATE)


def _soon_after(at: datetime, *label: str) -> datetime:
    """Some minutes later on the same day, or in one of five cases a day later, where that is still before the cycle."""
    chance = Chance("soon after", *label)
    later = at + timedelta(seconds=chance.between(40, 5400))
    next_day = later + timedelta(days=1)
    closed = any(cycle.closed_on(next_day.date()) for cycle in CYCLES) or next_day.date() > LAST_PUBLISHING_DAY
    return later if closed or not chance.happens(200) else next_day
