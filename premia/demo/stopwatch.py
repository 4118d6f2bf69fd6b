"""Where the time of a demo goes: seconds by step, in the order in which steps first began."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Adds up what each step took. Steps do not overlap, so that the rows sum to the whole."""

    def __init__(self) -> None:
        """Start the clock of the whole."""
        self._started = time.monotonic()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time one run of a step."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - started

    def elapsed_s(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._started
