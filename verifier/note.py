"""Signed notes and the keys that verify them.

Goal: know which of the keys that were given signed a text.
Method: a note is its text, an empty line, and signature lines "— name base64(key hash, signature)". A signature belongs to a
key if name and hash are the key's. Kind 1 signs the text; kind 4, a witness, signs the text below a line with the time.
Refuses: a signature that belongs to a given key and is not its. Signatures of other keys are not looked at, and are named.
Source: c2sp.org/signed-note; for witnesses c2sp.org/tlog-cosignature; Ed25519 is RFC 8032.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from verifier.deviation import Deviation, DeviationCode
from verifier.strict import NotStrictError, from_base64, shown

LOG_KIND: Final = 1
WITNESS_KIND: Final = 4
KEY_HASH_BYTES: Final = 4
PUBLIC_KEY_BYTES: Final = 32
TIME_BYTES: Final = 8
TIME_MAX_UNIX_S: Final = 2**63 - 1
NOTE_BYTES_MAX: Final = 128 * 1024  # 16 signatures, which every reader must take, of 5 kB each: the largest there are today.
SIGNATURES_MAX: Final = 100  # NOTE_BYTES_MAX has room for a thousand; nobody asks a hundred witnesses.

_MARK: Final = "\N{EM DASH} "


class KeyTextError(ValueError):
    """A text is no verifier key of this kind; the message says why."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with a name, as `premia keys` prints it: name+hash+base64."""

    name: str
    kind: int
    key_hash: bytes
    public_key: bytes

    def __str__(self) -> str:
        """Name and hash: enough to tell keys apart."""
        return f"{self.name}+{self.key_hash.hex()}"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line."""

    name: str
    key_hash: bytes
    content: bytes

    @property
    def line(self) -> str:
        """As it stands in a note, with its newline."""
        return f"{_MARK}{self.name} {b64encode(self.key_hash + self.content).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text, which ends with a newline, and its signatures."""

    text: str
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class Signed:
    """A key that signed; `at_unix_s` is when a witness says that it did, in seconds since 1970."""

    key: VerifierKey
    at_unix_s: int | None


def read_verifier_key(text: str, kind: int) -> VerifierKey:
    """The key of a verifier key's text. Raises KeyTextError."""
    parts = text.strip().split("+", maxsplit=2)
    if len(parts) != 3 or not _is_name(parts[0]):
        raise KeyTextError("is no verifier key: name+hash+base64 is expected")
    name, hash_text, encoded = parts
    try:
        content = from_base64(encoded)
    except NotStrictError as error:
        raise KeyTextError(f"is no verifier key: its last part {error}") from error
    if len(content) != 1 + PUBLIC_KEY_BYTES or content[0] not in {LOG_KIND, WITNESS_KIND}:
        raise KeyTextError("is a verifier key of another kind: an Ed25519 key is expected")
    key_hash = _key_hash(name, content)
    if hash_text != key_hash.hex():
        raise KeyTextError(f"is a verifier key whose hash would be {key_hash.hex()}: it was not copied whole, or changed")
    if content[0] != kind:
        theirs = "a log's" if content[0] == LOG_KIND else "a witness's"
        raise KeyTextError(f"is {theirs} key, where the other kind is expected")
    return VerifierKey(name, kind, key_hash, content[1:])


def read_note(content: bytes, place: str) -> Note:
    """The parts of a note. Raises Deviation: NOTE_MALFORMED."""

    def refuse(message: str) -> Deviation:
        return Deviation(DeviationCode.NOTE_MALFORMED, place, message)

    if len(content) > NOTE_BYTES_MAX:
        raise refuse(f"has {len(content)} bytes, a note has at most {NOTE_BYTES_MAX}")
    try:
        whole = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise refuse(f"is not UTF-8 at byte {error.start}") from error
    if any(character < " " and character != "\n" for character in whole):
        raise refuse("holds a control character")
    text, separator, signatures = whole.rpartition("\n\n")
    if not separator or not text or not signatures.endswith("\n"):
        raise refuse("is no text followed by an empty line and signature lines")
    lines = signatures[:-1].split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise refuse(f"has {len(lines)} signatures, at most {SIGNATURES_MAX} are looked at")
    return Note(f"{text}\n", tuple(_read_signature(line, place) for line in lines))


def verified_signatures(note: Note, keys: Sequence[VerifierKey], place: str) -> list[Signed]:
    """Which of the keys signed, each once. Raises Deviation: SIGNATURE_WRONG if a signature that names a key is not its."""
    found: dict[VerifierKey, Signed] = {}
    for signature in note.signatures:
        for key in keys:
            if (key.name, key.key_hash) == (signature.name, signature.key_hash) and key not in found:
                found[key] = Signed(key, _verify(note.text, signature, key, place))
    return list(found.values())


def _verify(text: str, signature: Signature, key: VerifierKey, place: str) -> int | None:
    """Raises unless the key made the signature. Returns a witness's time."""
    at_unix_s = None
    signed, content = text.encode(), signature.content
    if key.kind == WITNESS_KIND:
        at_unix_s = int.from_bytes(content[:TIME_BYTES], "big")
        signed, content = f"cosignature/v1\ntime {at_unix_s}\n{text}".encode(), content[TIME_BYTES:]
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(content, signed)
    except (InvalidSignature, ValueError) as error:
        raise Deviation(
            DeviationCode.SIGNATURE_WRONG, place, f"the signature that names key {key} was not made by it"
        ) from error
    if at_unix_s is not None and not 0 < at_unix_s <= TIME_MAX_UNIX_S:
        raise Deviation(DeviationCode.SIGNATURE_WRONG, place, f"the cosignature of {key} has no time")
    return at_unix_s


def _read_signature(line: str, place: str) -> Signature:
    name, _, encoded = line.removeprefix(_MARK).partition(" ")
    if not line.startswith(_MARK) or not _is_name(name):
        raise Deviation(DeviationCode.NOTE_MALFORMED, place, f"has a signature line of another form: {shown(line)}")
    try:
        content = from_base64(encoded)
    except NotStrictError as error:
        raise Deviation(DeviationCode.NOTE_MALFORMED, place, f"the signature of {shown(name)} {error}") from error
    if len(content) <= KEY_HASH_BYTES:
        raise Deviation(DeviationCode.NOTE_MALFORMED, place, f"the signature of {shown(name)} is too short")
    return Signature(name, content[:KEY_HASH_BYTES], content[KEY_HASH_BYTES:])


def _is_name(text: str) -> bool:
    return text != "" and "+" not in text and not any(map(str.isspace, text))


def _key_hash(name: str, kind_and_key: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + kind_and_key).digest()[:KEY_HASH_BYTES]
