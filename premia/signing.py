"""A refiner's private key, in a file of its own.

Goal: a key is made and used without ever being seen on a screen or in a list of processes.
Method: Ed25519 in PEM (PKCS #8), unencrypted, in a file that only its owner may read.
Refuses: to write over a file; a file that is no such key, or that others may read.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from schemas.base64url import base64url
from schemas.sale_signature import signature_of

MODE: Final = 0o600
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
KEY_FILE_BYTES_MAX: Final = 16 * 1024  # an Ed25519 key takes 119 bytes; other kinds are told by name.


class KeyFileError(Exception):
    """A key file cannot be written or used; the text is one line with its name."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs sales with one key."""

    key: Ed25519PrivateKey
    key_id: str

    def sign(self, canonical_sale: bytes) -> str:
        """The value of `ce_signature`."""
        return signature_of(canonical_sale, self.key, self.key_id)


def write_new_key(file: Path) -> str:
    """Make a key, write it to a new file, and return its public part as the registry has it. Raises KeyFileError."""
    key = Ed25519PrivateKey.generate()
    content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
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
    return base64url(key.public_key().public_bytes_raw())


def read_key(file: Path) -> Ed25519PrivateKey:
    """The private key of a file. Raises KeyFileError."""
    try:
        with file.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            content = stream.read(KEY_FILE_BYTES_MAX)
    except OSError as error:
        raise KeyFileError(f"{file}: cannot be read: {error.strerror}") from error
    if mode & OTHERS:
        raise KeyFileError(f"{file}: others may read it: `chmod 600 {file}`, and think of a new key")
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"{file}: is no unencrypted private key in PEM (PKCS #8)") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{file}: is a private key of another kind: an Ed25519 key is needed, see `premia keys new`")
    return key
