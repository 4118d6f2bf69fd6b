"""What PostgreSQL itself refuses, whoever writes: transfers between units, of nothing, without leaf or account."""

from __future__ import annotations

import asyncpg
import pytest

from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.records import entitlement

MISSING, RULE = asyncpg.ForeignKeyViolationError, asyncpg.CheckViolationError
INSERT = """
    INSERT INTO ledger.transfer (leaf_index, number, debit_account_id, credit_account_id, amount, unit)
    SELECT $1, 9, d.account_id + $2, c.account_id, $3, $4 FROM ledger.account AS d, ledger.account AS c
    WHERE d.purpose = $5 AND c.purpose = $6 LIMIT 1"""


@pytest.mark.parametrize(
    ("transfer", "refused"),
    [
        ((0, 0, 1, "USD", "receivable", "payable"), None),
        ((0, 0, 1, "USD", "gold", "payable"), MISSING),
        ((0, 0, 1, "AU-MG", "receivable", "payable"), MISSING),
        ((0, 0, 1, "EUR", "receivable", "payable"), MISSING),
        ((0, 1000, 1, "USD", "receivable", "payable"), MISSING),
        ((7, 0, 1, "USD", "receivable", "payable"), MISSING),
        ((0, 0, 1, "USD", "payable", "payable"), RULE),
        ((0, 0, 0, "USD", "receivable", "payable"), RULE),
        ((0, 0, -1, "USD", "receivable", "payable"), RULE),
        ((0, 0, 2**53, "USD", "receivable", "payable"), RULE),
    ],
    ids=[
        "all is well", "an account of another unit", "gold between accounts of money", "another currency", "no such account",
        "no such leaf", "to itself", "of nothing", "of less than nothing", "more than JSON can hold",
    ],
)  # fmt: skip
async def test_a_transfer_that_does_not_fit_its_accounts_is_refused_by_the_database(
    ledger: Ledger, transfer: tuple[object, ...], refused: type[Exception] | None
) -> None:
    await ledger.post(entitlement())
    if refused is None:
        assert await ledger.conn.execute(INSERT, *transfer) == "INSERT 0 1"
        return
    with pytest.raises(refused):
        await ledger.conn.execute(INSERT, *transfer)


@pytest.mark.parametrize(
    ("owner_kind", "purpose", "unit"), [("bank", "bank", "USD"), ("org", "wallet", "USD"), ("org", "gold", "XAUG")]
)
async def test_an_account_of_no_known_kind_purpose_or_unit_is_refused_by_the_database(
    ledger: Ledger, owner_kind: str, purpose: str, unit: str
) -> None:
    with pytest.raises(RULE):
        await ledger.conn.execute("INSERT INTO ledger.account VALUES (1, $1, 'X', $2, $3)", owner_kind, purpose, unit)


async def test_a_side_of_an_account_that_would_overflow_is_refused_by_the_database(ledger: Ledger) -> None:
    await ledger.post(entitlement())
    with pytest.raises(asyncpg.NumericValueOutOfRangeError):
        await ledger.conn.execute("UPDATE ledger.balance SET debits = 9223372036854775807 + debits + 1")
