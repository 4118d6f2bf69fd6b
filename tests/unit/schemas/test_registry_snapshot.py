"""The registry's version: a new one exactly when the calculation could come out otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.registry import Organization
from schemas.registry_snapshot import registry_version
from schemas.scheme import Scheme
from tests.unit.premium_calculator.programme import scheme

STATUSES = [
    {"scheme": "gram", "status": "in", "from": "2019-01-01", "to": "2020-01-01"},
    {"scheme": "gram", "status": "out", "from": "2020-01-01"},
]
ORGANIZATION: dict[str, Any] = {
    "id": "ORG-1",
    "name": "Name",
    "country": "PE",
    "kind": "producer",
    "community_fund_id": "FUND",
    "statuses": STATUSES,
}


def version(organization: dict[str, Any], *schemes: Scheme) -> str:
    found = Organization.model_validate(organization)
    return registry_version({found.id: found}, {entry.record_id: entry for entry in schemes or (scheme(),)})


BASE = version(ORGANIZATION)


def test_version_of_a_registry_never_changes() -> None:
    # Written down: entitlements of years name the version they were calculated with.
    assert BASE == "sha256:063d3a3f0891e59337094e3442c109f496e2663d1df74b59fbc65933b7f2a4ec"


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Other"},
        {"country": "BO"},
        {"language": "es"},
        {"beneficiaries": 3},
        {"annual_capacity": {"value": "1", "unit": "KGM"}},
        {"support_periods": [{"from": "2019-01-01"}]},
        {"statuses": STATUSES[::-1]},
    ],
)
def test_what_the_calculation_does_not_read_is_no_new_version(changes: dict[str, Any]) -> None:
    assert version(ORGANIZATION | changes) == BASE


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "ORG-2"},
        {"kind": "payer"},
        {"community_fund_id": "OTHER"},
        {"community_fund_id": None},
        {"statuses": STATUSES[:1]},
        {"statuses": [STATUSES[0], STATUSES[1] | {"status": "in"}]},
        {"statuses": [STATUSES[0], STATUSES[1] | {"to": "2030-01-01"}]},
    ],
)
def test_what_the_calculation_reads_of_an_organization_is_a_new_version(changes: dict[str, Any]) -> None:
    assert version(ORGANIZATION | changes) != BASE


@pytest.mark.parametrize(
    "changes",
    [
        {"version": "2"},
        {"valid": {"from": "2010-01-02"}},
        {"currency": "EUR"},
        {"rate": {"kind": "per_mass", "amount": "0.700", "unit": "GRM"}},
        {"floor": {"min_share_of_benchmark": "0.95"}},
        {"eligible_statuses": ["in", "out"]},
        {"provisional_share": "1"},
        {"split": {"producer": "0.5", "community_fund": "0.5"}},
        {"splitting_limit_permille": "0.4"},
        {"fine_weight_tolerance_g": "0.4"},
        {"source_mass_tolerance_g": "0.4"},
    ],
)
def test_what_the_calculation_reads_of_a_scheme_is_a_new_version(changes: dict[str, Any]) -> None:
    assert version(ORGANIZATION, scheme(**changes)) != BASE


def test_words_about_a_scheme_and_the_order_of_its_statuses_are_no_new_version() -> None:
    renamed = scheme(name="Gram", citations=["https://example.org/other"], verified="contract")
    assert version(ORGANIZATION, renamed) == BASE
    one, other = (scheme(eligible_statuses=statuses) for statuses in (["in", "out"], ["out", "in"]))
    assert version(ORGANIZATION, one) == version(ORGANIZATION, other)


def test_keys_and_the_demand_for_signatures_are_a_new_version_and_their_absence_is_none() -> None:
    refiner = {"id": "REF", "name": "Refiner", "country": "CH", "kind": "refiner"}
    first = {"key_id": "k-1", "public_key": "A" * 43, "from": "2025-01-01"}
    second = {"key_id": "k-2", "public_key": "E" + "A" * 42, "from": "2025-06-01", "to": "2026-01-01"}
    without = version(refiner)
    assert without == version(refiner | {"signing_keys": [], "signature_required": False})
    versions = {
        without,
        version(refiner | {"signature_required": True}),
        version(refiner | {"signing_keys": [first]}),
        version(refiner | {"signing_keys": [first, second]}),
        version(refiner | {"signing_keys": [first, second | {"to": "2026-01-02"}]}),
    }
    assert len(versions) == 5
    assert version(refiner | {"signing_keys": [second, first]}) in versions
