"""What persons decide in the ledger (clearings, exchanges, openings, corrections) and what payout makes of it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from schemas.statement import Statement, StatementBalance
from services.payout.use_cases.measure import SUSPENDED
from tests.integration.ledger.records import clear, command, suspend, uuid_of
from tests.integration.payout.books import Books

ORG = ("org", "ORG-PE-012")
MARCH = (date(2025, 3, 1), date(2025, 3, 31))
APRIL = (date(2025, 4, 1), date(2025, 4, 30))
ATTEMPT = "SELECT attempt_id FROM payout.attempt"


async def balances(books: Books, period: tuple[date, date]) -> dict[str, StatementBalance]:
    """The organization's statement of a period, which is only issued if its sums redo and are what the ledger has."""
    books.now = datetime(2025, 6, 15, 9, 0, tzinfo=UTC)
    (answer,) = await books.statements(*period, ["ORG-PE-012"])
    assert answer["refused"] is None, answer
    await books.carry()
    statement = Statement.model_validate_json(books.document(answer["json_sha256"]))
    return {balance.currency: balance for balance in statement.balances}


def correction(
    name: str, *lines: tuple[str, str], kind: str = "correct", on: str = "2025-03-20", **members: Any
) -> dict[str, Any]:
    """Lines of (side, amount) on the organization's payable."""
    scope = {"scheme_id": "sbg", "payer_id": "PAY-01"}
    return {
        "correction_id": str(uuid_of(name)),
        "kind": kind,
        "subject": {"kind": "org", "id": "ORG-PE-012"},
        "effective_on": on,
        "reason": {"code": "WEIGHED_TWICE", "text": "La carga se pesó dos veces."},
        "lines": [{"purpose": "payable", "unit": "USD", "side": side, "amount": amount} | scope for side, amount in lines],
    } | members


def exchange(sold: str, bought: str, rate: str, *, seen: int) -> Any:
    """Sell part of what PAY-01 owes under sbg, for soles."""
    return command(
        f"exchange {sold}",
        "exchange",
        ORG,
        sold={"currency": "USD", "amount": sold},
        bought={"currency": "PEN", "amount": bought},
        rate={"value": rate, "source": "SBS", "side": "ask", "on": "2025-03-19"},
        of={"kind": "payable", "scheme_id": "sbg", "payer_id": "PAY-01", "seen_subject_number": seen},
    )


async def sent(books: Books) -> UUID:
    """An order of 1,498.08 is with the bank. Returns its reservation."""
    await books.account("ORG-PE-012")
    await books.premium("1498.08")
    await books.settle()
    reservation: UUID = await books.value(ATTEMPT)
    return reservation


async def test_a_booking_cleared_against_an_order_settles_it_and_shows_in_its_statement(books: Books) -> None:
    reservation = await sent(books)
    await books.command(suspend("B", "1498.08", direction="DBIT"))
    await books.command(_cleared(reservation, "settlement"))
    await books.carry()
    assert await books.order_states() == {"ORG-PE-012": "settled"}
    assert await books.history() == ["reserving", "reserved", "approved", "sending", "sent", "settled"]
    usd = (await balances(books, MARCH))["USD"]
    assert (usd.transferred, usd.closing, usd.transfers[0].account_last_four) == ("1498.08", "0.00", "3344")


async def test_a_return_cleared_out_of_suspense_frees_the_money(books: Books) -> None:
    reservation = await sent(books)
    await books.command(suspend("B", "1498.08", direction="DBIT"))
    await books.command(_cleared(reservation, "settlement"))
    await books.command(suspend("BACK", "1490.00"))
    await books.command(_cleared(reservation, "return", booking_key="BACK", amount="1490.00", charges="8.08"))
    await books.carry()
    assert await books.order_states() == {"ORG-PE-012": "returned"}
    usd = (await balances(books, MARCH))["USD"]
    assert (usd.returned, usd.returns[0].charges, usd.closing) == ("1498.08", "8.08", "1498.08")


async def test_an_approved_order_that_was_cleared_is_never_sent(books: Books) -> None:
    await books.account("ORG-PE-012")
    await books.premium("1498.08")
    await books.carry()
    cycle = await books.prepare()
    await books.carry()
    await books.approve(cycle.cycle_id)
    await books.command(suspend("B", "1498.08", direction="DBIT"))
    await books.command(_cleared(await books.value(ATTEMPT), "settlement"))
    await books.carry()
    assert (await books.send(), await books.order_states()) == (0, {"ORG-PE-012": "settled"})


async def test_a_booking_waits_for_a_person_until_it_is_cleared(books: Books) -> None:
    async def waiting() -> int:
        return sum(row["bookings"] for row in await books.fetch(SUSPENDED))

    async with books.admin() as conn:
        await conn.execute("INSERT INTO payout.bank_message VALUES ('\\x00', 'f', 'camt.053', 1, 1, now())")
        await conn.execute(
            "INSERT INTO payout.booking (booking_key, entry_key, whole_entry, direction, amount_minor, currency, booked_on,"
            " disposition, code, message_sha256) VALUES ('B', 'B', true, 'CRDT', 5000, 'USD', '2025-03-20', 'suspend',"
            " 'PAYER_UNKNOWN', '\\x00')"
        )
    await books.command(suspend("B", "50.00"))
    await books.command(clear("first", "B", "20.00", ("payer", "PAY-01"), kind="receivable"))
    await books.carry()
    assert await waiting() == 1
    await books.command(clear("rest", "B", "30.00", ("payer", "PAY-01"), kind="receivable"))
    await books.carry()
    assert await waiting() == 0


async def test_a_correction_is_an_adjustment_with_an_entry_of_its_own_and_is_paid(books: Books) -> None:
    await books.account("ORG-PE-012")
    await books.premium("1498.08")
    await books.correct(correction("C", ("credit", "101.92")))
    await books.carry()
    usd = (await balances(books, MARCH))["USD"]
    assert (usd.premiums, usd.adjustments, usd.closing) == ("1498.08", "101.92", "1600.00")
    (entry,) = usd.corrections
    assert (entry.amount, entry.kind, entry.reason_code, entry.payer_id) == ("101.92", "corrected", "WEIGHED_TWICE", "PAY-01")
    cycle_id = await books.settle()
    assert await books.results(cycle_id) == {"ORG-PE-012": ("ordered", 160_000, None)}


async def test_an_opening_balance_is_paid_with_the_first_cycle(books: Books) -> None:
    await books.account("ORG-PE-012")
    await books.correct(correction("O", ("credit", "250.00"), kind="open", on="2025-01-01"))
    await books.settle()
    await books.bank_day("2025-03-28")
    assert await books.order_states() == {"ORG-PE-012": "settled"}
    usd = (await balances(books, MARCH))["USD"]
    assert (usd.adjustments, usd.corrections[0].kind, usd.transferred, usd.closing) == ("250.00", "opened", "250.00", "0.00")


async def test_money_corrected_down_voids_what_was_not_sent_and_is_netted_with_premiums(books: Books) -> None:
    await books.account("ORG-PE-012")
    await books.premium("1498.08")
    await books.carry()
    cycle = await books.prepare()
    await books.carry()
    await books.approve(cycle.cycle_id)
    await books.correct(correction("down", ("debit", "98.08")))
    await books.carry()
    assert await books.history() == ["reserving", "reserved", "approved", "voiding", "voided"]
    cycle_id = await books.settle(date(2025, 3, 28))
    assert await books.results(cycle_id) == {"ORG-PE-012": ("ordered", 140_000, None)}


async def test_an_exchange_shows_in_both_currencies_and_both_close_on_what_the_ledger_has(books: Books) -> None:
    await books.premium("1498.08")
    await books.command(exchange("1000.00", "3752.50", "3.7525", seen=1))
    await books.carry()
    shown = await balances(books, MARCH)
    usd, pen = shown["USD"], shown["PEN"]
    assert (usd.exchanged, usd.closing, usd.ledger_payable) == ("-1000.00", "498.08", "498.08")
    assert (pen.exchanged, pen.closing, pen.ledger_payable) == ("3752.50", "3752.50", "3752.50")
    assert (usd.exchanges[0].other_currency, usd.exchanges[0].other_amount) == ("PEN", "3752.50")
    assert (pen.exchanges[0].other_amount, pen.exchanges[0].rate.value) == ("1000.00", "3.7525")


async def test_all_that_was_exchanged_leaves_nothing_to_pay_in_its_first_currency(books: Books) -> None:
    await books.account("ORG-PE-012")
    await books.premium("100.00")
    await books.command(exchange("100.00", "375.25", "3.7525", seen=1))
    await books.carry()
    cycle = await books.prepare()
    assert await books.results(cycle.cycle_id) == {"ORG-PE-012": ("held", 37_525, "HOLD_ACCOUNT_MISSING")}


async def test_a_correction_of_a_closed_period_stands_in_the_first_open_one(books: Books) -> None:
    await books.premium("1498.08")
    await books.carry()
    assert (await balances(books, MARCH))["USD"].closing == "1498.08"
    transaction_id = await books.correct(correction("C", ("credit", "10.00")))
    await books.correct(correction("R", reverses=str(transaction_id), on="2025-04-02"))
    await books.carry()
    usd = (await balances(books, APRIL))["USD"]
    assert [entry.amount for entry in usd.corrections] == ["10.00", "-10.00"]
    assert (usd.opening, usd.adjustments, usd.closing) == ("1498.08", "0.00", "1498.08")


def _cleared(reservation: UUID, kind: str, *, booking_key: str = "B", amount: str = "1498.08", **members: str) -> Any:
    return clear(f"clear {booking_key}", booking_key, amount, ORG, kind=kind, reservation_id=str(reservation), **members)
