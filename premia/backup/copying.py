"""Copying the files of a log and of documents, out of a running programme and into empty places.

Goal: a copy is whole, whatever was written meanwhile, and whenever copying stops.
Method: each file is copied under a hidden name and renamed, so that what is there is all of it. Files never change, but for the
checkpoint: one that is there stays. Of a log that grows the checkpoint comes first and tiles after it; of one that is restored
it comes last.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from premia.backup.manifest import files_below

CHECKPOINT: Final = "checkpoint"
TILES: Final = "tile"


def copy_growing_log(source: Path, target: Path) -> None:
    """Copy a log that is written to. The copy has all that its checkpoint stands for, and perhaps more. Raises OSError."""
    target.mkdir(exist_ok=True)
    if (source / CHECKPOINT).is_file():
        _copy_whole(source / CHECKPOINT, target / CHECKPOINT)
    for path in _visible(source / TILES):
        try:
            _copy_whole(path, target / path.relative_to(source))
        except FileNotFoundError:
            # A partial tile (078.p/250), dropped since the folder was listed, because the full one is there (078).
            full = path.parent.with_suffix("")
            _copy_whole(full, target / full.relative_to(source))


def restore_log(source: Path, target: Path) -> None:
    """Copy a log that nobody writes to. Without a checkpoint, which comes last, it is no log yet. Raises OSError."""
    copy_files(source / TILES, target / TILES)
    if (source / CHECKPOINT).is_file():
        _copy_whole(source / CHECKPOINT, target / CHECKPOINT)


def copy_files(source: Path, target: Path) -> None:
    """Copy the files of a folder that are not in the other one yet. Raises OSError."""
    for path in _visible(source):
        copy = target / path.relative_to(source)
        if not copy.exists():
            _copy_whole(path, copy)


def _visible(folder: Path) -> Iterator[Path]:
    """Half written files are hidden."""
    return (path for path in files_below(folder) if not path.name.startswith("."))


def _copy_whole(path: Path, copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    partial = copy.with_name(f".{copy.name}")
    shutil.copy2(path, partial)
    partial.rename(copy)
