"""The mock bank as demo and tests steer it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import click
import pytest

from premia.local.bank import Bank, BankRefusedError, bank_of
from premia.local.stack import LocalStack
from tests.integration.local.conftest import until

IBAN = "CH4499999000000202501"


@pytest.fixture
def stack(new_stack: Callable[..., LocalStack]) -> LocalStack:
    """A stack of which only the bank runs, in January 2014."""
    stack = new_stack(bank_clock="2014-01-02T08:00")
    stack.start_infrastructure(("bank",))
    return stack


@pytest.fixture
def bank(stack: LocalStack) -> Bank:
    """Its bank, with the programme's account."""
    bank = bank_of(stack.data_dir, stack.environment()["PREMIA_BANK_URL"])
    bank.open_programme_account(IBAN, name="Programa", bic="XMPLCHZZ")
    return bank


def test_payers_money_arrives_on_its_day_and_is_reported(bank: Bank, stack: LocalStack) -> None:
    assert bank.today() == date(2014, 1, 2)
    bank.credit(125_000, payer="Marca Ejemplo", reference="LOT-1", end_to_end_id="E2E-1")
    bank.credit(5_000, payer="Marca Ejemplo", reference="LOT-2", end_to_end_id="E2E-2", on=date(2014, 1, 6))
    assert bank.balance_minor() == 125_000
    assert bank.advance_to(date(2014, 1, 7)) == [date(2014, 1, 3), date(2014, 1, 6), date(2014, 1, 7)]
    assert bank.balance_minor() == 130_000
    written = {path.name.split("-")[0] for path in (stack.data_dir / "bank" / "incoming").iterdir()}
    assert written == {"camt.053.001.08", "camt.054.001.08"}


def test_only_the_programmes_account_gets_statements(bank: Bank, stack: LocalStack) -> None:
    bank.advance_to(date(2014, 2, 3))
    names = [path.name for path in (stack.data_dir / "bank" / "incoming").iterdir()]
    assert len(names) == 22
    assert all(name.startswith("camt.053.001.08-PREMIA-") for name in names)


def test_opening_the_account_again_keeps_its_balance(bank: Bank) -> None:
    bank.credit(1, payer="Marca Ejemplo", reference="x", end_to_end_id="x")
    bank.open_programme_account(IBAN, name="Programa, otra vez")
    assert bank.balance_minor() == 1


def test_a_file_dropped_is_taken_when_the_bank_is_asked_to_look(bank: Bank, stack: LocalStack) -> None:
    (stack.data_dir / "bank" / "outgoing" / "pain.001-1.xml").write_text("<nonsense/>", encoding="utf-8")
    taken = bank.scan_drop_folder()
    assert [(file["name"], file["status"]) for file in taken] == [("pain.001-1.xml", "RJCT")]
    assert bank.payments() == []


def test_the_clock_never_goes_back_not_even_when_the_bank_is_started_again(bank: Bank, stack: LocalStack) -> None:
    bank.advance_to(date(2014, 3, 3))
    killed = stack.kill_service("bank")
    until(lambda: stack.process_ids().get("bank", killed) != killed, "the bank is started again")
    stack.wait_ready(("bank",))
    assert bank.today() == date(2014, 3, 3)
    with pytest.raises(BankRefusedError, match="does not go backwards"):
        bank.advance_to(date(2014, 2, 1))


def test_a_bank_that_does_not_answer_is_one_line() -> None:
    with pytest.raises(click.ClickException, match="start it with `premia up`") as refusal:
        Bank("http://127.0.0.1:1").today()
    assert refusal.value.exit_code == 3
