"""The two folders between us and the bank: payment files go out through one, answers come in through the other.

Goal: the bank sees a file whole or not at all; a crash at any point loses no file and makes reading one again harmless.
Method: outgoing: written under a hidden name, flushed to disk, renamed, folder flushed. Incoming: a file is read, its effects
are committed by the caller under the hash of its bytes, and only then it is moved to `archive/` below the folder; after a crash
in between it is read again, its hash is known, and it is moved. Nothing is ever deleted or overwritten by other bytes.
Refuses: BankFileConflictError, BankFolderUnusableError, BankFileUnreadableError (too large, or still being written).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Final

from services.payout.bank.errors import (
    BankFileConflictError,
    BankFileUnreadableError,
    BankFolderUnusableError,
    UnreadableFault,
)
from services.payout.bank.limits import BANK_FILE_BYTES_MAX, FOLDER_ENTRIES_MAX, READ_CHUNK_BYTES

ARCHIVE: Final = "archive"
QUARANTINE: Final = "quarantine"
# Names under which others are still writing, by the customs of file transfer.
_UNFINISHED_SUFFIXES: Final = (".tmp", ".part", ".filepart", ".writing", ".swp")


class Whereabouts(StrEnum):
    """Where a payment file is found after a crash."""

    WAITING = "waiting"  # in the folder, not yet taken
    TAKEN = "taken"  # the bank moved or claimed it: it has it, the answer decides
    ABSENT = "absent"  # not in the folder nor below: either never dropped, or taken by a bank that leaves no trace


@dataclass(frozen=True, slots=True)
class IncomingFile:
    """One file from the bank, whole. `sha256` is its identity: the same bytes again are the same file."""

    path: Path
    sha256: str
    data: bytes


def drop_payment_file(folder: Path, name: str, data: bytes) -> None:
    """Put a payment file into the outgoing folder. The same bytes again under the same name change nothing.

    Raises BankFileConflictError if other bytes lie there under that name. Whether the bank took an earlier copy already is
    not visible here: a caller that may have dropped it before asks `whereabouts` first.
    """
    _require_folder(folder)
    final = folder / name
    if final.exists():
        if final.read_bytes() != data:
            raise BankFileConflictError(f"{final} lies in the folder with other bytes; nothing was written")
        return
    hidden = folder / f".{name}.part"
    descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
    try:
        written = 0
        while written < len(data):
            written += os.write(descriptor, data[written:])
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    hidden.rename(final)
    _flush_folder(folder)


def whereabouts(folder: Path, name: str) -> Whereabouts:
    """Where the payment file of that name is: in the folder, below it (processed/, failed/, …) or claimed, or absent."""
    _require_folder(folder)
    if (folder / name).exists():
        return Whereabouts.WAITING
    # A bank that takes a file renames it (name.processing) or moves it to a folder beside. The name holds the message id,
    # which is unique for ever, so whatever begins with it is this file.
    claimed = [entry for entry in _entries(folder) if entry.name.startswith(name)]
    moved = [entry for below in _entries(folder) if below.is_dir() for entry in _entries(below) if entry.name.startswith(name)]
    return Whereabouts.TAKEN if claimed or moved else Whereabouts.ABSENT


def list_incoming(folder: Path) -> tuple[Path, ...]:
    """The finished files in the incoming folder, in order of arrival, then name with its numbers read as numbers.

    Only a convenience: clocks of file systems tick in milliseconds, and a bank may send a return before the payment it
    returns. Whoever applies the files must take them in any order.
    """
    _require_folder(folder)
    found: list[tuple[int, list[tuple[int, str]], Path]] = []
    for entry in _entries(folder):
        if entry.name.startswith(".") or entry.name.lower().endswith(_UNFINISHED_SUFFIXES):
            continue
        # A link could lead out of the folder; a bank's file is a file.
        if entry.is_symlink() or not entry.is_file():
            continue
        found.append((entry.stat().st_mtime_ns, _with_numbers(entry.name), entry))
    return tuple(path for _, _, path in sorted(found))


def read_incoming(path: Path) -> IncomingFile:
    """Read one incoming file whole. Raises BankFileUnreadableError (FILE_TOO_LARGE, FILE_CHANGED_WHILE_READ)."""
    with path.open("rb") as stream:
        before = os.fstat(stream.fileno())
        if before.st_size > BANK_FILE_BYTES_MAX:
            message = f"{path.name} has {before.st_size} bytes, at most {BANK_FILE_BYTES_MAX} are read"
            raise BankFileUnreadableError(UnreadableFault.FILE_TOO_LARGE, message)
        data = stream.read(BANK_FILE_BYTES_MAX + 1)
        after = os.fstat(stream.fileno())
    if len(data) != before.st_size or (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        message = f"{path.name} is still being written; it is read when it is whole"
        raise BankFileUnreadableError(UnreadableFault.FILE_CHANGED_WHILE_READ, message)
    return IncomingFile(path, sha256(data).hexdigest(), data)


def archive_incoming(path: Path, digest: str) -> Path:
    """Move a file whose effects are committed to `archive/`, named by hash and name. Returns where it lies now.

    Raises BankFileUnreadableError (FILE_CHANGED_WHILE_READ) if it is no longer the bytes that were read: then it stays, and
    is read again.
    """
    return _set_aside(path, digest, ARCHIVE)


def quarantine_incoming(path: Path, digest: str) -> Path:
    """Move a file that a person must look at to `quarantine/`; as `archive_incoming`."""
    return _set_aside(path, digest, QUARANTINE)


def file_digest(path: Path) -> str:
    """The hash of a file of any size, for what is too large to be read."""
    digest = sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(READ_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _set_aside(path: Path, digest: str, subfolder: str) -> Path:
    if file_digest(path) != digest:
        message = f"{path.name} changed after it was read; it is read again"
        raise BankFileUnreadableError(UnreadableFault.FILE_CHANGED_WHILE_READ, message)
    folder = path.parent / subfolder
    folder.mkdir(exist_ok=True)
    # The hash in the name: the same name with other bytes is kept beside, the same bytes again replace themselves.
    target = folder / f"{digest[:16]}-{path.name}"
    # Not flushed to disk: what a crash puts back is read again, known by its hash and set aside again.
    path.rename(target)
    return target


def _with_numbers(name: str) -> list[tuple[int, str]]:
    """`camt-10` after `camt-9`."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split("([0-9]+)", name)]


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise BankFolderUnusableError(f"{folder} is not a folder: create it, or mend PREMIA_BANK_OUTGOING / _INCOMING")


def _entries(folder: Path) -> list[Path]:
    entries: list[Path] = []
    for entry in folder.iterdir():
        entries.append(entry)
        if len(entries) > FOLDER_ENTRIES_MAX:
            message = f"{folder} holds more than {FOLDER_ENTRIES_MAX} entries: clear it, it is not being emptied"
            raise BankFolderUnusableError(message)
    return entries


def _flush_folder(folder: Path) -> None:
    """A rename is on disk only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
