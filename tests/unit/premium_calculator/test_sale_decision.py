"""What becomes of a record of gold.sales.v1: form, answer, and the limits of what follows."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from schemas.cloudevents import CloudEventAttributes, from_headers
from schemas.entitlement import ENTITLEMENT_BYTES_MAX, Entitlement
from schemas.gold_sale import SCHEMES_MAX, SOURCES_MAX, sale_hash
from schemas.identity import entitlement_id
from schemas.registry import Organization
from schemas.registry_snapshot import registry_snapshot
from schemas.topics import DERIVED_MESSAGE_BYTES_MAX, SALE_BYTES_MAX
from services.premium_calculator.adapters.calculating_registry import calculating_registry
from services.premium_calculator.adapters.sale_decision import Calculated, Rejected, SaleFacts, SaleRecord, decide
from tests.unit.premium_calculator.programme import encoded, grams, registry, sale, scheme, snapshot, sources

HEADERS = {
    "ce_specversion": b"1.0",
    "ce_id": b"event-1",
    "ce_source": b"/refiners/REF",
    "ce_type": b"gold.sales.v1",
    "ce_time": b"2025-03-20T23:30:00-05:00",
}


def record(fields: object = None, *, key: bytes | None = b"REF/LOT-1", **headers: bytes | None) -> SaleRecord:
    value = encoded(sale() if fields is None else fields)
    sent = {name: content for name, content in (HEADERS | headers).items() if content is not None}
    return SaleRecord(key, value, list(sent.items()))


def accepted(sent: SaleRecord) -> Calculated:
    decision = decide(sent, registry())
    assert isinstance(decision, Calculated), decision
    return decision


def refused(sent: SaleRecord) -> Rejected:
    decision = decide(sent, registry())
    assert isinstance(decision, Rejected), decision
    return decision


def test_sale_becomes_an_entitlement_that_keeps_its_contract() -> None:
    calculated = accepted(record())
    entitlement = Entitlement.model_validate_json(calculated.value)
    assert entitlement.entitlement_id == calculated.entitlement_id
    assert entitlement.sale.model_dump() == {
        "source": "/refiners/REF",
        "id": "event-1",
        "hash": sale_hash(sale()),
    }
    assert calculated.entitlement_id == entitlement_id(
        sale_source="/refiners/REF",
        sale_id="event-1",
        sale_hash=sale_hash(sale()),
        registry_version=snapshot().version,
        scheme_versions=["gram@1"],
        calculation=0,
    )
    assert calculated.key == b"REF/LOT-1"


def test_bytes_are_canonical_and_repeat() -> None:
    value = accepted(record()).value
    assert value == orjson.dumps(orjson.loads(value), option=orjson.OPT_SORT_KEYS)
    assert accepted(record(dict(reversed(sale().items())))).value == value
    assert accepted(record(sale(sequence=8))).value == value


def test_headers_carry_time_sequence_and_origin_of_the_sale() -> None:
    calculated = accepted(record())
    event = from_headers(calculated.headers("gold.sales.v1/2/17"))
    assert isinstance(event, CloudEventAttributes)
    assert event.id == str(calculated.entitlement_id)
    assert event.type == "premium.entitlements.v1"
    assert event.time.isoformat() == "2025-03-21T04:30:00+00:00"
    assert event.extensions == {
        "origin": "gold.sales.v1/2/17",
        "salesequence": "7",
        "salesource": "/refiners/REF",
        "saletime": "2025-03-21T04:30:00Z",
    }


def test_day_of_publication_is_that_of_utc() -> None:
    assert accepted(record(sale(sold_on="2025-03-21")))
    assert refused(record(sale(sold_on="2025-03-22"))).code == "FUTURE_DATED"
    early = record(sale(sold_on="2025-03-20"), ce_time=b"2025-03-20T00:30:00+02:00")
    assert refused(early).code == "FUTURE_DATED"


@pytest.mark.parametrize("name", HEADERS)
def test_missing_header_is_named(name: str) -> None:
    decision = refused(record(**{name: None}))
    assert (decision.code, decision.field) == ("SCHEMA_INVALID", name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_type", b"gold.sales.v2"),
        ("ce_source", b"/refiners/OTHER"),
        ("ce_source", b"https://example.org/refiners/REF"),
        ("ce_time", b"yesterday"),
        ("ce_id", b"\x00"),
    ],
)
def test_wrong_header_is_named(name: str, value: bytes) -> None:
    decision = refused(record(**{name: value}))
    assert (decision.code, decision.field) == ("SCHEMA_INVALID", name)


@pytest.mark.parametrize("key", [None, b"", b"LOT-1", b"REF/LOT-2", b"REF/LOT-1/", b"\xff"])
def test_wrong_key_is_named(key: bytes | None) -> None:
    decision = refused(record(key=key))
    assert (decision.code, decision.field) == ("SCHEMA_INVALID", "key")


@pytest.mark.parametrize("value", [None, b"", b"\xff", b"[" * 1000, b'{"lot_id":"\\ud800"}'])
def test_value_that_cannot_be_read_is_refused_with_what_the_headers_say(value: bytes | None) -> None:
    decision = refused(SaleRecord(b"k", value, list(HEADERS.items())))
    assert (decision.code, decision.field) == ("SCHEMA_INVALID", "value")
    assert decision.facts == SaleFacts(source="/refiners/REF", id="event-1")


def test_rejection_says_what_could_be_read_of_the_sale() -> None:
    fields = sale(payer_id="NOBODY")
    assert refused(record(fields)).facts == SaleFacts(
        "/refiners/REF", "event-1", sale_hash(fields), "REF", "LOT-1", revision=1, sequence=7
    )
    assert refused(SaleRecord(None, encoded(fields), [])).facts == SaleFacts(
        None, None, sale_hash(fields), "REF", "LOT-1", revision=1, sequence=7
    )


def test_facts_of_a_broken_sale_are_left_out_where_they_are_unusable() -> None:
    fields = sale(refiner_id="a/b", lot_id=["x"], revision=-1, sequence=True, melt_weight=1.5)
    assert refused(record(fields)).facts == SaleFacts(source="/refiners/REF", id="event-1")


@pytest.mark.parametrize("melt", ["999999999999999999", "90071992547409.91"])
def test_lot_beyond_what_the_ledger_holds_is_refused_and_not_passed_on(melt: str) -> None:
    fields = sale(melt_weight=grams(melt), sources=sources(("ORG-A", melt)), schemes=["peso"])
    decision = refused(record(fields))
    assert (decision.code, decision.field) == ("SCHEMA_INVALID", "melt_weight.value")


def longest(prefix: str) -> str:
    """An id of 256 characters of four bytes each; the prefix tells them apart."""
    return prefix + "\U0001f9c8" * (256 - len(prefix))


def largest_sale(schemes: int, sources_count: int) -> tuple[SaleRecord, Any]:
    """A sale and a registry in which every id is as long as it may be, and every source pays a fund of its own."""
    names = [longest(f"scheme-{row}-") for row in range(schemes)]
    organizations = {}
    rows = []
    for row in range(sources_count):
        producer, fund = longest(f"org-{row}-"), longest(f"fund-{row}-")
        statuses = [{"scheme": name, "status": "in", "from": "2015-01-01"} for name in names]
        for id_, kind in ((producer, "producer"), (fund, "community_fund")):
            organizations[id_] = Organization.model_validate(
                {"id": id_, "name": "x", "country": "PE", "kind": kind, "community_fund_id": fund}
                | {"statuses": statuses if kind == "producer" else []}
            )
        rows.append((producer, "1.001"))
    split = {"producer": "0.5", "community_fund": "0.5"}
    versions = [scheme(id=name, version="v" * 64, split=split) for name in names]
    others = dict(snapshot().organizations)
    found = registry_snapshot(None, others | organizations, {entry.record_id: entry for entry in versions})
    fields = sale(
        lot_id="LOT-1",
        schemes=names,
        sources=sources(*rows),
        melt_weight=grams(f"{1001 * sources_count / 1000:.3f}"),
        documents=[{"kind": "d" * 256, "number": "n" * 256, "issuer": "i" * 256}] * 10,
    )
    value = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
    return SaleRecord(b"REF/LOT-1", value, list(HEADERS.items())), calculating_registry(found)


def test_largest_possible_sale_makes_an_entitlement_that_fits_its_topic_or_is_refused() -> None:
    sent, wide = largest_sale(SCHEMES_MAX, 190)  # 190 ids of 1 KiB are just below 256 KiB
    assert SALE_BYTES_MAX * 0.8 < len(sent.value or b"") <= SALE_BYTES_MAX
    decision = decide(sent, wide)
    assert isinstance(decision, Rejected)
    assert (decision.code, decision.field) == ("SCHEMA_INVALID", "sources")
    sent, wide = largest_sale(5, 190)
    decision = decide(sent, wide)
    assert isinstance(decision, Calculated)
    assert len(decision.value) > ENTITLEMENT_BYTES_MAX / 2
    headers = sum(len(name) + len(content) for name, content in decision.headers("gold.sales.v1/0/1"))
    assert len(decision.value) + headers < DERIVED_MESSAGE_BYTES_MAX


def test_two_hundred_sources_with_ids_of_common_length_fit_under_all_schemes() -> None:
    organizations = {
        f"ORG-PE-{row:03d}": Organization.model_validate(
            {"id": f"ORG-PE-{row:03d}", "name": "x", "country": "PE", "kind": "producer", "community_fund_id": "FUND-1"}
            | {"statuses": [{"scheme": f"s{number}", "status": "in", "from": "2015-01-01"} for number in range(SCHEMES_MAX)]}
        )
        for row in range(SOURCES_MAX)
    }
    split = {"producer": "0.5", "community_fund": "0.5"}
    versions = [scheme(id=f"s{number}", split=split) for number in range(SCHEMES_MAX)]
    found = registry_snapshot(
        None, dict(snapshot().organizations) | organizations, {entry.record_id: entry for entry in versions}
    )
    fields = sale(
        schemes=[entry.id for entry in versions],
        sources=sources(*((id_, "12.253") for id_ in organizations)),
    )
    decision = decide(record(fields), calculating_registry(found))
    assert isinstance(decision, Calculated)
    assert len(decision.value) < ENTITLEMENT_BYTES_MAX / 2
