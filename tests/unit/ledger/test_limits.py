"""What domain/ defines without importing the contracts is what the contracts say."""

from __future__ import annotations

from pathlib import Path

import services.ledger
from schemas import ledger_transaction as contract
from schemas.ledger_command import OwnerKind
from schemas.sale_outcome import AcceptedDetail as ContractDetail
from services.ledger import limits
from services.ledger.adapters.command_topic import SUBJECT_KINDS
from services.ledger.domain import account, books, command, transaction

MIGRATION = (Path(services.ledger.__path__[0]) / "migrations" / "0001_journal" / "up.sql").read_text(encoding="utf-8")


def test_words_and_limits_are_those_of_the_contracts() -> None:
    assert account.FINE_GOLD == contract.FINE_GOLD
    assert account.PROGRAMME_OWNER_ID == contract.PROGRAMME_OWNER_ID
    assert limits.AMOUNT_MAX == contract.AMOUNT_MINOR_MAX
    assert {kind.value for kind in transaction.TransactionKind} == {kind.value for kind in contract.TransactionKind}
    assert {code.value for code in command.OutcomeCode} == {code.value for code in contract.OutcomeCode}
    assert {detail.value for detail in books.AcceptedDetail} == {detail.value for detail in ContractDetail}


def test_the_database_knows_the_same_words_and_limits() -> None:
    assert f"BETWEEN 1 AND {contract.AMOUNT_MINOR_MAX}" in MIGRATION
    assert f"unit = '{contract.FINE_GOLD}'" in MIGRATION
    for word in (*OwnerKind, *contract.Purpose, *ContractDetail, *books.ReservationState):
        assert f"'{word.value}'" in MIGRATION


def test_every_kind_of_command_says_whose_accounts_it_may_touch() -> None:
    assert set(SUBJECT_KINDS) == {"reserve", "settle", "void", "return", "receive", "suspend", "attest"}
