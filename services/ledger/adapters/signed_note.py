"""Signed notes, read and judged: the checkpoint of before, and what a witness sends back.

Goal: a note is taken for what it says only if a key that we know signed it.
Method: C2SP signed-note. A key is known by its name and by four bytes of a hash over name, kind and public key. A log's
signature is over the text itself, a witness's over the time at which it saw the text and the text (tlog-cosignature). Keys that
sign are schemas/note_signing.py's.
Refuses: what does not have the form, as NoteError. Signatures of unknown keys are kept, not judged.
Source: C2SP signed-note and tlog-cosignature.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from schemas.note_signing import KEY_HASH_BYTES, SIGNATURE_MARK, NoteKind, is_note_key_name

PUBLIC_KEY_BYTES: Final = 32
TIME_BYTES: Final = 8
TIME_MAX_UNIX_S: Final = 2**63 - 1  # tlog-cosignature; and 0 is no time
SIGNATURES_MAX: Final = 64  # signed-note: 16 at least; a programme has a few keys and a few witnesses.


class NoteError(ValueError):
    """A note or a public key does not have its form."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature as it stands in a note: of which key it claims to be, and the bytes. Not judged."""

    name: str
    key_hash: bytes
    content: bytes

    @property
    def line(self) -> str:
        """Its line, with the newline."""
        return f"{SIGNATURE_MARK}{self.name} {b64encode(self.key_hash + self.content).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text, which ends with a newline, and its signatures in order."""

    text: str
    signatures: tuple[Signature, ...]

    def to_text(self) -> str:
        """The note as it is stored and sent."""
        return f"{self.text}\n{''.join(signature.line for signature in self.signatures)}"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """The public half of a key."""

    name: str
    kind: NoteKind
    public_key: bytes

    @property
    def hash(self) -> bytes:
        """What signatures name it by, beside its name."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public_key).digest()[:KEY_HASH_BYTES]

    def claimed(self, signature: Signature) -> bool:
        """Whether the signature claims to be of this key."""
        return (signature.name, signature.key_hash) == (self.name, self.hash)

    def verifies(self, text: str, signature: Signature) -> bool:
        """Whether the signature is this key's and of this text."""
        if not self.claimed(signature):
            return False
        content, signed = signature.content, text
        if self.kind is NoteKind.WITNESS:
            seen_at_unix_s, content = int.from_bytes(content[:TIME_BYTES], "big"), content[TIME_BYTES:]
            if not 0 < seen_at_unix_s <= TIME_MAX_UNIX_S:
                return False
            signed = f"cosignature/v1\ntime {seen_at_unix_s}\n{text}"
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(content, signed.encode())
        except InvalidSignature:
            return False
        return True


def read_verifier_key(text: str) -> VerifierKey:
    """Read a public key, of a log or of a witness: `name+hash+base64`. Raises NoteError."""
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise NoteError("a public key has the form name+hash+key")
    name, key_hash, encoded = parts
    content = _decoded(encoded)
    if len(content) != 1 + PUBLIC_KEY_BYTES or content[0] not in set(NoteKind):
        raise NoteError("is a public key of another kind: Ed25519 is needed")
    key = VerifierKey(_checked_name(name), NoteKind(content[0]), content[1:])
    if key.hash.hex() != key_hash:
        raise NoteError(f"is a public key whose hash is not {key.hash.hex()}: name and key do not belong together")
    return key


def read_note(content: bytes) -> Note:
    """Take a note apart. Raises NoteError."""
    try:
        whole = content.decode()
    except UnicodeDecodeError as error:
        raise NoteError("a note is UTF-8") from error
    text, separator, lines = whole.rpartition("\n\n")
    if not separator:
        raise NoteError("a note is a text, an empty line, and signatures")
    return Note(f"{text}\n", read_signatures(lines))


def read_signatures(lines: str) -> tuple[Signature, ...]:
    """Read signature lines, of which there is one at least, each with its newline. Raises NoteError."""
    if not lines.endswith("\n"):
        raise NoteError("each signature ends with a newline")
    split = lines.removesuffix("\n").split("\n")
    if len(split) > SIGNATURES_MAX:
        raise NoteError(f"a note has at most {SIGNATURES_MAX} signatures")
    return tuple(_signature(line) for line in split)


def _signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(SIGNATURE_MARK).partition(" ")
    content = _decoded(encoded)
    if not line.startswith(SIGNATURE_MARK) or len(content) <= KEY_HASH_BYTES:
        raise NoteError("a signature line is a dash, the key's name, and its hash and signature in base64")
    return Signature(_checked_name(name), content[:KEY_HASH_BYTES], content[KEY_HASH_BYTES:])


def _checked_name(name: str) -> str:
    if not is_note_key_name(name):
        raise NoteError("a key's name is not empty and has neither spaces nor a plus")
    return name


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteError("keys and signatures are in base64") from error
