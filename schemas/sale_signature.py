"""Signatures of sales: a detached JWS with Ed25519.

Goal: whoever writes gold.sales.v1 directly cannot speak for a refiner that demands signatures.
Method: header `ce_signature` holds a compact JWS with the payload removed (RFC 7515, appendix F): BASE64URL(protected header),
two dots, BASE64URL(signature). The protected header is {"alg":"EdDSA","kid":KEY-ID} (RFC 8037), the payload the canonical JSON
(RFC 8785) of the sale, so that a relay may write the JSON anew. Keys are 32 raw bytes in base64url; a day decides which are in
force, several at once where one follows another.
Refuses: every other algorithm, before a key is looked up; any other member of the protected header, because a header that
brings its own key or asks for other rules (jwk, crit, b64) is how such checks are fooled; base64url that is not canonical.
Limits: the signature covers what is sold, not when it was published. Who finds a key stolen takes it out of the registry, or
its holder could sign with an earlier ce_time; an end date is for keys that merely retire.
Source: RFC 7515, RFC 8032, RFC 8037; test vector: RFC 8037, appendix A.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from schemas.base64url import base64url, from_base64url
from schemas.verifying_key import VerifyingKey, is_key_id

SIGNATURE_EXTENSION: Final = "signature"  # of CloudEvents, so header ce_signature
SIGNATURE_FIELD: Final = f"ce_{SIGNATURE_EXTENSION}"
ALGORITHM: Final = "EdDSA"
SIGNATURE_BYTES: Final = 64
# A key's id of 64 characters makes a header of 130; CloudEvents attributes of ours have at most 1,024.
PROTECTED_CHARS_MAX: Final = 512
KEYS_CACHED_MAX: Final = 1_024  # a programme has a handful of refiners with two keys each.

_MEMBERS: Final = frozenset({"alg", "kid"})


def signature_of(canonical_sale: bytes, private_key: Ed25519PrivateKey, key_id: str) -> str:
    """Sign the canonical JSON of a sale; the value of `ce_signature`."""
    if not is_key_id(key_id):
        raise ValueError(f"{key_id!r} cannot be the id of a key")
    protected = base64url(orjson.dumps({"alg": ALGORITHM, "kid": key_id}))
    return f"{protected}..{base64url(private_key.sign(_signing_input(protected, canonical_sale)))}"


def signature_fault(signature: str | None, canonical_sale: bytes, keys: Sequence[VerifyingKey], day: date) -> str | None:
    """What is wrong with the signature of a sale that was published on a day, or None. Never raises."""
    if signature is None:
        return "is missing, and this refiner's sales must be signed: see `premia publish --key`"
    read = _read(signature)
    if isinstance(read, str):
        return read
    key = next((key for key in keys if key.key_id == read.key_id), None)
    if key is None:
        return f"is by key {read.key_id}, which the registry does not have for this refiner"
    if not key.in_force(day):
        return f"is by key {key.key_id}, which is not in force on {day}, the UTC day of ce_time"
    try:
        _public_key(key.public_key).verify(read.content, _signing_input(read.protected, canonical_sale))
    except InvalidSignature:
        return f"is not key {key.key_id}'s over this sale: sign the canonical JSON (RFC 8785) of the value as it is sent"
    return None


@dataclass(frozen=True, slots=True)
class _Signature:
    """A signature in a form that can be verified: the protected header as sent, the key that it names, 64 bytes."""

    protected: str
    key_id: str
    content: bytes


def _read(signature: str) -> _Signature | str:
    """A signature, or what is wrong with its form."""
    protected, _, rest = signature.partition(".")
    payload, dot, sent = rest.partition(".")
    if payload or not dot or "." in sent:
        return "must be a compact JWS without payload (RFC 7515, appendix F): header, two dots, signature"
    key_id = _key_id(protected)
    if key_id is None:
        return f'must have the protected header {{"alg":"{ALGORITHM}","kid":KEY-ID}} and nothing else in it'
    content = from_base64url(sent)
    if content is None or len(content) != SIGNATURE_BYTES:
        return f"must end with {SIGNATURE_BYTES} bytes in base64url without padding"
    return _Signature(protected, key_id, content)


def _key_id(protected: str) -> str | None:
    header = from_base64url(protected) if len(protected) <= PROTECTED_CHARS_MAX else None
    if header is None:
        return None
    try:
        members = orjson.loads(header)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(members, dict) or members.keys() != _MEMBERS or members["alg"] != ALGORITHM:
        return None
    key_id = members["kid"]
    return key_id if isinstance(key_id, str) and is_key_id(key_id) else None


def _signing_input(protected: str, canonical_sale: bytes) -> bytes:
    return f"{protected}.{base64url(canonical_sale)}".encode()


@lru_cache(maxsize=KEYS_CACHED_MAX)
def _public_key(raw: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(raw)
