"""What the stack says while it works: lines on stderr, and a progress bar on what takes longer than a second.

Method: rich draws only on a terminal; elsewhere one line when a long step begins is all, so that logs stay readable.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from premia.local.limits import PROGRESS_AFTER_S


def say(line: str) -> None:
    """One line for the person, on stderr."""
    click.echo(line, err=True)


class _LateBar:
    """A bar that appears once its step has taken a second, so that quick steps stay quiet."""

    def __init__(self, title: str, total: int | None) -> None:
        self._title = title
        self._total = total
        self._done = 0
        self._started = time.monotonic()
        self._lock = threading.Lock()
        self._stop_drawing: Callable[[], None] | None = None
        self._draw: Callable[[int], None] | None = None

    def advance(self, amount: int) -> None:
        with self._lock:
            self._done += amount
            if self._draw is None and time.monotonic() - self._started > PROGRESS_AFTER_S:
                self._show()
            if self._draw is not None:
                self._draw(self._done)

    def close(self) -> None:
        with self._lock:
            if self._stop_drawing is not None:
                self._stop_drawing()

    def _show(self) -> None:
        from rich.console import Console  # noqa: PLC0415  # 0.1 s of imports that quick steps do not need
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        console = Console(stderr=True)
        if not console.is_terminal:
            self._draw = lambda _done: None
            return
        columns = [SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()]
        if self._total is not None:
            columns.insert(2, BarColumn())
            columns.insert(3, TextColumn("{task.percentage:>3.0f}%"))
        progress = Progress(*columns, console=console, transient=True)
        task = progress.add_task(self._title, total=self._total)
        progress.start()
        self._draw = lambda done: progress.update(task, completed=done)
        self._stop_drawing = progress.stop


@contextmanager
def progress(title: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Give a function to report progress with: units done since the last call (0 is welcome: it keeps the clock moving)."""
    bar = _LateBar(title, total)
    try:
        yield bar.advance
    finally:
        bar.close()
