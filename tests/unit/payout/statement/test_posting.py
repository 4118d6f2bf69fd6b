from __future__ import annotations

from typing import Any

import pytest

from schemas.ledger_transaction import LedgerTransaction, PremiumLine
from schemas.payee_state import PayeeState
from services.payout.statement.posting import statement_posting
from tests.unit.payout.statement.example import identifier, premium_step, step

DOCUMENTS = {
    "count": "3",
    "kind.0": "export_declaration",
    "number.0": "118-1",
    "issuer.0": "SUNAT",
    "kind.1": "transport_guide",
    "number.1": "0001-004512",
}


def leaf(**changes: Any) -> LedgerTransaction:
    fields: dict[str, Any] = {
        "transaction_id": identifier("leaf"),
        "leaf_index": 7,
        "subject": {"kind": "org", "id": "ORG-PE-012"},
        "subject_number": 3,
        "kind": "premium",
        "part": 1,
        "parts": 1,
        "effective_on": "2025-03-26",
        "recorded_at": "2025-03-26T10:00:00Z",
        "nonce": "0" * 32,
        "cause": {
            "kind": "entitlement",
            "entitlement_id": identifier("entitlement"),
            "refiner_id": "REF-CH-01",
            "lot_id": "PE-2025-000123",
            "revision": 2,
            "calculation": 0,
            "stage": "final",
            "status": "settleable",
            "sold_on": "2025-03-14",
            "sale": {"source": "/refiners/REF-CH-01", "id": "1", "hash": "sha256:" + "0" * 64},
            "registry_version": "sha256:" + "0" * 64,
            "fineness_permille": "873.3",
            "fine_weight_g": "2140.109",
            "explanation": [
                step("documents", "stated_in_part", **DOCUMENTS),
                premium_step("2140.109", "1498.08", "1498.08"),
            ],
        },
        "lines": [premium_line()],
        "gold": {"fine_weight_g": "2140.109", "previous_fine_weight_g": "2140.599"},
        "transfers": [],
    }
    return LedgerTransaction.model_validate(fields | changes)


def premium_line(amount: str = "1498.08", previous: str = "1348.58", **changes: Any) -> dict[str, Any]:
    return {
        "scheme_id": "sbg",
        "scheme_version": "2019-07",
        "payer_id": "PAY-01",
        "role": "producer",
        "currency": "USD",
        "fine_weight_g": "2140.109",
        "amount": amount,
        "previous_amount": previous,
        "eligible": True,
        "reason": None,
    } | changes


def state_of(line: PremiumLine) -> PayeeState:
    return PayeeState.SCHEDULED


def test_a_leaf_becomes_a_posting_figure_for_figure() -> None:
    found = statement_posting(leaf(), counted_as="premium", state_of=state_of)
    assert (found.leaf_index, found.lot_id, found.stage, found.fineness_permille) == (7, "PE-2025-000123", "final", "873.3")
    assert (found.own_fine_weight_g, found.previous_own_fine_weight_g) == ("2140.109", "2140.599")
    (line,) = found.lines
    assert (line.posted, line.counts_as, line.state) == ("149.50", "premium", PayeeState.SCHEDULED)


def test_papers_are_those_that_the_leaf_had_room_for() -> None:
    found = statement_posting(leaf(), counted_as="premium", state_of=state_of)
    assert [(paper.kind, paper.number, paper.issuer) for paper in found.documents] == [
        ("export_declaration", "118-1", "SUNAT"),
        ("transport_guide", "0001-004512", None),
    ]


@pytest.mark.parametrize(
    ("amount", "previous", "posted"), [("0.00", "3.90", "-3.90"), ("0.05", "0.00", "0.05"), ("7.00", "7.00", "0.00")]
)
def test_differences_keep_the_currencys_digits(amount: str, previous: str, posted: str) -> None:
    found = statement_posting(leaf(lines=[premium_line(amount, previous)]), counted_as="premium", state_of=state_of)
    assert found.lines[0].posted == posted
    assert (found.lines[0].state is None) == (posted == "0.00")


def test_a_funds_posting_carries_the_weight_it_was_computed_from() -> None:
    of_fund = leaf(gold=None, subject={"kind": "fund", "id": "FUND-1"}, lines=[premium_line(role="community_fund")])
    found = statement_posting(of_fund, counted_as="premium", state_of=state_of)
    assert (found.own_fine_weight_g, found.previous_own_fine_weight_g) == ("2140.109", None)


def test_a_leaf_that_posts_no_premium_is_no_posting() -> None:
    command = {"kind": "command", "command_id": identifier("c"), "command": "reserve", "command_hash": "h"}
    with pytest.raises(TypeError, match="posts no premium"):
        statement_posting(leaf(cause=command, lines=[], gold=None), counted_as="premium", state_of=state_of)
