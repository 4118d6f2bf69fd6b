"""Logs of the stack's programs: their end, and what is added while one looks."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

BLOCK_BYTES: Final = 64 * 1024
FOLLOW_INTERVAL_S: Final = 0.2


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a log, oldest first. Empty if there is none yet."""
    if count <= 0:
        return []
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            block = b""
            while end > 0 and block.count(b"\n") <= count:
                start = max(0, end - BLOCK_BYTES)
                file.seek(start)
                block = file.read(end - start) + block
                end = start
    except FileNotFoundError:
        return []
    return block.decode("utf-8", "replace").splitlines()[-count:]


def follow(path: Path, count: int) -> Iterator[str]:
    """The last lines and then every new one, until the caller stops asking. Goes on over rotation."""
    yield from last_lines(path, count)
    position = path.stat().st_size if path.exists() else 0
    inode = path.stat().st_ino if path.exists() else 0
    rest = b""
    while True:
        if path.exists():
            status = path.stat()
            if status.st_ino != inode or status.st_size < position:
                position, inode, rest = 0, status.st_ino, b""
            if status.st_size > position:
                with path.open("rb") as file:
                    file.seek(position)
                    new = file.read()
                position += len(new)
                *lines, rest = (rest + new).split(b"\n")
                yield from (line.decode("utf-8", "replace") for line in lines)
                continue
        time.sleep(FOLLOW_INTERVAL_S)
