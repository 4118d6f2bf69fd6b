"""What a refiner is told of a sale that came before, from what the calculator really makes of its sales."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.ledger_words import AcceptedDetail
from services.ledger.adapters.sale_came_before import conflict_message, differences, duplicate_message
from services.ledger.domain.books import Accepted
from services.ledger.domain.entitlement import Cause
from services.ledger.domain.post_entitlement import ConflictingSale
from services.premium_calculator.adapters.sale_decision import preview
from tests.unit.premium_calculator.programme import PUBLISHED_ON, USD_BENCHMARK, assays, encoded, grams, registry, sale, sources

DOCUMENTS = [{"kind": "waybill", "number": "7"}, {"kind": "waybill", "number": "8"}]
FIRST: dict[str, Any] = {
    "assays": assays(seller="873.5", buyer="873.1"),
    "benchmark": USD_BENCHMARK,
    "documents": DOCUMENTS,
    "price_share_of_benchmark": "0.935",
    "schemes": ["kilo"],
    "sources": sources(("ORG-A", "1450.60"), ("ORG-B", "1000.00")),
}


def entitlement(**changes: Any) -> bytes:
    value = preview(encoded(sale(**FIRST | changes)), registry(), PUBLISHED_ON)
    assert isinstance(value, bytes), value
    return value


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, []),
        ({"refiner_reference": "other"}, []),
        (
            {"melt_weight": grams("2447.10"), "sources": sources(("ORG-A", "1447.10"), ("ORG-B", "1000.00"))},
            ["melt_weight 2450.60 GRM, now 2447.10 GRM"],
        ),
        ({"assays": assays(seller="873.5", buyer="872.9")}, ["assay of the buyer 873.1, now 872.9"]),
        ({"assays": assays(agreed="873.5")}, [
            "assay of the seller 873.5, now nothing", "assay of the buyer 873.1, now nothing",
            "agreed assay nothing, now 873.5",
        ]),
        ({"sold_on": "2025-03-13"}, ["sold_on 2025-03-14, now 2025-03-13"]),
        ({"stage": "provisional"}, ["stage final, now provisional"]),
        ({"documents": DOCUMENTS[:1]}, ["documents.1 8, now nothing"]),
        ({"benchmark": USD_BENCHMARK | {"price": "2651.00"}}, ["benchmark.price 2650.00, now 2651.00"]),
        ({"schemes": ["kilo", "gram"]}, ["schemes kilo, now kilo, gram"]),
        ({"sources": sources(("ORG-A", "1450.60"), ("ORG-C", "1000.00"))}, ["sources ORG-A, ORG-B, now ORG-A, ORG-C"]),
        ({"sources": sources(("ORG-A", "1449.60"), ("ORG-B", "1001.00"))}, [
            "share of ORG-A 1266.809 g, now 1265.936 g", "share of ORG-B 873.300 g, now 874.173 g",
        ]),
    ],
    ids=str,
)  # fmt: skip
def test_differences_are_told_by_the_sales_own_fields(changes: dict[str, Any], told: list[str]) -> None:
    assert differences(entitlement(), entitlement(**changes)) == told


def accepted(value: bytes) -> Accepted:
    at = datetime(2025, 3, 14, 9, 12, tzinfo=UTC)
    return Accepted("id-1", Cause.SALE, "8f2c", "sha256:0", "gold.sales.v1/0/1", AcceptedDetail.POSTED, at, value)


def test_a_conflict_names_the_first_event_the_difference_and_what_to_do() -> None:
    conflict = ConflictingSale("revision", accepted(entitlement()))
    assert conflict_message(conflict, entitlement(sold_on="2025-03-13")) == (
        "differs from event 8f2c of 2025-03-14 09:12 UTC, which counts: sold_on 2025-03-14, now 2025-03-13. "
        "To correct the lot send its next revision under a new event id"
    )
    unseen = conflict_message(conflict, entitlement(refiner_reference="other"))
    assert "which counts: a field that the calculation does not use. " in unseen
    everything = entitlement(stage="cancelled", sold_on="2025-03-13")
    assert "stage final, now cancelled, sold_on 2025-03-14, now 2025-03-13, melt_weight 2450.60 GRM, now nothing and " in (
        conflict_message(conflict, everything)
    )


def test_a_duplicate_names_the_first_event() -> None:
    assert (
        duplicate_message(accepted(b""))
        == "is the same as event 8f2c of 2025-03-14 09:12 UTC, which counts: nothing is counted twice"
    )
