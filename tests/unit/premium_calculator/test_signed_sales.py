"""Which sales need a signature, and where its check stands among the others."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.base64url import base64url
from schemas.canonical_json import canonical_json
from schemas.registry import Organization
from schemas.registry_snapshot import registry_snapshot
from schemas.sale_signature import signature_of
from services.premium_calculator.adapters.calculating_registry import calculating_registry
from services.premium_calculator.adapters.sale_decision import Calculated, SaleRecord, decide
from services.premium_calculator.domain.registry import Registry
from tests.unit.premium_calculator.programme import encoded, sale, snapshot
from tests.unit.premium_calculator.test_sale_decision import HEADERS, record

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SUCCESSOR = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


def demanding(**fields: Any) -> Registry:
    """The programme, whose refiner demands signatures and has one key."""
    base = snapshot()
    key = {
        "key_id": "key-1",
        "public_key": base64url(PRIVATE.public_key().public_bytes_raw()),
        "from": "2025-03-21",
        "to": "2025-04-01",
    }
    refiner = base.organizations["REF"].model_dump() | {"signature_required": True, "signing_keys": [key]} | fields
    organizations = {**base.organizations, "REF": Organization.model_validate(refiner)}
    return calculating_registry(registry_snapshot(None, organizations, base.schemes))


def signed(fields: dict[str, Any], **headers: bytes | None) -> SaleRecord:
    signature = signature_of(canonical_json(fields), PRIVATE, "key-1").encode()
    return record(fields, **({"ce_signature": signature} | headers))


def refused(sent: SaleRecord, registry: Registry) -> tuple[str, str]:
    decision = decide(sent, registry)
    assert not isinstance(decision, Calculated)
    return decision.code.value, decision.field


def test_a_signed_sale_of_a_refiner_that_demands_signatures_is_calculated() -> None:
    # HEADERS were published on 21 March in UTC, the key's first day.
    assert isinstance(decide(signed(sale()), demanding()), Calculated)


def test_json_that_a_relay_wrote_anew_keeps_its_signature() -> None:
    fields = sale()
    again = orjson.dumps(dict(reversed(fields.items())), option=orjson.OPT_INDENT_2)
    assert isinstance(decide(SaleRecord(b"REF/LOT-1", again, signed(fields).headers), demanding()), Calculated)


@pytest.mark.parametrize("forged", [None, b"nonsense", b"eyJhbGciOiJub25lIn0.."])
def test_an_unsigned_or_wrongly_signed_one_is_rejected(forged: bytes | None) -> None:
    assert refused(signed(sale(), ce_signature=forged), demanding()) == ("SIGNATURE_INVALID", "ce_signature")


@pytest.mark.parametrize(
    "changes", [{"melt_weight": {"value": "2450.61", "unit": "GRM"}}, {"sequence": 8}, {"refiner_reference": "x"}]
)
def test_no_field_can_be_changed_after_signing(changes: dict[str, Any]) -> None:
    tampered = SaleRecord(b"REF/LOT-1", encoded(sale(**changes)), signed(sale()).headers)
    assert refused(tampered, demanding()) == ("SIGNATURE_INVALID", "ce_signature")


@pytest.mark.parametrize("published_at", [b"2025-03-20T23:59:59Z", b"2025-04-01T00:00:00Z", b"2025-03-31T23:00:00-02:00"])
def test_a_key_counts_on_its_days_only(published_at: bytes) -> None:
    assert refused(signed(sale(), ce_time=published_at), demanding()) == ("SIGNATURE_INVALID", "ce_signature")


def test_one_key_follows_another_without_a_gap() -> None:
    """The new one begins before the old one ends: a key counts at every moment, in between either, afterwards the new one."""
    old, new = key_of("old", PRIVATE, "2025-01-01", "2025-03-21"), key_of("new", SUCCESSOR, "2025-03-19", None)
    registry = demanding(signing_keys=[old, new])
    days = ["2025-03-18", "2025-03-19", "2025-03-20", "2025-03-21"]
    counts = {
        name: [counts_on(day, name, private, registry) for day in days]
        for name, private in (("old", PRIVATE), ("new", SUCCESSOR))
    }
    assert counts == {"old": [True, True, True, False], "new": [False, True, True, True]}
    assert not counts_on("2025-03-20", "new", PRIVATE, registry), "a name alone is no key"


def key_of(key_id: str, private: Ed25519PrivateKey, starts_on: str, ends_before: str | None) -> dict[str, Any]:
    public_key = base64url(private.public_key().public_bytes_raw())
    return {"key_id": key_id, "public_key": public_key, "from": starts_on, "to": ends_before}


def counts_on(day: str, key_id: str, private: Ed25519PrivateKey, registry: Registry) -> bool:
    fields = sale()
    signature = signature_of(canonical_json(fields), private, key_id).encode()
    sent = record(fields, ce_signature=signature, ce_time=f"{day}T12:00:00Z".encode())
    return isinstance(decide(sent, registry), Calculated)


def test_form_comes_before_the_signature_and_everything_else_after_it() -> None:
    registry = demanding()
    assert refused(record(sale(melt_weight=1)), registry) == ("SCHEMA_INVALID", "melt_weight")
    twice = SaleRecord(b"REF/LOT-1", encoded(sale()), [*signed(sale()).headers, ("ce_signature", b"x")])
    assert refused(twice, registry) == ("SCHEMA_INVALID", "ce_signature")
    not_canonical = sale() | {"extra": 1.5}
    assert refused(record(not_canonical), registry) == ("SCHEMA_INVALID", "extra")
    late = sale(sold_on="2030-01-01", payer_id="NOBODY")
    assert refused(record(late), registry)[0] == "SIGNATURE_INVALID"
    assert refused(signed(late), registry)[0] == "FUTURE_DATED"


def test_who_demands_nothing_may_send_anything_and_an_unknown_refiner_is_told_so() -> None:
    assert isinstance(decide(record(ce_signature=b"nonsense"), demanding(signature_required=False)), Calculated)
    unknown = sale(refiner_id="REF-2")
    sent = SaleRecord(b"REF-2/LOT-1", encoded(unknown), list((HEADERS | {"ce_source": b"/refiners/REF-2"}).items()))
    assert refused(sent, demanding()) == ("UNKNOWN_ORGANIZATION", "refiner_id")
    assert refused(record(), demanding(signing_keys=[])) == ("SIGNATURE_INVALID", "ce_signature")
