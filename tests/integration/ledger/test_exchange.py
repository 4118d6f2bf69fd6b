"""One currency sold for another: at the rate that is on record, to the minor unit, and never more than there is."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka import ConsumerRecord

from schemas.ledger_transaction import CommandCause
from services.ledger.domain.exchange import bought_minor
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.records import command, entitlement, reserve, uuid_of

ORG = ("org", "ORG-1")
PAYABLE = {"kind": "payable", "scheme_id": "sbg", "payer_id": "PAY-1", "seen_subject_number": 1}


def exchange(
    name: str,
    sold: str,
    bought: str,
    rate: str,
    *,
    currencies: tuple[str, str] = ("USD", "PEN"),
    of: dict[str, Any] | None = None,
) -> ConsumerRecord[Any, Any]:
    """Sell for the organization's payable, or what `of` says."""
    return command(
        name,
        "exchange",
        ORG if of is None else ("programme", "sample"),
        sold={"currency": currencies[0], "amount": sold},
        bought={"currency": currencies[1], "amount": bought},
        rate={"value": rate, "source": "SBS", "side": "ask", "on": "2025-03-26"},
        of=PAYABLE if of is None else of,
    )


async def code_of(ledger: Ledger, name: str) -> str:
    """The code that the command was answered with."""
    return str((await ledger.outcome(uuid_of(name)))["code"])


async def test_a_payable_is_exchanged_over_the_fx_accounts_with_its_rate_on_record(ledger: Ledger) -> None:
    await ledger.post(entitlement(), exchange("X", "1000.00", "3752.50", "3.7525"))
    balances = await ledger.balances()
    assert balances["org:ORG-1:payable:USD"] == -49808
    assert balances["org:ORG-1:payable:PEN"] == -375250
    assert (balances["programme:programme:fx:USD"], balances["programme:programme:fx:PEN"]) == (-100000, 375250)
    leaf = (await ledger.leaves())[-1]
    assert isinstance(leaf.cause, CommandCause)
    assert leaf.kind.value == "exchanged"
    assert leaf.cause.rate is not None
    assert leaf.cause.rate.model_dump(mode="json") == {"value": "3.7525", "source": "SBS", "side": "ask", "on": "2025-03-26"}
    assert [(t.unit, t.scope.scheme_id, t.scope.payer_id) for t in leaf.transfers if t.scope] == [
        ("USD", "sbg", "PAY-1"),
        ("PEN", "sbg", "PAY-1"),
    ]
    assert await ledger.deviations() == []


async def test_what_was_promised_in_another_currency_is_bought_at_the_bank(ledger: Ledger) -> None:
    await ledger.post(
        entitlement(),
        exchange("X", "1000.00", "3752.50", "3.7525"),
        exchange("Y", "1000.00", "3752.50", "3.7525", of={"kind": "bank"}),
    )
    balances = await ledger.balances()
    assert not [name for name in balances if ":fx:" in name]
    assert (balances["programme:programme:bank:USD"], balances["programme:programme:bank:PEN"]) == (-100000, 375250)


@pytest.mark.parametrize(
    ("amounts", "rate", "currencies", "code"),
    [
        (("100.00", "375.25"), "3.7525", ("USD", "PEN"), "POSTED"),
        (("0.10", "0.38"), "3.7500", ("USD", "PEN"), "POSTED"),  # 0.375 is a tie: to the even 0.38
        (("0.10", "0.37"), "3.7500", ("USD", "PEN"), "AMOUNT_INVALID"),
        (("0.10", "0.36"), "3.6500", ("USD", "PEN"), "POSTED"),  # 0.365: to the even 0.36
        (("100.00", "95010"), "950.1", ("USD", "CLP"), "POSTED"),
        (("100.00", "95010.00"), "950.1", ("USD", "CLP"), "AMOUNT_INVALID"),
        (("100.00", "375.26"), "3.7525", ("USD", "PEN"), "AMOUNT_INVALID"),
        (("0.01", "0.00"), "0.1", ("USD", "PEN"), "AMOUNT_INVALID"),
        (("100.00", "100.00"), "1", ("USD", "USD"), "CURRENCY_MISMATCH"),
        (("100.00", "1.0000"), "0.01", ("USD", "XAU"), "AMOUNT_INVALID"),
        (("1498.09", "5621.58"), "3.7525", ("USD", "PEN"), "INSUFFICIENT_PAYABLE"),
        (("90071992547409.92", "1.00"), "1", ("USD", "PEN"), "AMOUNT_OVERFLOW"),
    ],
)
async def test_bought_is_sold_times_the_rate_to_the_minor_unit(
    ledger: Ledger, amounts: tuple[str, str], rate: str, currencies: tuple[str, str], code: str
) -> None:
    await ledger.post(entitlement(), exchange("X", *amounts, rate, currencies=currencies), reserve("NEXT", ["0.01"]))
    assert (await code_of(ledger, "X"), await code_of(ledger, "reserve NEXT")) == (code, "POSTED")


def test_minor_units_of_both_currencies_count() -> None:
    assert bought_minor(10_000, "950.1", 2, 0) == 95010
    assert bought_minor(95010, "0.001052520787", 0, 2) == 10000
    assert bought_minor(1_000, "0.3075", 3, 3) == 308  # 307.5: to the even 308


async def test_an_exchange_takes_money_back_so_older_views_are_stale(ledger: Ledger) -> None:
    await ledger.post(entitlement(), exchange("X", "1000.00", "3752.50", "3.7525"), reserve("A", ["1.00"], seen=1))
    await ledger.post(reserve("B", ["1.00"], seen=2), exchange("Y", "1.00", "3.75", "3.7525"))
    assert [await code_of(ledger, name) for name in ("reserve A", "reserve B", "Y")] == ["STALE_VIEW", "POSTED", "STALE_VIEW"]


async def test_a_rate_of_nothing_is_no_rate(ledger: Ledger) -> None:
    await ledger.post(exchange("X", "1.00", "1.00", "0.000"))
    outcome = await ledger.outcome(uuid_of("X"))
    assert (outcome["code"], outcome["message"].split()[0]) == ("SCHEMA_INVALID", "rate.value")
