"""Memory of the stack: what its processes take together, now and at the highest.

Method: proportional set size where the system tells it (Linux), because PostgreSQL's processes share one block of buffers and
Python's processes share pages; else resident set size, which counts shared pages once for each process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Final

import psutil

SAMPLE_INTERVAL_S: Final = 0.5  # a sample of 15 processes costs 10 ms


def family_bytes(pids: Iterable[int]) -> int:
    """Memory of these processes and all their children. Processes that end meanwhile count as nothing."""
    family: dict[int, psutil.Process] = {}
    for pid in pids:
        try:
            process = psutil.Process(pid)
            for member in (process, *process.children(recursive=True)):
                family[member.pid] = member
        except psutil.NoSuchProcess:
            continue
    return sum(_process_bytes(process) for process in family.values())


def _process_bytes(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
        return int(getattr(full, "pss", 0) or full.rss)
    except psutil.AccessDenied:
        try:
            return int(process.memory_info().rss)
        except psutil.Error:
            return 0
    except psutil.Error:
        return 0


class PeakMemory:
    """Samples in a thread while the `with` block runs; `peak_bytes` is the highest sum seen."""

    def __init__(self, pids: Callable[[], Iterable[int]]) -> None:
        self._pids = pids
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="peak-memory", daemon=True)
        self.peak_bytes = 0

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self.peak_bytes = max(self.peak_bytes, family_bytes(self._pids()))
            if self._ended.wait(SAMPLE_INTERVAL_S):
                return
