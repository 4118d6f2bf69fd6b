"""Where an event stands that could not be used, and which ones are meant: the words of `premia dlq`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from premia.dead_letters.letters import Letter


class State(StrEnum):
    """Where an event stands that could not be used."""

    WAITING = "waiting"  # nobody redrove it yet, or it is on its way
    FAILED_AGAIN = "failed_again"  # redriven, and refused again
    ACCEPTED = "accepted"  # redriven, and taken
    MENDED = "mended"  # sent anew: this or a later revision of the lot was taken
    NEVER_REDRIVEN = "never_redriven"  # a command, whose sender has its answer; a recalculation too late; or unreadable


@dataclass(frozen=True, slots=True)
class Filter:
    """Which letters are meant; None takes all."""

    code: str | None
    refiner: str | None
    since: datetime | None
    until: datetime | None
    state: str | None = None

    def takes(self, letter: Letter) -> bool:
        """Tell whether a letter is one of them."""
        at = letter.reason.at
        return (
            (self.code is None or letter.reason.code == self.code)
            and (self.refiner is None or (letter.lot or "").partition("/")[0] == self.refiner)
            and (self.since is None or at >= self.since)
            and (self.until is None or at < self.until)
            and (self.state is None or letter.state == self.state)
        )

    @property
    def is_empty(self) -> bool:
        """Tell whether all are meant."""
        return self == Filter(None, None, None, None)
