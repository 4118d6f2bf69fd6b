"""How long a calculation takes: `python -m benchmarks.engine`.

Goal: the targets of the engine (60 µs for a lot of one source, 25 µs for each further one), and what stands around it in
the worker, on the machine at hand.
Method: the best of several runs of the same sale, so that other load on the machine counts little. The engine's time is
from the valid message to entitlement and explanation data; reading, checking and writing bytes are told beside it.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from timeit import repeat
from typing import Any, Final

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.base64url import base64url
from schemas.canonical_json import canonical_json
from schemas.cloudevents import CloudEventAttributes, from_headers
from schemas.gold_sale import ParsedSale, parse_sale
from schemas.registry import Organization
from schemas.registry_snapshot import registry_snapshot
from schemas.sale_signature import SIGNATURE_FIELD, signature_of
from schemas.scheme import Scheme
from services.premium_calculator.adapters.calculating_registry import calculating_registry
from services.premium_calculator.adapters.sale_decision import Calculated, SaleRecord, decide
from services.premium_calculator.adapters.sale_message import calculating_sale
from services.premium_calculator.domain.calculate import Entitlement, calculate
from services.premium_calculator.domain.registry import Registry

SINGLE_SOURCE_US_MAX: Final = 60.0
FURTHER_SOURCE_US_MAX: Final = 25.0
RUNS: Final = 7
CALLS: Final = 2_000
SOURCES: Final = 50
DAY: Final = date(2025, 3, 20)
KEY_ID: Final = "bench-1"


def main() -> None:
    """Print the table; exit code 1 if a target is missed."""
    registry = _registry()
    single, many = _parsed(1), _parsed(SOURCES)
    one_us = _engine_us(single, registry)
    further_us = (_engine_us(many, registry) - one_us) / (SOURCES - 1)
    value = orjson.dumps(dict(single.sent))
    headers = CloudEventAttributes(
        id="event-1", source="/refiners/REF", type="gold.sales.v1", time=datetime(2025, 3, 20, tzinfo=UTC)
    ).to_headers()
    record = SaleRecord(b"REF/LOT-1", value, headers)
    assert isinstance(decide(record, registry), Calculated)
    key = Ed25519PrivateKey.generate()
    demanding = _registry(base64url(key.public_key().public_bytes_raw()))
    canonical_sale = canonical_json(single.sent)
    signature = signature_of(canonical_sale, key, KEY_ID)
    signed = SaleRecord(record.key, value, [*headers, (SIGNATURE_FIELD, signature.encode())])
    assert isinstance(decide(signed, demanding), Calculated)
    public_key, bytes_signed = key.public_key(), key.sign(canonical_sale)
    rows = [
        ("engine, lot of one source", one_us, SINGLE_SOURCE_US_MAX),
        (f"engine, each further source (of {SOURCES})", further_us, FURTHER_SOURCE_US_MAX),
        ("headers", _best_us(lambda: from_headers(headers)), None),
        ("bytes to checked sale and its hash", _best_us(lambda: parse_sale(value)), None),
        ("whole decision: record to entitlement bytes", _best_us(lambda: decide(record, registry)), None),
        ("whole decision of a signed sale", _best_us(lambda: decide(signed, demanding)), None),
        ("Ed25519 alone, over the same bytes", _best_us(lambda: public_key.verify(bytes_signed, canonical_sale)), None),
    ]
    print(f"Python {platform.python_version()}, {platform.machine()}, best of {RUNS} x {CALLS} calls")
    for name, microseconds, target in rows:
        print(f"{name:45} {microseconds:8.1f} µs" + (f"   target {target:.0f} µs" if target else ""))
    if any(target is not None and microseconds > target for _, microseconds, target in rows):
        sys.exit(1)


def _engine_us(parsed: ParsedSale, registry: Registry) -> float:
    assert isinstance(calculate(calculating_sale(parsed.sale), registry, DAY), Entitlement)
    return _best_us(lambda: calculate(calculating_sale(parsed.sale), registry, DAY))


def _best_us(call: Callable[[], object]) -> float:
    return min(repeat(call, number=CALLS, repeat=RUNS)) / CALLS * 1e6


def _parsed(sources: int) -> ParsedSale:
    weight = {"value": "245.06", "unit": "GRM"}
    sale: dict[str, Any] = {
        "refiner_id": "REF",
        "lot_id": "LOT-1",
        "revision": 2,
        "sequence": 4182,
        "stage": "final",
        "exporter_id": "EXP",
        "payer_id": "PAY",
        "sold_on": "2025-03-14",
        "melt_weight": {"value": f"{24506 * sources / 100:.2f}", "unit": "GRM"},
        "assays": [
            {"party": "seller", "fineness_permille": "873.5"},
            {"party": "buyer", "fineness_permille": "873.1"},
        ],
        "sources": [{"organization_id": f"ORG-PE-{row:03d}", "melt_weight": weight} for row in range(sources)],
        "schemes": ["sbg"],
        "documents": [{"kind": "export_declaration", "number": "118-2025-40-012345", "issuer": "SUNAT"}],
    }
    parsed = parse_sale(orjson.dumps(sale))
    assert isinstance(parsed, ParsedSale), parsed
    return parsed


def _registry(public_key: str | None = None) -> Registry:
    """All that the sales name; with a key, the refiner demands signatures by it."""
    kinds = {"REF": "refiner", "EXP": "exporter", "PAY": "payer"}
    statuses = [{"scheme": "sbg", "status": "step_2", "from": "2021-01-01"}]
    kinds |= {f"ORG-PE-{row:03d}": "producer" for row in range(SOURCES)}
    organizations = {
        id_: Organization.model_validate(
            {"id": id_, "name": id_, "country": "PE", "kind": kind} | {"statuses": statuses if kind == "producer" else []}
        )
        for id_, kind in kinds.items()
    }
    if public_key is not None:
        signing_key = {"key_id": KEY_ID, "public_key": public_key, "from": "2021-01-01"}
        refiner = organizations["REF"].model_dump(by_alias=True) | {"signature_required": True, "signing_keys": [signing_key]}
        organizations["REF"] = Organization.model_validate(refiner)
    scheme = Scheme.model_validate(
        {
            "id": "sbg",
            "version": "2019-07",
            "valid": {"from": "2019-07-01"},
            "currency": "USD",
            "rate": {"kind": "per_mass", "amount": "0.70", "unit": "GRM"},
            "eligible_statuses": ["step_2", "step_3"],
            "provisional_share": "0.90",
            "split": {"producer": "1"},
            "citations": ["https://example.org/terms"],
            "verified": "assumed",
        }
    )
    return calculating_registry(registry_snapshot(None, organizations, {scheme.record_id: scheme}))


if __name__ == "__main__":
    main()
