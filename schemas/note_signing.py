"""Keys that sign notes, and what they sign: a log its checkpoints, a witness its cosignatures.

Goal: any tool that reads C2SP notes can check our signatures, and takes our keys as they are.
Method: Ed25519. A log signs the note's text as it is; a witness signs it below a line with the time. A private key is one line,
`PRIVATE+KEY+name+hash+base64(kind, seed)`, as golang.org/x/mod/sumdb/note writes it; its public half is
`name+hash+base64(kind, public key)`. `hash` names the key: the first four bytes of SHA-256(name, newline, kind, public key).
Refuses: names that are empty or hold spaces or "+", because they could not be read again; keys whose hash is not theirs.
Only signing lives here: who checks a note uses code that shares nothing with this (package verifier).
Source: c2sp.org/signed-note, c2sp.org/tlog-cosignature.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SEED_BYTES: Final = 32
KEY_HASH_BYTES: Final = 4
NAME_CHARS_MAX: Final = 255  # a name is at most the length of a host name with a short path; other formats count it in a byte.
SIGNATURE_MARK: Final = "\N{EM DASH} "

_PRIVATE: Final = "PRIVATE+KEY+"


class NoteKind(IntEnum):
    """What a key signs, and the byte that says so in its text."""

    LOG = 1  # Ed25519 over the note's text
    WITNESS = 4  # Ed25519 over a line with the time and the note's text: cosignature/v1


class NoteKeyError(ValueError):
    """A name or a text that cannot be a note key's; one line without the key itself."""


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A named private key."""

    name: str
    kind: NoteKind
    private_key: Ed25519PrivateKey

    def __post_init__(self) -> None:
        """Raises NoteKeyError for a name that no note could carry."""
        if not is_note_key_name(self.name):
            raise NoteKeyError(f"{self.name!r} cannot be a key's name: a host name and path without spaces and '+'")

    @property
    def hash(self) -> bytes:
        """Four bytes that stand before each of its signatures."""
        content = self.name.encode() + b"\n" + self._public()
        return sha256(content).digest()[:KEY_HASH_BYTES]

    def verifier_key(self) -> str:
        """The public half, to be handed out: `name+hash+base64`."""
        return f"{self.name}+{self.hash.hex()}+{b64encode(self._public()).decode()}"

    def text(self) -> str:
        """The private half as one line, to be kept."""
        content = bytes([self.kind]) + self.private_key.private_bytes_raw()
        return f"{_PRIVATE}{self.name}+{self.hash.hex()}+{b64encode(content).decode()}"

    def sign(self, note_text: str) -> str:
        """A log's signature line over a note's text, which ends with a newline as the line does."""
        assert self.kind is NoteKind.LOG, "a witness signs with the time"
        assert note_text.endswith("\n"), "a note's text ends with a newline"
        return self._line(self.private_key.sign(note_text.encode()))

    def cosign(self, note_text: str, at_unix_s: int) -> str:
        """A witness's signature line over a checkpoint's text, as of a time in seconds since 1970."""
        assert self.kind is NoteKind.WITNESS, "a log signs without the time"
        assert note_text.endswith("\n"), "a note's text ends with a newline"
        signed = f"cosignature/v1\ntime {at_unix_s}\n{note_text}"
        return self._line(at_unix_s.to_bytes(8, "big") + self.private_key.sign(signed.encode()))

    def _public(self) -> bytes:
        return bytes([self.kind]) + self.private_key.public_key().public_bytes_raw()

    def _line(self, signature: bytes) -> str:
        return f"{SIGNATURE_MARK}{self.name} {b64encode(self.hash + signature).decode()}\n"


def new_note_key(name: str, kind: NoteKind) -> NoteKey:
    """A key that nobody has. Raises NoteKeyError for a name that no note could carry."""
    return NoteKey(name, kind, Ed25519PrivateKey.generate())


def read_note_key(text: str, kind: NoteKind) -> NoteKey:
    """The key of a private key's line. Raises NoteKeyError if it is none, or one that signs something else."""
    parts = text.strip().removeprefix(_PRIVATE).split("+", maxsplit=2)
    if not text.startswith(_PRIVATE) or len(parts) != 3:
        raise NoteKeyError("is no private note key: one line that begins with PRIVATE+KEY+")
    name, key_hash, encoded = parts
    try:
        content = b64decode(encoded, validate=True)
    except ValueError:  # binascii.Error is one, and so is a sign beyond ASCII
        content = b""
    if b64encode(content).decode() != encoded:  # the decoder alone would also take padding that is not needed
        raise NoteKeyError("is a private note key whose last part is no base64")
    if len(content) != 1 + SEED_BYTES or content[0] not in set(NoteKind):
        raise NoteKeyError("is a private note key of another kind: an Ed25519 key is needed")
    if content[0] != kind:
        raise NoteKeyError(f"is a {NoteKind(content[0]).name.lower()}'s key, where a {kind.name.lower()}'s is needed")
    key = NoteKey(name, kind, Ed25519PrivateKey.from_private_bytes(content[1:]))
    if key.hash.hex() != key_hash:
        raise NoteKeyError(f"is a private note key whose hash is not {key.hash.hex()}: name and key do not belong together")
    return key


def is_note_key_name(text: str) -> bool:
    """Tell whether a text can be a key's name."""
    return 0 < len(text) <= NAME_CHARS_MAX and text.isprintable() and "+" not in text and not any(map(str.isspace, text))
