"""Chance that falls the same way every time, everywhere.

Goal: the sample is the same to the byte on every machine, and a new story changes no lot but its own.
Method: each draw is SHA-256 over seed, label and a counter; a lot's label is its own id, so nobody shares a stream.
Refuses: floats; Python's `random` and `hash`, whose results are no contract between versions and processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final, TypeVar

SEED: Final = "premia sample 1"
PERMILLE: Final = 1000

T = TypeVar("T")


class Chance:
    """A stream of draws of its own for each label."""

    __slots__ = ("_drawn", "_label")

    def __init__(self, *label: str | int) -> None:
        self._label = "\n".join((SEED, *map(str, label))).encode()
        self._drawn = 0

    def below(self, limit: int) -> int:
        """Draw a whole number in [0, limit). 64 bits, so the bias of the modulo stays below one in 10^12."""
        digest = sha256(self._label + b"\n" + str(self._drawn).encode()).digest()
        self._drawn += 1
        return int.from_bytes(digest[:8], "big") % limit

    def between(self, lowest: int, highest: int) -> int:
        """Draw a whole number in [lowest, highest]."""
        return lowest + self.below(highest - lowest + 1)

    def happens(self, permille: int) -> bool:
        """Tell whether something happens that does so in `permille` of a thousand cases."""
        return self.below(PERMILLE) < permille

    def one_of(self, choices: Sequence[T]) -> T:
        """Draw one of N >= 1 choices."""
        return choices[self.below(len(choices))]

    def shuffled(self, members: Sequence[T]) -> list[T]:
        """Return the members in another order."""
        order = sorted(range(len(members)), key=lambda place: (self.below(2**40), place))
        return [members[place] for place in order]
