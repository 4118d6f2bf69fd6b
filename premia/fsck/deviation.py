"""What a checker finds.

Goal: a person who reads one line knows which row of which table to look at, what stands there and what should.
Method: checkers yield deviations one by one; how many are shown is the command's business.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Deviation:
    """`invariant` is its number in the design (section 9); `code` never changes its meaning; `place` names the row."""

    invariant: int
    code: str
    place: str
    message: str


@dataclass(slots=True)
class Checked:
    """How much was looked at, by name: a check that looked at nothing must not look like one that found nothing."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, what: str, number: int = 1) -> None:
        """Count."""
        self.counts[what] = self.counts.get(what, 0) + number
