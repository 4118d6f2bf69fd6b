"""What counts as a change of a lot, and what does not."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import pytest

from premia.recalculation import LotChange, LotHead, LotRejected, PastChanges, change_of, head_of
from schemas.registry_snapshot import RegistrySnapshot, registry_snapshot
from services.premium_calculator.adapters.calculating_registry import calculating_registry
from services.premium_calculator.adapters.sale_decision import Calculated, SaleRecord, decide
from tests.unit.premium_calculator.programme import encoded, registry, sale, scheme, snapshot, sources
from tests.unit.premium_calculator.test_sale_decision import HEADERS

BLEND: Final = sources(("ORG-A", "931.75"), ("ORG-B", "804.26"), ("ORG-D", "714.59"))
PUBLISHED_ON: Final = date(2025, 3, 21)  # in UTC


def record(**headers: bytes) -> SaleRecord:
    return SaleRecord(b"REF/LOT-1", encoded(sale(sources=BLEND)), list((HEADERS | headers).items()))


def head(**columns: Any) -> LotHead:
    """The lot as the ledger has it."""
    calculated = decide(record(), registry())
    assert isinstance(calculated, Calculated)
    row = {"refiner_id": "REF", "lot_id": "LOT-1", "revision": 1, "calculation": 0, "origin": "gold.sales.v1/0/7"}
    return head_of({**row, "effective_on": PUBLISHED_ON, "value": calculated.value, **columns})


def with_scheme(**fields: Any) -> RegistrySnapshot:
    base = snapshot()
    others = {id_: found for id_, found in base.schemes.items() if found.id != "gram"}
    changed = scheme(**fields)
    return registry_snapshot(None, base.organizations, {**others, changed.record_id: changed})


def changed(wanted: RegistrySnapshot, sent: SaleRecord | None = None) -> LotChange | LotRejected | None:
    return change_of(head(), sent or record(), calculating_registry(wanted))


def test_another_rate_changes_whoever_earns_and_nobody_else() -> None:
    found = changed(with_scheme(rate={"kind": "per_mass", "amount": "0.80", "unit": "GRM"}))
    assert isinstance(found, LotChange)
    assert {one.organization_id for one in found.outcomes} == {"ORG-A", "ORG-B"}, "ORG-D earned nothing, and does not now"
    (total,) = found.totals
    assert total.difference_minor == sum(one.difference_minor for one in found.outcomes) > 0
    lot = found.to_recalculate()
    assert (lot.origin, lot.replaces.model_dump()) == ("gold.sales.v1/0/7", {"revision": 1, "calculation": 0})


def test_a_registry_that_is_another_one_elsewhere_changes_nothing() -> None:
    base = snapshot()
    others = {id_: found for id_, found in base.organizations.items() if id_ != "FUND-2"}
    assert changed(registry_snapshot(None, others, base.schemes)) is None


def test_terms_without_money_are_a_change_too() -> None:
    found = changed(with_scheme(version="2"))
    assert isinstance(found, LotChange)
    assert found.outcomes == ()
    assert [total.difference_minor for total in found.totals] == [0]


@pytest.mark.parametrize(
    "other", [record(ce_id=b"event-2"), record(ce_time=b"2025-03-22T12:00:00Z"), SaleRecord(b"REF/LOT-1", None, [])]
)
def test_a_record_that_is_not_the_lots_sale_is_not_calculated(other: SaleRecord) -> None:
    found = changed(with_scheme(version="2"), other)
    assert isinstance(found, LotRejected)
    assert found.code in {"SALE_MISSING", "SCHEMA_INVALID"}


def test_what_another_registry_changes_alike_is_left_out() -> None:
    mine, alike, more = (
        PastChanges(wanted.version, 1, (found,))
        for wanted in (with_scheme(version="2"), with_scheme(version="2"), with_scheme(version="3"))
        for found in [changed(wanted)]
        if isinstance(found, LotChange)
    )
    assert not mine.without(alike)
    assert mine.without(more)
