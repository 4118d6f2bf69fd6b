"""A small programme and its sales, for the tests of the calculation. Everything is synthetic."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import date
from functools import cache
from typing import Any

from schemas.registry import Organization
from schemas.registry_snapshot import RegistrySnapshot, registry_snapshot
from schemas.scheme import Scheme
from services.premium_calculator.adapters.calculating_registry import calculating_registry
from services.premium_calculator.adapters.sale_decision import preview
from services.premium_calculator.domain.calculate import Rejection
from services.premium_calculator.domain.registry import Registry

PUBLISHED_ON = date(2025, 3, 20)

_ALL = ("gram", "kilo", "share", "fund", "peso", "dinar", "strict")

PRODUCERS: dict[str, dict[str, Any]] = {
    "ORG-A": {"community_fund_id": "FUND-1", "statuses": [(scheme, "in", "2015-01-01", None) for scheme in _ALL]},
    "ORG-B": {"community_fund_id": "FUND-1", "statuses": [(scheme, "in", "2015-01-01", None) for scheme in _ALL]},
    "ORG-C": {"community_fund_id": "FUND-2", "statuses": [(scheme, "in", "2015-01-01", None) for scheme in _ALL]},
    "ORG-D": {"community_fund_id": "FUND-2", "statuses": [("gram", "out", "2015-01-01", None)]},
    "ORG-E": {
        "community_fund_id": "FUND-GONE",
        "statuses": [("gram", "in", "2015-01-01", "2025-01-01"), ("fund", "in", "2015-01-01", None)],
    },
    "ORG-Ñ": {"community_fund_id": None, "statuses": [("gram", "in", "2015-01-01", None)]},
}

OTHERS = {
    "REF": "refiner",
    "EXP": "exporter",
    "PAY": "payer",
    "FUND-1": "community_fund",
    "FUND-2": "community_fund",
}

SCHEMES: list[dict[str, Any]] = [
    {"id": "gram", "rate": {"kind": "per_mass", "amount": "0.70", "unit": "GRM"}, "provisional_share": "0.90"},
    {
        "id": "kilo",
        "rate": {"kind": "per_mass", "amount": "4000", "unit": "KGM"},
        "floor": {"min_share_of_benchmark": "0.95"},
        "provisional_share": "0.90",
    },
    {
        "id": "share",
        "rate": {"kind": "percent_of_benchmark", "percent": "15"},
        "floor": {"min_share_of_benchmark": "0.95"},
        "provisional_share": "0.85",
    },
    {
        "id": "fund",
        "rate": {"kind": "per_mass", "amount": "31.25", "unit": "APZ"},
        "split": {"producer": "0.7", "community_fund": "0.3"},
        "provisional_share": "0.333333333333",
    },
    {
        "id": "peso",
        "currency": "CLP",
        "rate": {"kind": "per_mass", "amount": "650", "unit": "GRM"},
        "provisional_share": "1",
    },
    {
        "id": "dinar",
        "currency": "KWD",
        "rate": {"kind": "per_mass", "amount": "0.215", "unit": "GRM"},
        "provisional_share": "0",
    },
    {
        "id": "strict",
        "rate": {"kind": "per_mass", "amount": "1", "unit": "GRM"},
        "provisional_share": "0.90",
        "splitting_limit_permille": "0.3",
        "fine_weight_tolerance_g": "0.01",
        "source_mass_tolerance_g": "0",
        "valid": {"from": "2020-01-01", "to": "2026-01-01"},
    },
]


def scheme(**fields: Any) -> Scheme:
    defaults: dict[str, Any] = {
        "id": "gram",
        "version": "1",
        "valid": {"from": "2010-01-01"},
        "currency": "USD",
        "rate": {"kind": "per_mass", "amount": "0.70", "unit": "GRM"},
        "eligible_statuses": ["in"],
        "provisional_share": "0.90",
        "split": {"producer": "1"},
        "citations": ["https://example.org/terms"],
        "verified": "assumed",
    }
    return Scheme.model_validate(defaults | fields)


def snapshot() -> RegistrySnapshot:
    organizations = {
        id_: Organization.model_validate({"id": id_, "name": id_, "country": "PE", "kind": kind})
        for id_, kind in OTHERS.items()
    }
    for id_, producer in PRODUCERS.items():
        statuses = [
            {"scheme": scheme_id, "status": status, "from": start, "to": end}
            for scheme_id, status, start, end in producer["statuses"]
        ]
        organizations[id_] = Organization.model_validate(
            {"id": id_, "name": id_, "country": "PE", "kind": "producer", "statuses": statuses}
            | {"community_fund_id": producer["community_fund_id"]}
        )
    schemes = {found.record_id: found for found in (scheme(**fields) for fields in SCHEMES)}
    return registry_snapshot(None, organizations, schemes)


@cache
def registry() -> Registry:
    return calculating_registry(snapshot())


def grams(value: str) -> dict[str, str]:
    return {"value": value, "unit": "GRM"}


_SALE: dict[str, Any] = {
    "refiner_id": "REF",
    "lot_id": "LOT-1",
    "revision": 1,
    "sequence": 7,
    "stage": "final",
    "exporter_id": "EXP",
    "payer_id": "PAY",
    "sold_on": "2025-03-14",
    "melt_weight": grams("2450.60"),
    "assays": [{"party": "agreed", "fineness_permille": "871.8"}],
    "sources": [{"organization_id": "ORG-A", "melt_weight": grams("2450.60")}],
    "schemes": ["gram"],
}

USD_BENCHMARK = {"price": "2650.00", "currency": "USD", "per": "APZ", "fixing": "LBMA-PM", "on": "2025-03-14"}


def sale(**fields: Any) -> dict[str, Any]:
    """A valid sale with some fields replaced; None leaves a field out."""
    merged = deepcopy(_SALE) | fields
    return {name: value for name, value in merged.items() if value is not None}


def assays(**permille: str) -> list[dict[str, str]]:
    return [{"party": party, "fineness_permille": fineness} for party, fineness in permille.items()]


def sources(*rows: tuple[str, str]) -> list[dict[str, Any]]:
    return [{"organization_id": id_, "melt_weight": grams(value)} for id_, value in rows]


def calculated(fields: dict[str, Any], published_on: date = PUBLISHED_ON, used: Registry | None = None) -> dict[str, Any]:
    """The entitlement of a sale that is expected to be valid, under the programme's registry or another."""
    result = preview(encoded(fields), used or registry(), published_on)
    assert not isinstance(result, Rejection), result
    entitlement: dict[str, Any] = json.loads(result)
    return entitlement


def rejected(fields: object, published_on: date = PUBLISHED_ON) -> tuple[str, str]:
    """Code and field of a sale that is expected to be rejected."""
    result = preview(encoded(fields), registry(), published_on)
    assert isinstance(result, Rejection), result
    assert result.message
    return result.code.value, result.field


def encoded(fields: object) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode()
