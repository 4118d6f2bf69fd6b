"""A revision of a lot written as the value of a `gold.sales.v1` event.

Goal: what a refiner's system would send, field by field.
Method: the fields in the order of the contract; texts from whole numbers, so no float ever comes near.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from samples.lot import GRAM, MILLIGRAM, TROY_OUNCE, Lot, Revision, fixed_point_text, tenths_text
from samples.premium import StatusOn, expectation

Value = dict[str, object]

ISSUER: Final = {"PE": "SUNAT", "CO": "DIAN", "BO": "SENARECOM"}
HASHED_SINCE_YEAR: Final = 2025  # Refiners began to hash papers; hashes also do not compress.
SYNTHETIC_FIXING: Final = "SYNTHETIC-PM"  # The real price has a name and needs a licence.


def sale_value(lot: Lot, revision: Revision, sequence: int, status_on: StatusOn) -> Value:
    """Write one revision. Optional fields are left out where the refiner would not send them."""
    value: Value = {
        "refiner_id": lot.refiner_id,
        "lot_id": lot.lot_id,
        "revision": revision.number,
        "sequence": sequence,
        "stage": revision.stage,
        "exporter_id": lot.exporter_id,
        "payer_id": revision.payer_id,
        "sold_on": lot.sold_on.isoformat(),
        "melt_weight": _weight(lot, revision.melt_steps),
        "assays": [{"party": party, "fineness_permille": tenths_text(tenths)} for party, tenths in revision.assays_tenths],
        "sources": _sources(lot, revision),
        "schemes": [lot.scheme],
    }
    if revision.states_fine_weight:
        value["stated_fine_weight"] = _fine_weight(lot, revision, status_on)
    if lot.benchmark_cents_per_ounce is not None:
        value["benchmark"] = {
            "price": fixed_point_text(lot.benchmark_cents_per_ounce, 2),
            "currency": "USD",
            "per": "APZ",
            "fixing": SYNTHETIC_FIXING,
            "on": lot.sold_on.isoformat(),
        }
    if lot.price_share is not None:
        value["price_share_of_benchmark"] = fixed_point_text(int(lot.price_share * 1000), 3)
    if revision.documents:
        value["documents"] = [_document(lot, nth) for nth in range(revision.documents)]
    if lot.refiner_reference is not None:
        value["refiner_reference"] = lot.refiner_reference
    return value


def _weight(lot: Lot, steps: int) -> Value:
    return {"value": lot.unit.text(steps), "unit": lot.unit.code}


def _sources(lot: Lot, revision: Revision) -> list[Value]:
    rows: list[Value] = []
    for source in revision.sources:
        row: Value = {"organization_id": source.organization_id, "melt_weight": _weight(lot, source.melt_steps)}
        if source.fineness_tenths is not None:
            row["fineness_permille"] = tenths_text(source.fineness_tenths)
        rows.append(row)
    return rows


def _fine_weight(lot: Lot, revision: Revision, status_on: StatusOn) -> Value:
    fine_mg = expectation(lot, revision, status_on).fine_mg
    if lot.unit is TROY_OUNCE:  # To a thousandth of an ounce, 0.03 g: within the tolerance of 0.05 g.
        return {"value": TROY_OUNCE.text(round(fine_mg / TROY_OUNCE.step_mg)), "unit": "APZ"}
    assert lot.unit in (GRAM, MILLIGRAM)
    return {"value": fixed_point_text(fine_mg, 3), "unit": "GRM"}


def _document(lot: Lot, nth: int) -> Value:
    issuer = ISSUER[lot.country]
    if nth:
        return {"kind": "transport_guide", "number": f"0001-{lot.sold_on:%y}{lot.lot_id[-6:]}", "issuer": issuer}
    document: Value = {"kind": "export_declaration", "number": lot.document_number, "issuer": issuer}
    if lot.sold_on.year >= HASHED_SINCE_YEAR and lot.refiner_id == "REF-CH-01":
        document["sha256"] = sha256(f"synthetic document {lot.document_number}".encode()).hexdigest()
    return document
