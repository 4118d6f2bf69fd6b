"""Checkpoints: what a log signed as the size and the root of its tree, and who saw it.

Goal: one file of a few lines stands for the whole log at a moment; two of them show whether it only grew.
Method: a signed note of at least three lines: the log's name, the number of leaves, the root in base64. The log's signature
must be by one of the given keys, under the log's own name. Witnesses' signatures are counted.
Source: c2sp.org/tlog-checkpoint, c2sp.org/tlog-cosignature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn

from verifier.deviation import Deviation, DeviationCode
from verifier.merkle import HASH_BYTES, ProofError, verify_consistency
from verifier.note import Note, Signed, VerifierKey, read_note, verified_signatures
from verifier.strict import NotStrictError, count_from_text, from_base64, shown


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """Whom the reader believes: the log's keys (two while one follows another), and witnesses, of whom so many must sign."""

    log: tuple[VerifierKey, ...]
    witnesses: tuple[VerifierKey, ...] = ()
    witnesses_needed: int = 0


@dataclass(frozen=True, slots=True)
class TreeHead:
    """What a checkpoint says, whoever signed it. `text` is what is signed."""

    origin: str
    tree_size: int
    root: bytes
    text: str


@dataclass(frozen=True, slots=True)
class Checkpoint(TreeHead):
    """A tree head that the log signed. `unknown` names signatures of keys that were not given."""

    signed: tuple[Signed, ...]
    witnessed: tuple[Signed, ...]
    unknown: tuple[str, ...]

    def words(self) -> list[str]:
        """What was proven, in sentences."""
        keys = ", ".join(str(signed.key) for signed in self.signed)
        words = [
            f"The log {self.origin} signed, with key {keys}, that it has {self.tree_size:,} leaves under root"
            f" {self.root.hex()}."
        ]
        words += [
            f"Witness {signed.key.name} signed at {_time(signed)} that it saw this, and nothing that contradicts it."
            for signed in self.witnessed
        ]
        return words

    def open_words(self) -> list[str]:
        """What was not proven, in sentences."""
        words = []
        if not self.witnessed:
            words.append(
                "That the log shows everybody the same tree: no witness whose key you gave has signed this checkpoint."
                " Compare it with one that somebody else was given."
            )
        if self.unknown:
            words.append(f"Signatures by keys that you did not give were not checked: {', '.join(self.unknown)}.")
        return words


def open_checkpoint(content: bytes, keys: TrustedKeys, place: str) -> Checkpoint:
    """A checkpoint that the log signed, and as many witnesses as are needed. Raises Deviation."""
    note = read_note(content, place)
    head = read_tree_head(note, place)
    signed = verified_signatures(note, keys.log, place)
    if not signed:
        names = ", ".join(f"{shown(signature.name)}+{signature.key_hash.hex()}" for signature in note.signatures)
        message = f"none of the keys that were given signed it; it is signed in the name of {names}"
        raise Deviation(DeviationCode.KEY_UNKNOWN, place, message)
    if all(head.origin != by.key.name for by in signed):
        message = f"it is of log {shown(head.origin)}, but signed by {signed[0].key.name}"
        raise Deviation(DeviationCode.ORIGIN_WRONG, place, message)
    witnessed = verified_signatures(note, keys.witnesses, place)
    if len(witnessed) < keys.witnesses_needed:
        message = (
            f"{len(witnessed)} of the {len(keys.witnesses)} given witnesses signed it, {keys.witnesses_needed} are required"
        )
        raise Deviation(DeviationCode.WITNESSES_MISSING, place, message)
    known = {(by.key.name, by.key.key_hash) for by in (*signed, *witnessed)}
    unknown = [f"{shown(one.name)}+{one.key_hash.hex()}" for one in note.signatures if (one.name, one.key_hash) not in known]
    return Checkpoint(head.origin, head.tree_size, head.root, head.text, tuple(signed), tuple(witnessed), tuple(unknown))


def read_tree_head(note: Note, place: str) -> TreeHead:
    """What a note says if it is a checkpoint, whoever signed it. Raises Deviation: CHECKPOINT_MALFORMED."""

    def refuse(message: str) -> NoReturn:
        raise Deviation(DeviationCode.CHECKPOINT_MALFORMED, place, message)

    lines = note.text[:-1].split("\n")
    if len(lines) < 3 or not all(lines):
        refuse("is not the log's name, the number of leaves and the root, each on a line of its own")
    try:
        tree_size = count_from_text(lines[1])
    except NotStrictError as error:
        refuse(f"the number of leaves, {shown(lines[1])}, {error}")
    try:
        root = from_base64(lines[2])
    except NotStrictError as error:
        refuse(f"the root, {shown(lines[2])}, {error}")
    if len(root) != HASH_BYTES:
        refuse(f"the root has {len(root)} bytes, a hash has {HASH_BYTES}")
    return TreeHead(lines[0], tree_size, root, note.text)


def require_extension(old: TreeHead, new: TreeHead, proof: Sequence[bytes], place: str) -> None:
    """Raises Deviation: NOT_AN_EXTENSION unless the proof shows that the new tree begins with all leaves of the old one."""
    if old.origin != new.origin:
        message = f"it is of log {shown(new.origin)}, the earlier checkpoint of {shown(old.origin)}"
        raise Deviation(DeviationCode.ORIGIN_WRONG, place, message)
    try:
        verify_consistency(old.tree_size, old.root, new.tree_size, new.root, proof)
    except ProofError as error:
        message = (
            f"has {new.tree_size:,} leaves under {new.root.hex()}, the earlier one {old.tree_size:,} under {old.root.hex()}:"
            f" the proof that it begins with those {error}"
        )
        raise Deviation(DeviationCode.NOT_AN_EXTENSION, place, message) from error


def _time(signed: Signed) -> str:
    """A witness's time. One that no calendar has is shown as it is."""
    try:
        return f"{datetime.fromtimestamp(signed.at_unix_s or 0, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"second {signed.at_unix_s}"
