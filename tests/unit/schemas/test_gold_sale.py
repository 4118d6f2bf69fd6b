"""What is taken for a sale, and which field is named otherwise."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.contract import FieldFault
from schemas.gold_sale import SCHEMES_MAX, SOURCES_MAX, ParsedSale, parse_sale, sale_hash
from schemas.topics import SALE_BYTES_MAX
from tests.unit.premium_calculator.programme import USD_BENCHMARK, assays, encoded, grams, sale, sources


def fault(fields: object) -> str:
    found = parse_sale(encoded(fields))
    assert isinstance(found, FieldFault), found
    assert found.message
    return found.field


def fault_of_bytes(value: bytes | None) -> FieldFault:
    found = parse_sale(value)
    assert isinstance(found, FieldFault), found
    return found


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b" ",
        b"{",
        b"[]",
        b'"sale"',
        b"null",
        b"NaN",
        b"{} {}",
        b'{"a":Infinity}',
        b"\xff\xfe{\x00",
        b"\xef\xbb\xbf{}",
        b'{"a":"\xff"}',
        b'{"a":"\\ud800"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a":' * 600 + b"1" + b"}" * 600,
        b" " * (SALE_BYTES_MAX + 1),
    ],
    ids=lambda value: repr(value[:12]) if value else str(value),
)
def test_bytes_that_are_no_json_object_are_named_as_a_whole(value: bytes | None) -> None:
    assert fault_of_bytes(value).field == "value"


def test_huge_numbers_are_refused_by_their_field() -> None:
    assert fault_of_bytes(encoded(sale()).replace(b'"revision": 1', b'"revision": 1' + b"0" * 5000)).field in {
        "revision",
        "value",  # some thousand digits overflow a double before any field is looked at
    }
    assert fault(sale(revision=2**53)) == "revision"
    assert fault(sale(revision=2**64)) == "revision"
    assert isinstance(parse_sale(encoded(sale(revision=2**53 - 1, sequence=0))), ParsedSale)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"revision": 0}, "must be at least 1"),
        ({"sequence": -1}, "must be at least 0"),
        ({"revision": 2**53}, "must be at most 9007199254740991"),
        ({"lot_id": True}, "must be a text"),
        ({"lot_id": 5}, "must be a text in quotes: numbers are sent as strings, since many readers make binary floats of them"),
    ],
)
def test_what_is_wrong_is_told_in_words_of_our_own(changes: dict[str, Any], words: str) -> None:
    assert fault_of_bytes(encoded(sale(**changes))).message == words


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"revision": 0}, "revision"),
        ({"revision": "1"}, "revision"),
        ({"revision": True}, "revision"),
        ({"revision": 1.0}, "revision"),
        ({"sequence": -1}, "sequence"),
        ({"stage": "Final"}, "stage"),
        ({"refiner_id": ""}, "refiner_id"),
        ({"lot_id": "a/b"}, "lot_id"),
        ({"lot_id": "a\nb"}, "lot_id"),
        ({"lot_id": "a\x85b"}, "lot_id"),
        ({"lot_id": "x" * 257}, "lot_id"),
        ({"lot_id": "Ñusta".replace("Ñ", "N\u0303")}, "lot_id"),
        ({"sold_on": "2025-3-14"}, "sold_on"),
        ({"sold_on": "2025-02-29"}, "sold_on"),
        ({"sold_on": "2025-03-14T00:00:00"}, "sold_on"),
        ({"sold_on": "20250314"}, "sold_on"),
        ({"sold_on": "2025-W11-5"}, "sold_on"),
        ({"sold_on": "٢٠٢٥-03-14"}, "sold_on"),
        ({"sold_on": 1741910400}, "sold_on"),
        ({"melt_weight": "2450.60"}, "melt_weight"),
        ({"melt_weight": {"value": "2450.60", "unit": "g"}}, "melt_weight.unit"),
        ({"melt_weight": {"value": "2450.60"}}, "melt_weight.unit"),
        ({"melt_weight": {"value": "2450.60", "unit": "GRM", "scale": 1}}, "melt_weight.scale"),
        ({"assays": assays(seller="1") * 2}, "assays.1.party"),
        ({"assays": [{"party": "laboratory", "fineness_permille": "873"}]}, "assays.0.party"),
        ({"sources": []}, "sources"),
        ({"sources": sources(("ORG-A", "1")) * (SOURCES_MAX + 1)}, "sources"),
        ({"sources": {"0": {}}}, "sources"),
        ({"schemes": []}, "schemes"),
        ({"schemes": ["gram", "kilo", "gram"]}, "schemes.2"),
        ({"schemes": [f"scheme-{row}" for row in range(SCHEMES_MAX + 1)]}, "schemes"),
        ({"stated_fine_weight": grams("0")}, "stated_fine_weight.value"),
        ({"benchmark": USD_BENCHMARK | {"currency": "XAU"}}, "benchmark.currency"),
        ({"benchmark": USD_BENCHMARK | {"currency": "usd"}}, "benchmark.currency"),
        ({"benchmark": USD_BENCHMARK | {"price": "0"}}, "benchmark.price"),
        ({"benchmark": USD_BENCHMARK | {"per": "ONZ"}}, "benchmark.per"),
        ({"price_share_of_benchmark": "0"}, "price_share_of_benchmark"),
        ({"price_share_of_benchmark": "2.000000000001"}, "price_share_of_benchmark"),
        ({"documents": [{"kind": "waybill", "number": ""}]}, "documents.0.number"),
        ({"documents": [{"kind": "waybill", "number": "1", "sha256": "9F" * 32}]}, "documents.0.sha256"),
        ({"Lot": "x"}, "Lot"),
    ],
)
def test_wrong_field_is_named(changes: dict[str, Any], field: str) -> None:
    assert fault(sale(**changes)) == field


@pytest.mark.parametrize(
    "value",
    ["0", "0.000", "-1", "+1", ".5", "5.", "1e3", "1,5", " 1", "1 ", "1\n", "", "٣", "0x1", "NaN", "1" * 19, "1." + "1" * 13],
)
def test_weight_that_is_no_decimal_above_zero_is_refused(value: str) -> None:
    assert fault(sale(melt_weight=grams(value))) == "melt_weight.value"


@pytest.mark.parametrize("value", ["007.50", "0.000000000001", "1" * 18 + "." + "1" * 12])
def test_weight_within_the_limits_is_taken_as_it_is_written(value: str) -> None:
    parsed = parse_sale(encoded(sale(melt_weight=grams(value))))
    assert isinstance(parsed, ParsedSale)
    assert parsed.sale.melt_weight.value == value


@pytest.mark.parametrize("value", [873.5, 873, True, None, ["873.5"]])
def test_fineness_that_is_no_string_is_refused(value: object) -> None:
    assert fault(sale(assays=[{"party": "agreed", "fineness_permille": value}])) == "assays.0.fineness_permille"


def test_first_fault_in_the_order_of_the_contract_is_named_wherever_it_was_sent() -> None:
    broken = sale(stage="?", lot_id="a/b", unknown=1)
    assert fault(dict(reversed(broken.items()))) == fault(broken) == "lot_id"
    assert fault(sale(unknown=1, schemes=["gram", "gram"])) == "schemes.1"
    assert fault(sale(a=1, b=1)) == "a"


def test_name_of_an_unknown_field_is_made_printable_and_short() -> None:
    found = fault(sale(**{"a\nb" + "x" * 1000: 1}))
    assert found.startswith("a?b")
    assert len(found) == 300


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"lot_id": "A", "lot_id": "B"}', "lot_id"),
        ('{"melt_weight": {"value": "1", "unit": "GRM", "value": "2"}}', "melt_weight.value"),
        ('{"sources": [{}, {"a": 1, "\\u0061": 2}]}', "sources.1.a"),
        ('{"a": {"b": 1}, "a": {"b": 1}}', "a"),
    ],
)
@pytest.mark.parametrize("separators", [(", ", ": "), (",", ":")])
def test_name_twice_in_one_object_is_refused(text: str, field: str, separators: tuple[str, str]) -> None:
    sent = text.replace(", ", separators[0]).replace(": ", separators[1])
    assert fault_of_bytes(sent.encode()).field == field


def test_writing_with_spaces_and_escapes_is_not_taken_for_repeated_names() -> None:
    fields = sale(refiner_reference="Ñ/1")
    for text in (json.dumps(fields, indent=4), json.dumps(fields), json.dumps(fields, ensure_ascii=False).replace("/", "\\/")):
        assert isinstance(parse_sale(text.encode()), ParsedSale)


def test_hash_is_over_what_was_sent_without_the_sequence() -> None:
    base = sale()
    assert sale_hash(base | {"sequence": 99}) == sale_hash(base)
    assert sale_hash(dict(reversed(base.items()))) == sale_hash(base)
    # Another writing of the same number is other content: what was sent is what is compared.
    assert sale_hash(base | {"melt_weight": grams("2450.6")}) != sale_hash(base)
    assert sale_hash(base | {"benchmark": None}) != sale_hash(base)
    parsed = parse_sale(encoded(base))
    assert isinstance(parsed, ParsedSale)
    assert parsed.sale_hash == sale_hash(base)
