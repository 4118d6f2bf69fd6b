"""Leaves are canonical JSON of what the contract says, never too large, and complete over all of their parts."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID

import orjson
from hypothesis import given
from hypothesis import strategies as st

from schemas.canonical_json import canonical_json
from schemas.cloudevents import CloudEventAttributes, from_headers
from schemas.identifiers import ID_CHARS_MAX, is_id
from schemas.identity import derived_id, derived_id_text
from schemas.ledger_transaction import LEAF_BYTES_MAX, LedgerTransaction
from schemas.ledger_words import TransactionKind
from services.ledger.adapters.leaf import leaves_of, written_cause
from services.ledger.adapters.messages import transaction_message
from services.ledger.domain.account import SubjectKey
from services.ledger.domain.difference import cumulative_lines, transactions_of_difference
from services.ledger.domain.entitlement import (
    Cause,
    Entitlement,
    LineKey,
    LotKey,
    Position,
    PremiumLine,
    SaleKey,
    SourceWeight,
)
from services.ledger.domain.transaction import CommandCause, TransactionDraft

RECORDED_AT: Final = "2025-03-27T10:00:00.123456Z"
IDS: Final = st.text(
    st.characters(exclude_characters="/", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=ID_CHARS_MAX
).filter(is_id)


def entitlement(*, ids: list[str], schemes: int, explanation: bytes = b"[]") -> Entitlement:
    """An entitlement of two organizations and a fund under some schemes."""
    refiner, lot, payer, first, second = ids
    lines = [
        PremiumLine(LineKey(name, role, "USD", f"{scheme}-{first}"[:256], payer), "v", "1.000", "1.50", 150, True, None)
        for scheme in range(schemes)
        for name, role in ((first, "producer"), (second, "community_fund"))
    ]
    return Entitlement(
        entitlement_id=str(UUID(int=1)),
        lot=LotKey(refiner, lot),
        position=Position(2, 0),
        cause=Cause.SALE,
        replaces=None,
        sale=SaleKey(f"/refiners/{refiner}", lot),
        sale_hash="sha256:" + "a" * 64,
        origin="gold.sales.v1/0/1",
        sequence=1,
        effective_on=date(2025, 3, 14),
        stage="final",
        status="settleable",
        sold_on=date(2025, 3, 14),
        registry_version="sha256:" + "b" * 64,
        fineness_permille="873.5",
        fine_weight_g="2.000",
        fine_weight_mg=2000,
        lines=tuple(lines),
        sources=(SourceWeight(LineKey(first, "source", "AU-MG", "", ""), 2000),),
        explanation=explanation,
        value=b"",
    )


@given(ids=st.lists(IDS, min_size=5, max_size=5, unique=True), schemes=st.integers(1, 16))
def test_any_leaf_is_canonical_read_by_the_contract_and_not_too_large(ids: list[str], schemes: int) -> None:
    made = entitlement(ids=ids, schemes=schemes)
    lines = cumulative_lines(made)
    drafts = transactions_of_difference(made, {}, lines)
    assert drafts is not None
    cause = written_cause(made)
    amount = 0
    for draft in drafts:
        leaves = leaves_of(draft, cause, first_leaf=7, first_number=3, recorded_at=RECORDED_AT)
        for place, leaf in enumerate(leaves):
            told = LedgerTransaction.model_validate_json(leaf.value)
            assert leaf.value == canonical_json(orjson.loads(leaf.value))
            assert len(leaf.value) <= LEAF_BYTES_MAX
            assert (told.leaf_index, told.subject_number, told.part) == (7 + place, 3 + place, 1 + place)
            assert (told.parts, str(told.transaction_id)) == (len(leaves), leaf.transaction_id)
            assert len(told.transfers) == len(leaf.transfers)
            amount += sum(transfer.amount_minor for transfer in told.transfers)
    assert amount == sum(lines.values())


def test_an_explanation_that_is_too_large_is_left_out_of_the_leaf() -> None:
    explanation = orjson.dumps([{"rule": "stated", "step": "documents", "values": {"number.0": "9" * 50_000}}])
    made = entitlement(ids=["R", "L", "P", "A", "B"], schemes=1, explanation=explanation)
    drafts = transactions_of_difference(made, {}, cumulative_lines(made))
    assert drafts is not None
    (leaf,) = leaves_of(drafts[0], written_cause(made), first_leaf=0, first_number=1, recorded_at=RECORDED_AT)
    assert orjson.loads(leaf.value)["cause"]["explanation"] == []


def test_two_leaves_of_equal_content_differ_by_their_nonce() -> None:
    cause = CommandCause(UUID(int=2), "attest", "sha256:" + "c" * 64)
    draft = TransactionDraft(SubjectKey("org", "A"), TransactionKind.ATTESTED, date(2025, 1, 1), cause, ())
    written = written_cause(cause)
    first, second = (leaves_of(draft, written, first_leaf=0, first_number=1, recorded_at=RECORDED_AT) for _ in range(2))
    assert first[0].transaction_id == second[0].transaction_id
    assert first[0].value != second[0].value


def test_headers_are_those_of_a_cloud_event() -> None:
    at = datetime(2025, 3, 27, 10, tzinfo=UTC)
    message = transaction_message(transaction_id=str(UUID(int=7)), subject_id="ORG-ñ", recorded_at=at, leaf=b"{}")
    attributes = from_headers(message.headers)
    assert attributes == CloudEventAttributes(str(UUID(int=7)), "/ledger", "ledger.transaction.v1", at)
    assert tuple(attributes.to_headers()) == message.headers


@given(parts=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n")), max_size=4))
def test_the_text_of_a_derived_id_is_the_ids(parts: list[str]) -> None:
    assert derived_id_text("kind", *parts) == str(derived_id("kind", *parts))
