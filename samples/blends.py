"""Who delivered into a lot, and how much of it.

Goal: most lots of one producer, some of two to five, of which some state the fineness that each delivered.
Method: parts are weights without unit, so that they share any melt weight of the lot, also a corrected one, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from samples.cast import Producer
from samples.chance import Chance
from samples.lot import Source
from samples.slots import QUIET_ORGANIZATION, Slot, World

SOURCES_OF_A_BLEND: Final = (2, 3, 3, 4, 5)
BLENDED_PERMILLE: Final = 50
FINENESS_TENTHS_MAX: Final = 9990


def drawn_parts(slot: Slot, world: World, chance: Chance) -> list[tuple[str, int, int]]:
    """Who delivered into the lot: organization, weight, and how far its fineness is from the lot's, in tenths."""
    own = slot.producer.organization_id
    trade = slot.producer.trade
    assert trade is not None
    if trade.scheme != "sbg" or slot.quiet or not (trade.blends or chance.happens(BLENDED_PERMILLE)):
        return [(own, 1, 0)]
    count = chance.one_of(SOURCES_OF_A_BLEND)
    others = could_have_delivered(slot, world)
    members = [own, *chance.shuffled(others)[: count - 1]]
    return [(member, chance.between(20, 100), chance.between(-300, 300)) for member in members]


def could_have_delivered(slot: Slot, world: World) -> list[str]:
    own = slot.producer.organization_id
    return [id_ for id_, producer in world.producers.items() if id_ != own and _may_join(producer, slot)]


def _may_join(producer: Producer, slot: Slot) -> bool:
    trade = producer.trade
    return (
        trade is not None
        and producer.country == slot.producer.country
        and trade.scheme == "sbg"
        and trade.lots_weight > 0
        and producer.organization_id != QUIET_ORGANIZATION
        and date(trade.since[0], trade.since[1], 1) <= slot.sold_on <= date(trade.until[0], trade.until[1], 28)
        and producer.status_on("sbg", slot.sold_on) in ("step_2", "step_3")
    )


@dataclass(frozen=True, slots=True)
class Sources:
    """The parts of a lot, ready to share any melt weight."""

    parts: Sequence[tuple[str, int, int]]
    fineness_tenths: int
    with_fineness: bool

    def of(self, melt_steps: int) -> tuple[Source, ...]:
        """Share a melt weight; what is left over is the last part's, so that the sum is exact."""
        total = sum(weight for _, weight, _ in self.parts)
        steps = [melt_steps * weight // total for _, weight, _ in self.parts]
        steps[-1] += melt_steps - sum(steps)
        return tuple(
            Source(member, share, min(self.fineness_tenths + apart, FINENESS_TENTHS_MAX) if self.with_fineness else None)
            for (member, _, apart), share in zip(self.parts, steps, strict=True)
        )
