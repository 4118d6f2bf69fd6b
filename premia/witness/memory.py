"""What a witness remembers: the latest checkpoint that it signed, and evidence of what it refused.

Goal: nothing is signed that was not remembered before, whenever the machine stops; and who is accused can be shown why.
Method: the state is one file, the checkpoint as it was signed, with the log's signature and ours. It is written under another
name, flushed, renamed, and the folder flushed, before anybody gets the signature. Evidence lies beside it, a folder for each:
the checkpoint that was signed, the one that contradicts it, and the request. A lock lets one process use the files.
Refuses: WitnessStateError for a state that neither the log nor we signed, or that another process uses.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from premia.witness.add_checkpoint import Suspicion
from verifier.checkpoint import Checkpoint, TrustedKeys, open_checkpoint
from verifier.deviation import Deviation, DeviationCode
from verifier.note import VerifierKey

FILE_MODE: Final = 0o644  # what it holds is public
NAME_CHARS: Final = 16  # of a hash: enough to tell a few thousand apart
# One is proof enough. Anybody can send old checkpoints, so of each kind there must be an end: 16 MB at 16 KB each.
EVIDENCE_MAX: Final = 1_000


class WitnessStateError(Exception):
    """The state cannot be used; the text is one line with its name."""


class Memory:
    """The files of one witness of one log. Methods block for some milliseconds."""

    def __init__(self, state: Path, log_keys: Sequence[VerifierKey], own_key: VerifierKey) -> None:
        """Read what is remembered. Raises WitnessStateError."""
        # Whoever knows the file by another name must find our lock; and a link that is renamed over leads nowhere any more.
        state = Path(os.path.realpath(state))
        self._state = state
        self._evidence = state.with_name(f"{state.name}.evidence")
        self._lock = _locked(state.with_name(f"{state.name}.lock"))
        self.latest = _read(state, log_keys, own_key)

    def close(self) -> None:
        """Let another process use the files."""
        os.close(self._lock)

    def remember(self, checkpoint: Checkpoint, note: str) -> None:
        """Keep a checkpoint as the latest, with all its signatures. Raises OSError, and then remembers the one before."""
        write_durably(self._state, note.encode())
        self.latest = checkpoint

    def keep_evidence(self, suspicion: Suspicion, submitted: bytes, request: bytes) -> Path | None:
        """Keep what speaks against the log. Returns the new folder, or None if it is kept already or there is no room."""
        folder = self._evidence / f"{suspicion}-{sha256(submitted).hexdigest()[:NAME_CHARS]}"
        if folder.exists():
            return None
        self._evidence.mkdir(exist_ok=True)
        if sum(1 for _ in self._evidence.glob(f"{suspicion}-*")) >= EVIDENCE_MAX:
            return None
        partial = folder.with_name(f".{folder.name}")
        partial.mkdir(exist_ok=True)
        for name, content in (("signed.note", self._state.read_bytes()), ("submitted.note", submitted), ("request", request)):
            write_durably(partial / name, content)
        partial.rename(folder)
        _flush_folder(self._evidence)
        return folder


def write_durably(file: Path, content: bytes) -> None:
    """Write a file so that it is there whole, or as it was before. Raises OSError."""
    partial = file.with_name(f".{file.name}.new")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    partial.rename(file)
    _flush_folder(file.parent)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _locked(file: Path) -> int:
    """A lock that ends with the process."""
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise WitnessStateError(f"{file}: another witness uses this state") from error
    except OSError as error:
        raise WitnessStateError(f"{file}: cannot be used: {error.strerror}") from error
    return descriptor


def _read(state: Path, log_keys: Sequence[VerifierKey], own_key: VerifierKey) -> Checkpoint | None:
    try:
        content = state.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise WitnessStateError(f"{state}: cannot be read: {error.strerror}") from error
    try:
        return open_checkpoint(content, TrustedKeys(tuple(log_keys), (own_key,), 1), str(state))
    except Deviation as deviation:
        why = f"{deviation.code}: {deviation.message}"
        other_key = "; if the log has another key now, name the old one too (--log)"
        hint = other_key if deviation.code is DeviationCode.KEY_UNKNOWN else ""
        raise WitnessStateError(
            f"{state}: is not what this witness signed for this log ({why}); restore it, never delete it{hint}"
        ) from deviation
