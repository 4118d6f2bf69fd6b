from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.contract import first_fault
from schemas.statement import Statement, statement_number
from tests.unit.payout.statement.example import document, every_kind_of_line, nothing_moved, statement, yearly

Change = Callable[[dict[str, Any]], None]


def fault_of(change: Change) -> str:
    """The field that a changed statement is refused for."""
    changed = document()
    change(changed)
    with pytest.raises(ValidationError) as caught:
        Statement.model_validate(changed)
    return first_fault(caught.value).field


CORRECTION = {
    "on": "2025-03-20", "amount": "1.00", "leaf_index": 4000, "kind": "corrected", "reason_code": "WEIGHED_TWICE",
    "scheme_id": "sbg", "payer_id": "PAY-01",
}  # fmt: skip
EXCHANGE = {
    "on": "2025-03-20", "amount": "-1.00", "leaf_index": 4000, "other_currency": "PEN", "other_amount": "3.75",
    "rate": {"value": "3.7525", "source": "SBS", "side": "ask", "on": "2025-03-19"},
}  # fmt: skip


def money(**changes: Any) -> Change:
    def change(fields: dict[str, Any]) -> None:
        fields["balances"][0].update(changes)

    return change


def parts(**changes: Any) -> Change:
    def change(fields: dict[str, Any]) -> None:
        fields["balances"][0]["breakdown"].update(changes)

    return change


def of_posting(row: int, **changes: Any) -> Change:
    def change(fields: dict[str, Any]) -> None:
        fields["postings"][row].update(changes)

    return change


def of_line(row: int, **changes: Any) -> Change:
    def change(fields: dict[str, Any]) -> None:
        fields["postings"][row]["lines"][0].update(changes)

    return change


def of_statement(**changes: Any) -> Change:
    def change(fields: dict[str, Any]) -> None:
        fields.update(changes)

    return change


def both(first: Change, second: Change) -> Change:
    def change(fields: dict[str, Any]) -> None:
        first(fields)
        second(fields)

    return change


@pytest.mark.parametrize("issued", [statement(), every_kind_of_line(), nothing_moved(), yearly(12)])
def test_a_statement_that_redoes_is_taken_and_comes_back_the_same_from_its_json(issued: Statement) -> None:
    again = Statement.model_validate_json(issued.canonical_bytes())
    assert again == issued
    assert again.canonical_bytes() == issued.canonical_bytes()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (money(closing="448.23"), "balances.0.closing"),
        (money(opening="412.35"), "balances.0.closing"),
        (money(premiums="2514.90", closing="448.21"), "balances.0.breakdown"),
        (money(transferred="2887.50", closing="448.23"), "balances.0.transferred"),
        (money(returned="0.00"), "balances.0.returned"),
        (money(deducted="1.00"), "balances.0.deducted"),
        (money(ledger_payable="448.23"), "balances.0.ledger_payable"),
        (money(ledger_in_transit="0.01"), "balances.0.ledger_in_transit"),
        (money(holds=[]), "balances.0.breakdown.on_hold"),
        (money(exchanged="1.00"), "balances.0.exchanged"),
        (money(exchanges=[EXCHANGE]), "balances.0.exchanged"),
        (money(exchanges=[EXCHANGE], exchanged="-1.00"), "balances.0.closing"),
        (money(corrections=[CORRECTION]), "balances.0.adjustments"),
        (parts(available="0.01"), "balances.0.ledger_payable"),
        (parts(scheduled="0.01"), "balances.0.ledger_in_transit"),
        (parts(on_hold="448.2"), "balances.0"),
        (money(closing="448.220"), "balances.0"),
        # Totals that agree with each other, and not with their lines.
        (
            both(
                money(premiums="2514.92", closing="448.23", ledger_payable="448.23"),
                parts(available="0.01"),
            ),
            "balances.0.premiums",
        ),
        (of_line(1, counts_as="premium"), "balances.0.premiums"),
        (of_line(0, posted="1348.57"), "postings.0.lines.0.posted"),
        (of_line(0, currency="PEN"), "postings.0.lines.0.currency"),
        (of_line(0, scheme_version="2014-01"), "postings.0.lines.0.scheme_version"),
        (of_posting(0, leaf_index=4260), "postings.0.leaf_index"),
        (of_posting(0, leaf_index=4203), "postings.4.leaf_index"),
        (of_statement(tree_size=4230), "balances.0"),
        (of_statement(statement_number="0013-2025-03"), "statement_number"),
        (of_statement(period_to="2025-02-28"), "period_to"),
        (of_statement(year=2024), "year"),
        (of_statement(locale="es"), "locale"),
        (of_statement(balances=[]), "balances"),
        (of_statement(colour="red"), "colour"),
    ],
)
def test_a_statement_whose_sums_do_not_redo_is_refused_for_the_field_that_is_wrong(change: Change, field: str) -> None:
    assert fault_of(change) == field


def test_one_currency_has_one_balance() -> None:
    twice = document()
    twice["balances"].append(dict(twice["balances"][0]))
    with pytest.raises(ValidationError) as caught:
        Statement.model_validate(twice)
    assert first_fault(caught.value).field == "balances.1.currency"


def test_an_entry_of_nothing_is_refused() -> None:
    changed = document()
    entry = {"on": "2025-03-02", "amount": "0.00", "reason": "aporte", "leaf_index": 1}
    changed["balances"][0]["deductions"] = [entry]
    with pytest.raises(ValidationError, match="nothing or less"):
        Statement.model_validate(changed)


@pytest.mark.parametrize(
    ("number", "start", "end", "written"),
    [
        (12, date(2025, 3, 1), date(2025, 3, 31), "0012-2025-03"),
        (1, date(2024, 2, 1), date(2024, 2, 29), "0001-2024-02"),
        (7, date(2025, 10, 1), date(2025, 12, 31), "0007-2025-T4"),
        (3, date(2014, 1, 1), date(2014, 12, 31), "0003-2014"),
        (12345, date(2025, 3, 1), date(2025, 3, 31), "12345-2025-03"),
        (2, date(2025, 2, 1), date(2025, 4, 30), "0002-20250201-20250430"),
        (2, date(2025, 3, 2), date(2025, 3, 31), "0002-20250302-20250331"),
        (2, date(2024, 12, 1), date(2025, 12, 31), "0002-20241201-20251231"),
    ],
)
def test_numbers_name_the_period(number: int, start: date, end: date, written: str) -> None:
    assert statement_number(number, start, end) == written
