"""What happens to a lot, from provisional to the last correction.

Goal: lots are treated as refiners treat them: most become final within three weeks, some go to an umpire, some are corrected or
cancelled, some of that long after they were paid.
Method: `Course` takes revisions in their order and keeps days in order and within the days that refiners publish on.
Refuses: a revision after the last cycle.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Final

from samples.blends import Sources, could_have_delivered
from samples.chance import Chance
from samples.cycles import publishes, publishing_day
from samples.lot import KILOGRAM, Party, Revision, Stage, Unit
from samples.slots import Slot, World

FINAL_ONLY_PERMILLE: Final = 60
UMPIRE_PERMILLE: Final = 28
AGREED_PERMILLE: Final = 180
CORRECTED_PERMILLE: Final = 45
CANCELLED_PERMILLE: Final = 5
REWEIGHED_PERMILLE: Final = 200


def run(course: Course, unit: Unit, chance: Chance) -> None:
    """Let a lot take its course."""
    slot, fineness = course.slot, course.sources.fineness_tenths
    provisional = not chance.happens(FINAL_ONLY_PERMILLE)
    day = slot.sold_on + timedelta(days=chance.below(3))
    if provisional:
        course.add("provisional", day, (("seller", fineness),), documents=int(chance.happens(400)))
    cancelled, returns = chance.happens(CANCELLED_PERMILLE), chance.happens(150)
    if cancelled and provisional and chance.happens(600) and not slot.quiet:
        course.add("cancelled", course.last_day + timedelta(days=chance.between(2, 9)), (("seller", fineness),))
        if not returns:
            return
    if chance.happens(REWEIGHED_PERMILLE):
        course.melt_steps -= max(1, course.melt_steps * chance.between(2, 30) // 200_000)
    _settle_assays(course, unit, day, chance)
    if slot.quiet:
        return
    later = course.last_day + timedelta(days=chance.between(20, 120))
    if cancelled and course.revisions[-1].stage == "final" and publishes(later):
        course.add("cancelled", later, course.revisions[-1].assays_tenths)
    elif chance.happens(CORRECTED_PERMILLE) and not cancelled:
        _correct(course, chance)


def _settle_assays(course: Course, unit: Unit, day: date, chance: Chance) -> None:
    """Add the final revision and, if the parties were too far apart, the umpire's."""
    fineness = course.sources.fineness_tenths
    kind, apart, states = chance.below(1000), chance.between(-5, 5), chance.happens(500)
    states = states and unit is not KILOGRAM
    final_day = max(day, course.last_day) + timedelta(days=chance.between(6, 20))
    if course.slot.quiet:
        final_day = min(final_day, date(day.year, 12, 16))
    beyond, verdict = chance.between(6, 24), chance.below(30)
    umpire_day = final_day + timedelta(days=chance.between(25, 45))
    if kind < UMPIRE_PERMILLE and publishes(umpire_day) and not course.slot.quiet:
        parties: tuple[tuple[Party, int], ...] = (("seller", fineness), ("buyer", fineness - beyond))
        course.add("final", final_day, parties, documents=1)
        course.add("umpire", umpire_day, (*parties, ("umpire", fineness - verdict)), documents=1)
        return
    if kind < UMPIRE_PERMILLE + AGREED_PERMILLE:
        course.add("final", final_day, (("agreed", fineness + apart),), documents=1, states=states)
        return
    course.add("final", final_day, (("seller", fineness), ("buyer", fineness + apart)), documents=1, states=states)


def _correct(course: Course, chance: Chance) -> None:
    """Add a correction: usually another weight, sometimes other assays, another payer or source, or nothing that counts."""
    day = course.last_day + timedelta(days=chance.between(10, 150))
    kind, change, up = chance.below(100), chance.between(2, 30), chance.happens(250)
    last = course.revisions[-1]
    if not publishes(day):
        return
    assays, documents = last.assays_tenths, 1
    if kind < 74:
        moved = max(1, course.melt_steps * change // 10_000)
        course.melt_steps += moved if up else -moved
    elif kind < 86:
        assays = (("agreed", dict(last.assays_tenths).get("seller", last.assays_tenths[0][1]) - change % 9 - 1),)
    elif kind < 90:
        course.payer_id = "PAY-02" if course.payer_id == "PAY-01" else "PAY-01"
    elif kind < 92 and len(course.sources.parts) == 1:
        # The papers named the wrong organization.
        others = could_have_delivered(course.slot, course.world)
        course.sources = replace(course.sources, parts=[(chance.one_of(others), 1, 0)])
    else:
        documents = 2  # A paper is added: no money moves.
    stage: Stage = "final" if "agreed" in dict(assays) else last.stage
    course.add(stage, day, assays, documents=documents)


class Course:
    """The revisions of one lot as they come."""

    def __init__(self, slot: Slot, payer_id: str, sources: Sources, melt_steps: int, world: World) -> None:
        self.slot = slot
        self.payer_id = payer_id
        self.melt_steps = melt_steps
        self.sources = sources
        self.world = world
        self._revisions: list[Revision] = []

    @property
    def revisions(self) -> tuple[Revision, ...]:
        return tuple(self._revisions)

    @property
    def last_day(self) -> date:
        return self._revisions[-1].published_on if self._revisions else self.slot.sold_on

    def add(
        self,
        stage: Stage,
        day: date,
        assays: tuple[tuple[Party, int], ...],
        *,
        documents: int = 0,
        states: bool = False,
    ) -> None:
        """Add the next revision, on the first day that refiners publish on, one day after the one before at least."""
        day = publishing_day(day)
        if self._revisions and day <= self.last_day:
            day = publishing_day(self.last_day + timedelta(days=1))
        number = len(self._revisions) + 1
        sources = self.sources.of(self.melt_steps)
        self._revisions.append(Revision(number, stage, day, self.melt_steps, sources, assays, self.payer_id, documents, states))
