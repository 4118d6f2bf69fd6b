"""The quick reader of entitlements takes what the contract takes, reads the same from it, and takes nothing else."""

from __future__ import annotations

import copy
from typing import Any, Final

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from benchmarks.sample_entitlements import sample_entitlements
from schemas.decimals import AMOUNT_PATTERN, FINENESS_PATTERN, WEIGHT_G_PATTERN
from schemas.entitlement import Entitlement
from schemas.identifiers import ID_CHARS_MAX, INTEGER_MAX, PAYLOAD_HASH_PATTERN, is_id
from services.ledger.adapters.entitlement_bytes import decode_entitlement

# Whatever some rule turns on, in any place of an entitlement.
OTHERS: Final = (
    None, True, False, 0, 1, -1, 2**53 - 1, 2**53, 2**64, 1.0, 1.5, [], {}, [None], {"kind": "per_mass"}, {"a": "b"}, {"a": 1},
    "", "1", "null", "/", "a/b", "v@1", "é", "e\u0301", "\u0000", "\n", "a\n", "\x7f", "x" * 64, "x" * 65, "x" * 256, "x" * 257,
    "0", "0.00", "0.000", "1.5", "1.50", "1.500", "-1.50", "+1.50", "1e3", "1.500\n", "٣.000", "9" * 26 + ".000", "9" * 61,
    "USD", "CLP", "XAU", "XXX", "usd", "US", "2025-03-14", "2025-02-30", "20250314", "2025-03-14T00:00:00", "2025-W11-5",
    "sale", "recalculation", "final", "settleable", "producer", "source", "GRM", "LBR", "per_mass", "percent_of_benchmark",
    "sha256:" + "a" * 64, "sha256:" + "A" * 64, "sha256:" + "a" * 63, "734d034a-934b-5dd6-bf1d-4008790f3d45",
    "734d034a934b5dd6bf1d4008790f3d45", "734D034A-934B-5DD6-BF1D-4008790F3D45", "{734d034a-934b-5dd6-bf1d-4008790f3d45}",
    "urn:uuid:734d034a-934b-5dd6-bf1d-4008790f3d45", "734d034a-934b-5dd6-bf1d-4008790f3d4",
)  # fmt: skip
IDS: Final = st.text(
    st.characters(exclude_characters="/", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=ID_CHARS_MAX
).filter(is_id)
TEXTS: Final = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=ID_CHARS_MAX)


def shaped(pattern: str) -> st.SearchStrategy[str]:
    """ASCII texts of a pattern."""
    return st.from_regex(pattern.removesuffix("$") + r"\Z", alphabet=st.characters(max_codepoint=127))


WEIGHTS: Final = shaped(WEIGHT_G_PATTERN)
AMOUNTS: Final = shaped(AMOUNT_PATTERN)
HASHES: Final = shaped(PAYLOAD_HASH_PATTERN)
COUNTING: Final = st.integers(1, INTEGER_MAX)
FROM_ZERO: Final = st.integers(0, INTEGER_MAX)
SHARES: Final = st.sampled_from(["0.70", "4000", "000000000000000001", "0.000000000001"])
LINES: Final = st.fixed_dictionaries(
    {
        "organization_id": IDS,
        "role": st.sampled_from(["producer", "community_fund"]),
        "fine_weight_g": WEIGHTS,
        "amount": AMOUNTS,
        "eligible": st.booleans(),
        "reason": st.none() | st.text(),
    }
)
RATES: Final = st.fixed_dictionaries(
    {"kind": st.just("per_mass"), "amount": SHARES, "unit": st.sampled_from(["GRM", "KGM", "APZ"])}
) | st.fixed_dictionaries({"kind": st.just("percent_of_benchmark"), "percent": SHARES})
PREMIUMS: Final = st.fixed_dictionaries(
    {
        "scheme_id": IDS,
        "scheme_version": st.sampled_from(["2019-07", "é", "v" * 64]),
        "currency": st.sampled_from(["USD", "CLP", "JOD"]),
        "rate": RATES,
        "total": AMOUNTS,
        "lines": st.lists(LINES, max_size=3),
    }
)
STEPS: Final = st.fixed_dictionaries({"step": st.text(), "rule": st.text(), "values": st.dictionaries(st.text(), st.text())})
ENTITLEMENTS: Final = st.fixed_dictionaries(
    {
        "entitlement_id": st.uuids().map(str),
        "refiner_id": IDS,
        "lot_id": IDS,
        "revision": COUNTING,
        "calculation": FROM_ZERO,
        "cause": st.sampled_from(["sale", "recalculation"]),
        "sale": st.fixed_dictionaries({"source": TEXTS, "id": TEXTS, "hash": HASHES}),
        "stage": st.sampled_from(["provisional", "final", "umpire", "cancelled"]),
        "sold_on": st.dates().map(str),
        "exporter_id": IDS,
        "payer_id": IDS,
        "registry_version": HASHES,
        "status": st.sampled_from(["settleable", "umpire_pending", "ineligible", "cancelled"]),
        "fineness_permille": st.none() | shaped(FINENESS_PATTERN),
        "fine_weight_g": st.none() | WEIGHTS,
        "sources": st.lists(st.fixed_dictionaries({"organization_id": IDS, "fine_weight_g": WEIGHTS}), max_size=3),
        "premiums": st.lists(PREMIUMS, max_size=2),
        "explanation": st.lists(STEPS, max_size=3),
    },
    optional={"replaces": st.none() | st.fixed_dictionaries({"revision": COUNTING, "calculation": FROM_ZERO})},
)


USUAL: Final[dict[str, Any]] = {
    "entitlement_id": "11111111-934b-5dd6-bf1d-4008790f3d45",
    "refiner_id": "REF-1",
    "lot_id": "LOT-1",
    "revision": 3,
    "calculation": 1,
    "cause": "recalculation",
    "replaces": {"revision": 2, "calculation": 0},
    "sale": {"source": "/refiners/REF-1", "id": "sale 1", "hash": "sha256:" + "c" * 64},
    "stage": "umpire",
    "sold_on": "2025-03-13",
    "exporter_id": "EXP-1",
    "payer_id": "PAY-1",
    "registry_version": "sha256:" + "b" * 64,
    "status": "umpire_pending",
    "fineness_permille": "873.3",
    "fine_weight_g": "2.000",
    "sources": [{"organization_id": "ORG-1", "fine_weight_g": "2.000"}],
    "premiums": [
        {
            "scheme_id": scheme,
            "scheme_version": "2019-07",
            "currency": "EUR",
            "rate": rate,
            "total": "1.40",
            "lines": [
                {
                    "organization_id": "ORG-1",
                    "role": "community_fund",
                    "fine_weight_g": "2.000",
                    "amount": "1.40",
                    "eligible": True,
                    "reason": None,
                }
            ],
        }
        for scheme, rate in (
            ("a", {"kind": "per_mass", "amount": "0.70", "unit": "KGM"}),
            ("b", {"kind": "percent_of_benchmark", "percent": "15"}),
        )
    ],
    "explanation": [{"step": "assay", "rule": "mean", "values": {"seller": "873.5"}}],
}


def contracted(value: bytes) -> dict[str, Any] | None:
    """What the contract reads, or None."""
    try:
        return Entitlement.model_validate_json(value).model_dump(mode="json")
    except ValidationError:
        return None


def decoded(value: bytes) -> dict[str, Any] | None:
    """What the quick reader reads, or None."""
    entitlement = decode_entitlement(value)
    if entitlement is None:
        return None
    read: dict[str, Any] = orjson.loads(msgspec.json.encode(entitlement))
    return read


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key or index) of a JSON value."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    return [(value, key) for key in keys] + [place for key in keys for place in places(value[key])]


@given(ENTITLEMENTS)
def test_what_is_right_is_read_quickly_and_as_the_contract_reads_it(sent: dict[str, Any]) -> None:
    value = orjson.dumps(sent)
    assert decoded(value) == contracted(value)
    assert decoded(value) is not None


@pytest.mark.parametrize("place", range(len(places(USUAL))))
def test_another_value_in_one_place_is_taken_only_where_the_contract_takes_it(place: int) -> None:
    for other in OTHERS:
        sent = copy.deepcopy(USUAL)
        container, key = places(sent)[place]
        container[key] = other
        value = msgspec.json.encode(sent)
        told, read = contracted(value), decoded(value)
        assert read in (None, told), other
        if read is None and told is not None:
            assert key == "entitlement_id", "only an id in another notation is left to the contract"


@pytest.mark.parametrize("place", range(len(places(USUAL))))
def test_what_is_missing_or_too_much_is_taken_only_where_the_contract_takes_it(place: int) -> None:
    missing, unknown, many = (copy.deepcopy(USUAL) for _ in range(3))
    container, key = places(missing)[place]
    del container[key]
    container, key = places(unknown)[place]
    container.append(container[key]) if isinstance(container, list) else container.update({f"{key}_": container[key]})
    container, key = places(many)[place]
    if isinstance(container[key], list):
        container[key] *= 1_000
    for sent in (missing, unknown, many):
        value = orjson.dumps(sent)
        assert decoded(value) == contracted(value)


@given(ENTITLEMENTS, st.data())
def test_bytes_that_are_damaged_are_read_as_the_contract_reads_them(sent: dict[str, Any], data: st.DataObject) -> None:
    value = bytearray(orjson.dumps(sent))
    first = data.draw(st.integers(0, len(value)))
    last = first + data.draw(st.integers(0, 3))
    value[first:last] = data.draw(
        st.binary(max_size=2) | st.sampled_from([b".0", b"e0", b"\\ud800", b"\\u0000", b" ", b',"revision":2', b"\xff"])
    )
    assert decoded(bytes(value)) in (None, contracted(bytes(value)))


@pytest.mark.parametrize(
    ("sent", "instead"),
    [
        (b'"revision":3,', b'"revision":3,"revision":2,'),
        (b'"revision":3,', b'"revision":3.0,'),
        (b'"revision":3,', b'"revision":3e0,'),
        (b'"revision":3,', b'"revision":03,'),
        (b'"lot_id":"', b'"lot_id":"\\ud800'),
        (b'"lot_id":"', b'"lot_id":"\xff'),
        (b'"lot_id":"', b'"lot_id":"\xed\xa0\x80'),
        (b"{", b"\xef\xbb\xbf{"),
        (b"{", b" {"),
        (b'"payer_id"', b'"payer_\\u0069d"'),
        (b'"eligible":true', b'"eligible":"true"'),
        (b'"eligible":true', b'"eligible":1'),
        (b'"reason":null', b'"reason":NaN'),
    ],
)
def test_what_json_readers_disagree_about_is_read_as_the_contract_reads_it(sent: bytes, instead: bytes) -> None:
    value = orjson.dumps(USUAL)
    assert sent in value
    for changed in (value.replace(sent, instead, 1), value + instead):
        assert decoded(changed) in (None, contracted(changed))


def test_every_entitlement_of_the_sample_is_read_quickly() -> None:
    values = [record.value for record in sample_entitlements()]
    assert len(values) > 16_000
    assert all(decode_entitlement(value) is not None for value in values)
