"""An accepted sale calculated again: the next calculation, which replaces the one before, from the same sale."""

from __future__ import annotations

from typing import Any

from schemas.cloudevents import from_headers
from schemas.entitlement import Entitlement, Replaced
from schemas.identity import entitlement_id
from schemas.registry import Organization
from schemas.registry_snapshot import RegistrySnapshot, registry_snapshot
from services.premium_calculator.adapters.calculating_registry import calculating_registry
from services.premium_calculator.adapters.sale_decision import Calculated, Rejected, SaleRecord, decide, recalculate
from tests.unit.premium_calculator.programme import encoded, registry, sale, scheme, snapshot
from tests.unit.premium_calculator.test_sale_decision import HEADERS

HEAD = Replaced(revision=1, calculation=0)


def record(fields: dict[str, Any] | None = None, **headers: bytes) -> SaleRecord:
    return SaleRecord(b"REF/LOT-1", encoded(sale() if fields is None else fields), list((HEADERS | headers).items()))


def with_rate(amount: str) -> RegistrySnapshot:
    base = snapshot()
    changed = scheme(rate={"kind": "per_mass", "amount": amount, "unit": "GRM"})
    return registry_snapshot(None, base.organizations, {**base.schemes, changed.record_id: changed})


def test_the_next_calculation_names_what_it_replaces_and_keeps_the_sales_time() -> None:
    first, again = decide(record(), registry()), recalculate(record(), calculating_registry(with_rate("0.80")), HEAD)
    assert isinstance(first, Calculated)
    assert isinstance(again, Calculated)
    before, after = (Entitlement.model_validate_json(one.value) for one in (first, again))
    assert (after.revision, after.calculation, after.cause, after.replaces) == (1, 1, "recalculation", HEAD)
    assert (before.calculation, before.cause, before.replaces) == (0, "sale", None)
    assert b"replaces" not in first.value
    assert (after.sale, after.registry_version) == (before.sale, with_rate("0.80").version)
    assert after.premiums[0].rate.amount == "0.80"  # type: ignore[union-attr]
    assert (
        after.entitlement_id
        == again.entitlement_id
        == entitlement_id(
            sale_source="/refiners/REF",
            sale_id="event-1",
            sale_hash=before.sale.hash,
            registry_version=with_rate("0.80").version,
            scheme_versions=["gram@1"],
            calculation=1,
        )
    )
    place = "gold.sales.v1/0/7"
    own = {"id": str(again.entitlement_id)}
    assert vars_of(again.headers(place)) == vars_of(first.headers(place)) | own


def vars_of(headers: Any) -> dict[str, Any]:
    attributes = from_headers(headers)
    return {name: getattr(attributes, name) for name in ("id", "source", "type", "time", "extensions")}


def test_the_same_again_gives_the_same_bytes() -> None:
    one, two = (recalculate(record(), calculating_registry(with_rate("0.80")), HEAD) for _ in range(2))
    assert one == two


def test_a_signature_is_not_asked_for_again() -> None:
    base = snapshot()
    demanding = Organization.model_validate(base.organizations["REF"].model_dump() | {"signature_required": True})
    changed = calculating_registry(registry_snapshot(None, {**base.organizations, "REF": demanding}, base.schemes))
    refused = decide(record(), changed)
    assert isinstance(refused, Rejected)
    assert refused.code == "SIGNATURE_INVALID"
    assert isinstance(recalculate(record(), changed, HEAD), Calculated)


def test_what_the_registry_rejects_by_now_is_rejected_with_its_code() -> None:
    base = snapshot()
    gone = {id_: organization for id_, organization in base.organizations.items() if id_ != "PAY"}
    rejected = recalculate(record(), calculating_registry(registry_snapshot(None, gone, base.schemes)), HEAD)
    assert isinstance(rejected, Rejected)
    assert (rejected.code, rejected.field) == ("UNKNOWN_ORGANIZATION", "payer_id")


def test_the_day_of_publication_is_still_the_sales_own() -> None:
    rejected = recalculate(record(sale(sold_on="2025-03-22")), registry(), HEAD)
    assert isinstance(rejected, Rejected)
    assert rejected.code == "FUTURE_DATED"
