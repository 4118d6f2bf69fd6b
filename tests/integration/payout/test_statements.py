"""Statements over several periods: they chain, they redo, and they are never issued wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from schemas.payee_state import PayeeState
from schemas.statement import Statement, StatementBalance
from services.payout.errors import RefusalCode, Refused
from services.payout.statement.locale_text import LocaleText
from services.payout.statement.sentences import adjustment_paragraph
from tests.integration.payout.books import Books

MARCH = (date(2025, 3, 1), date(2025, 3, 31))
APRIL = (date(2025, 4, 1), date(2025, 4, 30))
MAY = (date(2025, 5, 1), date(2025, 5, 31))


async def issued(books: Books, period: tuple[date, date], organizations: Any = "paid") -> Statement:
    """The one statement that is issued."""
    books.now = datetime(2025, 6, 15, 9, 0, tzinfo=UTC)
    answers = await books.statements(*period, organizations)
    assert [answer["refused"] for answer in answers] == [None]
    await books.carry()
    return Statement.model_validate_json(books.document(answers[0]["json_sha256"]))


def usd(statement: Statement) -> StatementBalance:
    (balance,) = statement.balances
    return balance


async def paid_in_march(books: Books) -> None:
    await books.account("ORG-PE-012")
    await books.premium("1498.08")
    await books.settle()
    await books.bank_day("2025-03-31")


async def test_the_next_opening_is_the_last_closing(books: Books) -> None:
    await paid_in_march(books)
    await books.premium("60.00", lot_id="SMALL", on=date(2025, 3, 28))
    await books.carry()
    march = await issued(books, MARCH)
    assert (usd(march).closing, usd(march).breakdown.carried_over) == ("60.00", "60.00")
    await books.premium("500.00", lot_id="NEXT", on=date(2025, 4, 10))
    await books.carry()
    april = await issued(books, APRIL, ["ORG-PE-012"])
    assert (usd(april).opening, usd(april).premiums, usd(april).closing) == ("60.00", "500.00", "560.00")
    assert (march.number, april.number) == (1, 2)
    assert april.statement_number == "0002-2025-04"


async def test_a_correction_of_what_was_settled_is_an_adjustment(books: Books) -> None:
    await paid_in_march(books)
    await issued(books, MARCH)
    await books.premium("1495.94", revision=2, on=date(2025, 5, 5))
    await books.carry()
    may = await issued(books, MAY, ["ORG-PE-012"])
    assert (usd(may).premiums, usd(may).adjustments, usd(may).closing) == ("0.00", "-2.14", "-2.14")
    assert usd(may).breakdown.available == "-2.14"
    assert may.postings[0].lines[0].counts_as == "adjustment"


async def test_a_recalculation_that_takes_back_what_was_paid_is_an_adjustment_with_its_reason(books: Books) -> None:
    await paid_in_march(books)
    await issued(books, MARCH)
    await books.recalculated("0.00", instead_of="1498.08", reason="status:suspended")
    await books.carry()
    assert await books.ledger_balance("payable", "ORG-PE-012") == -149808
    await books.premium("500.00", lot_id="NEXT", on=date(2025, 4, 10))
    await books.carry()
    april = await issued(books, APRIL, ["ORG-PE-012"])
    assert (usd(april).opening, usd(april).premiums, usd(april).adjustments) == ("0.00", "500.00", "-1498.08")
    assert (usd(april).closing, usd(april).breakdown.available) == ("-998.08", "-998.08")
    again = next(posting for posting in april.postings if posting.lot_id == "PE-2025-000123")
    assert (again.calculation, again.effective_on, again.lines[0].counts_as) == (1, date(2025, 3, 14), "adjustment")
    text = LocaleText("es_PE")
    told = adjustment_paragraph(again, again.lines[0], april, usd(april), text)
    assert "Se volvió a calcular, con efecto al 14/03, porque cambiaron datos del registro o de la tarifa." in told
    assert "Antes 2,140.109 g = 1,498.08; ahora 2,140.109 g = 0.00 (sin prima: en la fecha de venta" in told
    assert "suspendida); diferencia -1,498.08. Se descuenta de sus próximas primas; no debe devolver nada." in told


async def test_the_rest_after_an_advance_that_was_stated_is_a_premium(books: Books) -> None:
    await books.premium("1348.58", stage="provisional")
    await books.carry()
    await issued(books, MARCH, ["ORG-PE-012"])
    await books.premium("1498.08", revision=2, on=date(2025, 4, 2))
    await books.carry()
    april = await issued(books, APRIL, ["ORG-PE-012"])
    assert (usd(april).premiums, usd(april).adjustments) == ("149.50", "0.00")


async def test_what_is_posted_late_for_a_closed_period_stands_in_the_first_open_one(books: Books) -> None:
    await paid_in_march(books)
    await issued(books, MARCH)
    await books.premium("70.00", lot_id="LATE", on=date(2025, 3, 20))
    await books.carry()
    april = await issued(books, APRIL, ["ORG-PE-012"])
    assert [posting.lot_id for posting in april.postings] == ["LATE"]
    assert april.postings[0].effective_on == date(2025, 3, 20)


async def test_what_takes_effect_after_the_period_is_left_for_the_next(books: Books) -> None:
    await paid_in_march(books)
    await books.premium("500.00", lot_id="NEXT", on=date(2025, 4, 10))
    await books.carry()
    march = await issued(books, MARCH)
    assert usd(march).closing == "0.00"
    assert usd(await issued(books, APRIL, ["ORG-PE-012"])).premiums == "500.00"


async def test_money_on_hold_says_what_it_waits_for_and_for_which_lots(books: Books) -> None:
    await books.premium("448.22", lot_id="PE-2025-000140")
    await books.carry()
    march = await issued(books, MARCH, "all")
    (hold,) = usd(march).holds
    assert (hold.code, hold.amount, hold.lot_ids) == ("HOLD_ACCOUNT_MISSING", "448.22", ("PE-2025-000140",))
    assert march.postings[0].lines[0].state is PayeeState.ON_HOLD


async def test_money_that_is_with_the_bank_is_on_its_way(books: Books) -> None:
    await books.account("ORG-PE-012")
    await books.premium("1498.08")
    await books.settle()
    march = await issued(books, MARCH, ["ORG-PE-012"])
    assert usd(march).breakdown.in_transit == usd(march).closing == "1498.08"
    assert march.postings[0].lines[0].state is PayeeState.SENT


async def test_a_return_names_reason_charges_and_the_payment_that_followed(books: Books) -> None:
    books.bank.call(
        "PATCH", "/_mock/accounts/PREMIA", {"behaviour": "return-later", "parameters": {"days": 1, "reason": "AC04"}}
    )
    await paid_in_march(books)
    assert await books.order_states() == {"ORG-PE-012": "returned"}
    books.bank.call("PATCH", "/_mock/accounts/PREMIA", {"behaviour": "accept"})
    march = await issued(books, MARCH)
    (entry,) = usd(march).returns
    assert (entry.amount, entry.charges, entry.reason_code, entry.paid_again_on) == ("1498.08", "0.00", "AC04", None)
    assert usd(march).closing == "1498.08"
    books.now = datetime(2025, 4, 3, tzinfo=UTC)
    await books.account("ORG-PE-012")
    await books.settle(date(2025, 4, 3))
    await books.bank_day("2025-04-04")
    april = await issued(books, APRIL)
    assert (usd(april).opening, usd(april).transferred, usd(april).closing) == ("1498.08", "1498.08", "0.00")
    assert usd(april).transferred_year_to_date == "1498.08"


async def test_a_period_that_a_statement_reaches_into_is_closed(books: Books) -> None:
    await paid_in_march(books)
    await issued(books, MARCH)
    (answer,) = await books.statements(date(2025, 3, 15), date(2025, 4, 15), ["ORG-PE-012"])
    assert answer["refused"]["code"] == "PERIOD_CLOSED"


async def test_an_organization_without_any_posting_has_a_statement_of_nothing(books: Books) -> None:
    statement = await issued(books, MARCH, ["ORG-PE-013"])
    assert (usd(statement).opening, usd(statement).closing) == ("0.00", "0.00")
    assert statement.postings == ()


async def test_a_gap_in_the_log_before_a_payees_leaf_waits(books: Books) -> None:
    await books.premium("100.00", lot_id="A", organization_id="ORG-PE-013")
    await books.premium("200.00", lot_id="B")
    records = await books.published()
    await books.take_in([record for record in records if record.key == b"ORG-PE-012"])
    (answer,) = await books.statements(*MARCH, ["ORG-PE-012"])
    assert answer["refused"]["code"] == "VIEW_INCOMPLETE"
    await books.take_in(records)
    assert usd(await issued(books, MARCH, ["ORG-PE-012"])).premiums == "200.00"


async def test_statements_need_their_role_and_a_period_that_ends_after_it_begins(books: Books) -> None:
    refused = await books.statements(*MARCH, actor="ana")
    assert isinstance(refused, Refused)
    assert refused.code is RefusalCode.ROLE_MISSING
    refused = await books.statements(MARCH[1], MARCH[0])
    assert refused.code is RefusalCode.PERIOD_INVALID


async def test_a_statement_that_does_not_balance_is_not_issued(books: Books) -> None:
    await paid_in_march(books)
    await books.damage("UPDATE payout.posting SET amount_minor = amount_minor + 1 WHERE kind = 'premium'")
    (answer,) = await books.statements(*MARCH)
    assert answer["refused"]["code"] == "STATEMENT_OUT_OF_BALANCE"
    assert await books.value("SELECT count(*) FROM payout.statement") == 0


async def test_the_statement_is_told_to_others_and_on_record_under_its_hash(books: Books) -> None:
    await paid_in_march(books)
    await issued(books, MARCH)
    digest = await books.value("SELECT json_sha256 FROM payout.statement")
    (event,) = await books.fetch("SELECT value FROM payout.outbox WHERE topic = 'premium.statements.v1'")
    assert digest.encode() in event["value"]
    leaf = await books.value("SELECT leaf FROM payout.ledger_transaction WHERE kind = 'attested' AND subject_kind = 'org'")
    assert digest.encode() in leaf
