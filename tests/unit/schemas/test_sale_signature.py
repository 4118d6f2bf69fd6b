"""Signatures of sales: what a key's holder signed is taken, and nothing that only looks like it."""

from __future__ import annotations

from datetime import date
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.base64url import base64url, from_base64url
from schemas.contract import first_fault
from schemas.registry import Organization
from schemas.sale_signature import signature_fault, signature_of
from schemas.verifying_key import VerifyingKey

DAY = date(2025, 3, 14)
SALE = b'{"lot_id":"LOT-1"}'
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = PRIVATE.public_key().public_bytes_raw()
KEY = VerifyingKey("key-1", PUBLIC, date(2025, 1, 1), None)
SIGNED = signature_of(SALE, PRIVATE, "key-1")
ORGANIZATION: dict[str, Any] = {"id": "REF", "name": "Refiner", "country": "CH", "kind": "refiner"}


def jws(header: object, *, payload: bytes = SALE, private: Ed25519PrivateKey = PRIVATE) -> str:
    """A detached JWS with any protected header, rightly signed."""
    protected = base64url(header if isinstance(header, bytes) else orjson.dumps(header))
    return f"{protected}..{base64url(private.sign(f'{protected}.{base64url(payload)}'.encode()))}"


def test_the_example_of_rfc_8037_has_the_signature_that_the_rfc_prints() -> None:
    # Appendix A.4. Its header has no key id, so ours would not take it; the signing input is made the same way.
    private = Ed25519PrivateKey.from_private_bytes(from_base64url("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A") or b"")
    signed = jws(b'{"alg":"EdDSA"}', payload=b"Example of Ed25519 signing", private=private)
    assert signed == (
        "eyJhbGciOiJFZERTQSJ9..hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )


def test_what_the_keys_holder_signed_is_taken() -> None:
    assert signature_fault(SIGNED, SALE, [KEY], DAY) is None


@pytest.mark.parametrize(
    ("sale", "keys", "day", "reason"),
    [
        (SALE + b" ", [KEY], DAY, "is not key key-1's over this sale"),
        (SALE, [VerifyingKey("key-1", bytes(32), DAY, None)], DAY, "is not key key-1's"),
        (SALE, [VerifyingKey("key-2", PUBLIC, DAY, None)], DAY, "the registry does not have"),
        (SALE, [], DAY, "the registry does not have"),
        (SALE, [KEY], date(2024, 12, 31), "not in force on 2024-12-31"),
        (SALE, [VerifyingKey("key-1", PUBLIC, date(2025, 1, 1), DAY)], DAY, "not in force on 2025-03-14"),
    ],
)
def test_another_sale_key_or_day_is_refused(sale: bytes, keys: list[VerifyingKey], day: date, reason: str) -> None:
    assert reason in (signature_fault(SIGNED, sale, keys, day) or "")


def test_one_key_follows_another_without_a_gap() -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    second = VerifyingKey("key-2", other.public_key().public_bytes_raw(), date(2025, 3, 10), None)
    first = VerifyingKey("key-1", PUBLIC, date(2025, 1, 1), date(2025, 3, 20))
    both = [(SIGNED, "key-1"), (signature_of(SALE, other, "key-2"), "key-2")]
    in_force = {
        day: [name for signature, name in both if signature_fault(signature, SALE, [first, second], date(2025, 3, day)) is None]
        for day in (9, 10, 19, 20)
    }
    assert in_force == {9: ["key-1"], 10: ["key-1", "key-2"], 19: ["key-1", "key-2"], 20: ["key-2"]}


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "kid": "key-1"},
        {"alg": "HS256", "kid": "key-1"},
        {"alg": "ES256", "kid": "key-1"},
        {"alg": "eddsa", "kid": "key-1"},
        {"alg": ["EdDSA"], "kid": "key-1"},
        {"alg": "EdDSA"},
        {"alg": "EdDSA", "kid": 1},
        {"alg": "EdDSA", "kid": "key-1\n"},
        {"alg": "EdDSA", "kid": "key-1", "crit": ["b64"], "b64": False},
        {"alg": "EdDSA", "kid": "key-1", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": base64url(PUBLIC)}},
        ["EdDSA", "key-1"],
        "EdDSA",
        b"not JSON",
        b'{"alg":"EdDSA","kid":"' + b"k" * 600 + b'"}',
    ],
)
def test_any_other_protected_header_is_refused_though_the_signature_over_it_is_right(header: object) -> None:
    assert "must have the protected header" in (signature_fault(jws(header), SALE, [KEY], DAY) or "")


def test_the_public_key_is_never_taken_for_the_secret_of_another_algorithm() -> None:
    import hashlib
    import hmac

    protected = base64url(b'{"alg":"HS256","kid":"key-1"}')
    forged = hmac.new(PUBLIC, f"{protected}.{base64url(SALE)}".encode(), hashlib.sha256).digest()
    assert signature_fault(f"{protected}..{base64url(forged)}", SALE, [KEY], DAY) is not None


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "..",
        SIGNED.replace("..", f".{base64url(SALE)}."),  # the payload attached
        SIGNED.replace("..", "."),
        SIGNED + ".",
        SIGNED + "=",
        SIGNED[:-1],
        SIGNED + "A",
        SIGNED.replace("..", "=..", 1),
        " " + SIGNED,
        SIGNED[:-1] + chr(ord(SIGNED[-1]) + 1),  # other spare bits: the same 64 bytes, written differently
    ],
)
def test_any_other_form_is_refused(signature: str | None) -> None:
    assert signature_fault(signature, SALE, [KEY], DAY) is not None


def test_the_malleable_twin_of_a_signature_is_refused() -> None:
    protected, _, sent = SIGNED.partition("..")
    raw = from_base64url(sent) or b""
    order = 2**252 + 27742317777372353535851937790883648493
    twin = raw[:32] + (int.from_bytes(raw[32:], "little") + order).to_bytes(32, "little")
    assert signature_fault(f"{protected}..{base64url(twin)}", SALE, [KEY], DAY) is not None


@given(st.text(max_size=300))
def test_no_text_at_all_makes_it_raise(text: str) -> None:
    assert signature_fault(text, SALE, [KEY], DAY) is not None
    assert signature_fault(f"{text}..{text}", SALE, [KEY], DAY) is not None


@given(st.binary(max_size=80))
def test_base64url_there_and_back(content: bytes) -> None:
    assert from_base64url(base64url(content)) == (content or None)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"signing_keys": [{"key_id": "a b", "public_key": base64url(PUBLIC), "from": "2025-01-01"}]}, "signing_keys.0.key_id"),
        ({"signing_keys": [{"key_id": "a", "public_key": "short", "from": "2025-01-01"}]}, "signing_keys.0.public_key"),
        (
            {"signing_keys": [{"key_id": "a", "public_key": base64url(PUBLIC)[:-1] + "9", "from": "2025-01-01"}]},
            "signing_keys.0.public_key",
        ),
        ({"kind": "producer", "signature_required": True}, "signature_required"),
        (
            {"kind": "producer", "signing_keys": [{"key_id": "a", "public_key": base64url(PUBLIC), "from": "2025-01-01"}]},
            "signing_keys",
        ),
        (
            {"signing_keys": [{"key_id": "a", "public_key": base64url(PUBLIC), "from": "2025-01-01"}] * 2},
            "signing_keys.1.key_id",
        ),
    ],
)
def test_a_registry_with_keys_that_cannot_be_is_refused_by_field(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Organization.model_validate(ORGANIZATION | fields)
    assert first_fault(refused.value).field == field
