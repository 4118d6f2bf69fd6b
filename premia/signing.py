"""A refiner's private key, in a file of its own.

Method: Ed25519 in PEM (PKCS #8), unencrypted.
Refuses: a file that holds no such key.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from schemas.base64url import base64url
from schemas.sale_signature import signature_of
from services.runtime.key_file import KeyFileError, read_key_file, write_key_file


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
    write_key_file(file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return base64url(key.public_key().public_bytes_raw())


def read_key(file: Path) -> Ed25519PrivateKey:
    """The private key of a file. Raises KeyFileError."""
    content = read_key_file(file)
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"{file}: is no unencrypted private key in PEM (PKCS #8)") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{file}: is a private key of another kind: an Ed25519 key is needed, see `premia keys new`")
    return key
