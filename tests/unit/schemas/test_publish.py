"""What is published is what the models say, down to the arithmetic that a schema can express."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter, ValidationError

from schemas.cloudevents import CloudEventAttributes
from schemas.decimals import NonNegativeDecimal, PositiveDecimal, PriceShare, Share, SignedDecimal
from schemas.gold_sale import Sale
from schemas.publish.asyncapi import header_schema
from schemas.publish.contracts import CONTRACT_BY_NAME, CONTRACTS, PublishedContract, Side
from schemas.publish.json_schema import FIELD_WORDS_FILE, field_words, published_schema
from schemas.publish.openapi import openapi_document
from schemas.publish.releases import breaking_differences, drift, publish, release, releases
from schemas.topics import DEAD_LETTER_TOPICS, TOPICS

DECIMALS = [SignedDecimal, NonNegativeDecimal, PositiveDecimal, Share, PriceShare]


def test_what_is_published_is_what_the_models_say() -> None:
    assert drift() == []


def test_no_release_is_broken() -> None:
    assert [f"{one.folder.name} {difference}" for one, difference in breaking_differences()] == []


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_a_published_schema_is_json_schema_2020_12(contract: PublishedContract) -> None:
    Draft202012Validator.check_schema(published_schema(contract, []))


def test_every_topic_has_its_contracts() -> None:
    events = {topic.name for topic in TOPICS} - set(DEAD_LETTER_TOPICS)
    assert {contract.topic for contract in CONTRACTS if contract.topic} == events


def test_every_meaning_of_a_field_is_used() -> None:
    contents = [*(published_schema(contract, []) for contract in CONTRACTS), openapi_document(1)]
    published = json.dumps(contents, ensure_ascii=False)
    unused = [name for name, words in field_words().items() if json.dumps(words, ensure_ascii=False)[1:-1] not in published]
    assert unused == [], f"in {FIELD_WORDS_FILE.name}"


@pytest.mark.parametrize("kind", DECIMALS, ids=["signed", "not negative", "positive", "share", "price share"])
@given(
    text=st.from_regex(r"-?[0-9]{0,3}(\.[0-9]{0,4})?", fullmatch=True) | st.from_regex(r"0{0,18}[012]?[0-9]{0,2}(\.0{0,13})?")
)
def test_a_decimal_is_valid_by_its_schema_if_and_only_if_it_is_by_the_model(kind: Any, text: str) -> None:
    adapter = TypeAdapter(kind)
    try:
        adapter.validate_python(text)
        by_model = True
    except ValidationError:
        by_model = False
    assert Draft202012Validator(adapter.json_schema()).is_valid(text) is (by_model and text.isascii() and "\n" not in text)


def sent(**changes: Any) -> dict[str, Any]:
    weight = {"value": "2450.60", "unit": "GRM"}
    return {
        "refiner_id": "REF-CH-01", "lot_id": "L", "revision": 1, "sequence": 0, "stage": "final", "exporter_id": "E",
        "payer_id": "P", "sold_on": "2025-03-14", "melt_weight": weight, "assays": [], "schemes": ["sbg"],
        "sources": [{"organization_id": "O", "melt_weight": weight}],
    } | changes  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"melt_weight": {"value": "0.00", "unit": "GRM"}},
        {"melt_weight": {"value": "-1", "unit": "GRM"}},
        {"melt_weight": {"value": 2450.6, "unit": "GRM"}},
        {"melt_weight": {"value": "1", "unit": "oz"}},
        {"price_share_of_benchmark": "93.5"},
        {"price_share_of_benchmark": "0"},
        {"schemes": ["sbg", "sbg"]},
        {"schemes": []},
        {"sources": []},
        {"revision": 0},
        {"lot_id": "a/b"},
        {"sold_on": "14.03.2025"},
        {"unknown": 1},
    ],
    ids=str,
)
def test_what_the_model_refuses_is_refused_by_the_schema_alone(changes: dict[str, Any]) -> None:
    validator = Draft202012Validator(published_schema(CONTRACT_BY_NAME["gold.sales.v1"], []))
    assert validator.is_valid(sent())
    Sale.model_validate(sent())
    assert not validator.is_valid(sent(**changes))
    with pytest.raises(ValidationError):
        Sale.model_validate(sent(**changes))


def test_only_what_others_read_is_open_to_fields_of_later_releases() -> None:
    for contract in CONTRACTS:
        closed = '"additionalProperties": false' in json.dumps(published_schema(contract, []))
        assert closed is (contract.side is Side.ONLY_WE_READ), contract.name


def test_headers_are_described_as_they_are_written() -> None:
    contract = CONTRACT_BY_NAME["premium.entitlements.v1"]
    schema = header_schema(contract)
    attributes = CloudEventAttributes("1", "/premium-calculator", contract.name, datetime(2025, 3, 14, tzinfo=UTC))
    texts = {name: content.decode() for name, content in attributes.to_headers()}
    missing = [error.message for error in Draft202012Validator(schema).iter_errors(texts)]
    assert sorted(re.findall(r"'(ce_[a-z]+)' is a required", " ".join(missing))) == [
        "ce_origin", "ce_salesequence", "ce_salesource", "ce_saletime",
    ]  # fmt: skip


def test_a_release_never_changes_and_the_next_draft_starts_when_the_models_do(tmp_path: Path) -> None:
    page = tmp_path / "events.md"
    draft = publish(tmp_path, page)
    assert (draft.number, draft.is_released, drift(tmp_path, page)) == (1, False, [])
    assert release(date(2025, 3, 14), tmp_path) is not None
    assert release(date(2025, 3, 14), tmp_path) is None
    assert publish(tmp_path, page).number == 1, "nothing changed since"
    changed = tmp_path / "v1" / "scheme.file.v1.schema.json"
    changed.write_text(changed.read_text(encoding="utf-8").replace("Currency of ISO 4217.", "A currency."), encoding="utf-8")
    assert [line.partition(":")[0] for line in drift(tmp_path, page)] == [
        "v1/scheme.file.v1.schema.json was released and is another now",
        "the models differ from v1",
    ]
    assert publish(tmp_path, page).number == 2, "a release is never written over"
    assert [one.is_released for one in releases(tmp_path)] == [True, False]
