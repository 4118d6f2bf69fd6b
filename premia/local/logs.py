"""Logs of the stack's programs: their end, and what is added while one looks."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

BLOCK_BYTES: Final = 64 * 1024
FOLLOW_INTERVAL_S: Final = 0.2


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a log, oldest first. Empty if there is none yet."""
    try:
        with path.open("rb") as file:
            return _lines_before(file, file.seek(0, os.SEEK_END), count)
    except FileNotFoundError:
        return []


def follow(path: Path, count: int) -> Iterator[str]:
    """The last lines and then every new one, until the caller stops asking. Waits for the log, and goes on over rotation."""
    first = True
    while True:
        try:
            file = path.open("rb")
        except FileNotFoundError:
            time.sleep(FOLLOW_INTERVAL_S)
            first = False  # what comes is all new
            continue
        with file:
            if first:
                end = file.seek(0, os.SEEK_END)
                yield from _lines_before(file, end, count)
                file.seek(end)
                first = False
            yield from _new_lines(file, path)


def _lines_before(file: BinaryIO, end: int, count: int) -> list[str]:
    block = b""
    while end > 0 and block.count(b"\n") <= count:
        start = max(0, end - BLOCK_BYTES)
        file.seek(start)
        block = file.read(end - start) + block
        end = start
    return block.decode("utf-8", "replace").splitlines()[-count:] if count > 0 else []


def _new_lines(file: BinaryIO, path: Path) -> Iterator[str]:
    """What is added to this file, until another one has taken its place and it has been read to its end."""
    rest = b""
    while True:
        replaced = not path.exists() or path.stat().st_ino != os.fstat(file.fileno()).st_ino
        if new := file.read():
            *lines, rest = (rest + new).split(b"\n")
            yield from (line.decode("utf-8", "replace") for line in lines)
        elif replaced:
            return
        else:
            time.sleep(FOLLOW_INTERVAL_S)
