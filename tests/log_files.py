"""A second writer of log files, for tests: everything by its definition, nothing for speed, nothing shared with what is tested.

Source: RFC 6962, section 2.1; c2sp.org/tlog-tiles, tlog-checkpoint, tlog-cosignature.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

from schemas.note_signing import NoteKey

WIDTH = 256


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, as it is defined."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = _split(len(leaves))
    return hashlib.sha256(b"\x01" + tree_hash(leaves[:split]) + tree_hash(leaves[split:])).digest()


def inclusion_proof(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962."""
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*inclusion_proof(index, leaves[:split]), tree_hash(leaves[split:])]
    return [*inclusion_proof(index - split, leaves[split:]), tree_hash(leaves[:split])]


def consistency_proof(old_size: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PROOF of RFC 6962; empty for an old tree without leaves."""
    return _subproof(old_size, leaves, whole=True) if old_size else []


def checkpoint_text(origin: str, leaves: Sequence[bytes]) -> str:
    """What a log signs."""
    return f"{origin}\n{len(leaves)}\n{b64encode(tree_hash(leaves)).decode()}\n"


def checkpoint(leaves: Sequence[bytes], log: NoteKey, *witnesses: NoteKey, at_unix_s: int = 1_700_000_000) -> str:
    """A checkpoint that the log signed, and the witnesses after it."""
    text = checkpoint_text(log.name, leaves)
    return f"{text}\n{log.sign(text)}{''.join(witness.cosign(text, at_unix_s) for witness in witnesses)}"


def add_checkpoint_request(old_size: int, leaves: Sequence[bytes], note: str) -> str:
    """What a log sends to a witness, with the proof that fits (none where none can)."""
    proof = consistency_proof(old_size, leaves) if old_size <= len(leaves) else []
    return f"old {old_size}\n{''.join(f'{b64encode(one).decode()}{chr(10)}' for one in proof)}\n{note}"


def write_log(folder: Path, leaves: Sequence[bytes], log: NoteKey, *witnesses: NoteKey) -> Path:
    """Write checkpoint, hash tiles and entries. Returns the folder."""
    for number in range(0, len(leaves), WIDTH):
        bundle = leaves[number : number + WIDTH]
        content = b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in bundle)
        _write(folder, "entries", number // WIDTH, len(bundle), content)
    level, height = 0, 1
    while len(leaves) >= height:
        complete = len(leaves) // height
        for first in range(0, complete, WIDTH):
            last = min(first + WIDTH, complete)
            hashes = [tree_hash(leaves[at * height : (at + 1) * height]) for at in range(first, last)]
            _write(folder, str(level), first // WIDTH, last - first, b"".join(hashes))
        level, height = level + 1, height * WIDTH
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "checkpoint").write_text(checkpoint(leaves, log, *witnesses), encoding="utf-8")
    return folder


def _write(folder: Path, level: str, number: int, width: int, content: bytes) -> None:
    thousands, rest = divmod(number, 1000)
    name = f"{rest:03}" if not thousands else f"x{thousands:03}/{rest:03}"
    path = folder / "tile" / level / (name if width == WIDTH else f"{name}.p/{width}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _subproof(old_size: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
    if old_size == len(leaves):
        return [] if whole else [tree_hash(leaves)]
    split = _split(len(leaves))
    if old_size <= split:
        return [*_subproof(old_size, leaves[:split], whole=whole), tree_hash(leaves[split:])]
    return [*_subproof(old_size - split, leaves[split:], whole=False), tree_hash(leaves[:split])]


def _split(size: int) -> int:
    split = 1
    while split * 2 < size:
        split *= 2
    return split
