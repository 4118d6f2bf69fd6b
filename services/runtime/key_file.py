"""Files that hold a private key.

Goal: a key is made and used without ever being seen on a screen or in a list of processes.
Method: a new file that only its owner may read, on disk before its name is told.
Refuses: to write over a file, or through a link; to read a file that others may read.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

MODE: Final = 0o600
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
KEY_FILE_BYTES_MAX: Final = 16 * 1024  # an Ed25519 key takes 119 bytes; other kinds are told by name.


class KeyFileError(Exception):
    """A key file cannot be written or used; the text is one line with its name."""


def write_key_file(file: Path, content: bytes) -> None:
    """Write a private key to a new file. Raises KeyFileError."""
    try:
        # Never through a name that others may read for a moment, nor over what is there, nor through a link.
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), MODE)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    except FileExistsError as error:
        raise KeyFileError(f"{file}: is there already, and a key is never written over") from error
    except OSError as error:
        raise KeyFileError(f"{file}: cannot be written: {error.strerror}") from error


def read_key_file(file: Path) -> bytes:
    """What a key file holds, up to KEY_FILE_BYTES_MAX. Raises KeyFileError."""
    try:
        with file.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            content = stream.read(KEY_FILE_BYTES_MAX)
    except OSError as error:
        raise KeyFileError(f"{file}: cannot be read: {error.strerror}") from error
    if mode & OTHERS:
        raise KeyFileError(f"{file}: others may read it: `chmod 600 {file}`, and think of a new key")
    return content
