"""What the stack says while it works: lines on stderr, and a progress bar on what takes longer than a second.

Method: rich draws, on a terminal only; what is said meanwhile goes above the bars. Elsewhere, so that logs stay readable, a
step that takes long says a line now and then of how far it is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from premia.local.limits import PROGRESS_AFTER_S, PROGRESS_LINE_S

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class _Board:
    """All bars of the process on one rich display: two displays would write over each other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._progress: Progress | None = None
        self._shown = 0

    def add(self, title: str, total: int | None) -> TaskID | None:
        """Show a bar. None where there is no terminal to show it on."""
        from rich.console import Console  # noqa: PLC0415  # 0.1 s of imports that quick steps do not need
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        with self._lock:
            if self._progress is None:
                console = Console(stderr=True)
                if not console.is_terminal:
                    return None
                columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
                self._progress = Progress(*columns, console=console, transient=True)
                self._progress.start()
            self._shown += 1
            return self._progress.add_task(title, total=total)

    def print_above(self, line: str) -> bool:
        """Print a line above the bars. False if none is shown."""
        with self._lock:
            if self._progress is None:
                return False
            self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)
            return True

    def draw(self, task: TaskID, done: int) -> None:
        """Let a bar show how much is done."""
        with self._lock:
            if self._progress is not None:
                self._progress.update(task, completed=done)

    def remove(self, task: TaskID) -> None:
        """Take a bar away, and the display with the last one."""
        with self._lock:
            if self._progress is not None:
                self._progress.remove_task(task)
                self._shown -= 1
                if self._shown == 0:
                    self._progress.stop()
                    self._progress = None


_BOARD = _Board()


def say(line: str) -> None:
    """One line for the person, on stderr."""
    if not _BOARD.print_above(line):
        click.echo(line, err=True)


class _LateBar:
    """A bar that appears once its step has taken a second, so that quick steps stay quiet."""

    def __init__(self, title: str, total: int | None) -> None:
        self._title = title
        self._total = total
        self._done = 0
        self._started = self._said = time.monotonic()
        self._lock = threading.Lock()
        self._asked = False
        self._task: TaskID | None = None

    def advance(self, amount: int) -> None:
        with self._lock:
            self._done += amount
            now = time.monotonic()
            if not self._asked and now - self._started > PROGRESS_AFTER_S:
                self._asked = True
                self._task = _BOARD.add(self._title, self._total)
            if self._task is not None:
                _BOARD.draw(self._task, self._done)
            elif now - self._said > PROGRESS_LINE_S:
                self._said = now
                so_far = f"{now - self._started:.0f} s" if self._total is None else f"{self._done:,} of {self._total:,}"
                say(f"{self._title}: {so_far}")

    def close(self) -> None:
        with self._lock:
            if self._task is not None:
                _BOARD.remove(self._task)
                self._task = None


@contextmanager
def progress(title: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Give a function to report progress with: units done since the last call (0 is welcome: it keeps the clock moving)."""
    bar = _LateBar(title, total)
    try:
        yield bar.advance
    finally:
        bar.close()
