"""Checkpoints: the signed statement of a log's size and root.

Method: C2SP tlog-checkpoint: a signed note of three lines, the origin, the size, the root. Extension lines of others are
refused: we never write any.
Refuses: another text, as NoteError.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from dataclasses import dataclass

from services.ledger.adapters.signed_note import NoteError
from services.ledger.domain.merkle import HASH_BYTES


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Size and root of the log `origin`."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


def read_checkpoint(text: str) -> Checkpoint:
    """Read the text of a note. Raises NoteError."""
    lines = text.split("\n")
    if len(lines) != 4 or not lines[0]:
        raise NoteError("a checkpoint has three lines: origin, size, root")
    try:
        checkpoint = Checkpoint(lines[0], int(lines[1]), b64decode(lines[2], validate=True))
    except (binascii.Error, ValueError) as error:
        raise NoteError("a checkpoint's second line is a size, its third a hash in base64") from error
    if checkpoint.size < 0 or len(checkpoint.root) != HASH_BYTES or checkpoint.text != text:
        raise NoteError("a checkpoint's size has neither sign nor leading zero, its root 32 bytes")
    return checkpoint
