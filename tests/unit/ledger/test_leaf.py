"""Leaves are canonical JSON of what the contract says, never too large, and complete over all of their parts."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
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
from services.ledger.domain.account import AccountKey, SubjectKey
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

TEXTS: Final = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
EXPLANATIONS: Final = st.lists(
    st.fixed_dictionaries({"step": TEXTS, "rule": TEXTS, "values": st.dictionaries(st.sampled_from(["a", "b", "c"]), TEXTS)}),
    max_size=3,
).map(canonical_json)


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


@given(data=st.data())
def test_a_leaf_has_the_bytes_that_a_plain_writer_gives(data: st.DataObject) -> None:
    """Written a second time, slowly and member by member; the amounts before are those of any earlier entitlement."""
    ids = data.draw(st.lists(IDS, min_size=5, max_size=5, unique=True))
    before = entitlement(ids=ids, schemes=data.draw(st.integers(0, 3)))
    made = entitlement(ids=ids, schemes=data.draw(st.integers(0, 3)), explanation=data.draw(EXPLANATIONS))
    changed = msgspec.structs.replace(
        made,
        stage=data.draw(st.sampled_from(["provisional", "cancelled"])),
        fineness_permille=data.draw(st.none() | st.just("1.5")),
        sources=tuple(
            msgspec.structs.replace(source, fine_weight_mg=data.draw(st.integers(0, 10**9))) for source in made.sources
        ),
        lines=tuple(
            msgspec.structs.replace(line, amount="-0.02", amount_minor=-2, eligible=False, reason=data.draw(st.none() | TEXTS))
            for line in made.lines
        ),
    )
    drafts = transactions_of_difference(changed, cumulative_lines(before), cumulative_lines(changed))
    assert drafts is not None
    for draft in drafts:
        (leaf,) = leaves_of(draft, written_cause(changed), first_leaf=7, first_number=3, recorded_at=RECORDED_AT)
        nonce = orjson.loads(leaf.value)["nonce"]
        assert leaf.value == canonical_json(plain_leaf(draft, changed, leaf.transaction_id, nonce))


def plain_leaf(draft: TransactionDraft, cause: Entitlement, transaction_id: str, nonce: str) -> dict[str, Any]:
    """The leaf that stands at index 7 and number 3, of what belongs to an entitlement."""
    members: dict[str, Any] = {
        "cause": {
            "calculation": cause.position.calculation,
            "entitlement_id": cause.entitlement_id,
            "explanation": orjson.loads(cause.explanation),
            "fine_weight_g": cause.fine_weight_g,
            "fineness_permille": cause.fineness_permille,
            "kind": "entitlement",
            "lot_id": cause.lot.lot_id,
            "refiner_id": cause.lot.refiner_id,
            "registry_version": cause.registry_version,
            "revision": cause.position.revision,
            "sale": {"hash": cause.sale_hash, "id": cause.sale.id, "source": cause.sale.source},
            "sold_on": cause.sold_on.isoformat(),
            "stage": cause.stage,
            "status": cause.status,
        },
        "effective_on": draft.effective_on.isoformat(),
        "kind": "premium",
        "leaf_index": 7,
        "nonce": nonce,
        "part": 1,
        "parts": 1,
        "recorded_at": RECORDED_AT,
        "subject": {"id": draft.subject.id, "kind": draft.subject.kind},
        "subject_number": 3,
        "transaction_id": transaction_id,
        "transfers": [
            {
                "amount_minor": transfer.amount,
                "credit": plain_account(transfer.credit),
                "debit": plain_account(transfer.debit),
                "scope": {name: told for name, told in msgspec.structs.asdict(transfer.scope).items() if told is not None},
                "unit": transfer.debit.unit,
            }
            for transfer in draft.transfers
        ],
    }
    if draft.gold is not None:
        current, previous = (f"{mg // 1000}.{mg % 1000:03}" for mg in (draft.gold.current, draft.gold.previous))
        members["gold"] = {"fine_weight_g": current, "previous_fine_weight_g": previous}
    if draft.lines:
        members["lines"] = [
            {
                "amount": "0.00" if line is None else line.amount,
                "currency": key.unit,
                "eligible": line is not None and line.eligible,
                "fine_weight_g": None if line is None else line.fine_weight_g,
                "payer_id": key.payer_id,
                "previous_amount": f"{previous // 100}.{previous % 100:02}",
                "reason": None if line is None else line.reason,
                "role": key.role,
                "scheme_id": key.scheme_id,
                "scheme_version": None if line is None else line.scheme_version,
            }
            for key, line, previous in ((change.key, change.line, change.previous) for change in draft.lines)
        ]
    return members


def plain_account(account: AccountKey) -> dict[str, str]:
    """An account as leaves name it."""
    return {"owner_id": account.owner_id, "owner_kind": account.owner_kind, "purpose": account.purpose}


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
