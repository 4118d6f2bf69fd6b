"""A premium's way from the ledger to the payee and into the books, against the ledger's own rules and a bank of others."""

from __future__ import annotations

from datetime import date

from schemas.statement import Statement
from tests.integration.payout.books import Books


async def test_a_premium_is_reserved_approved_sent_booked_and_settled(books: Books) -> None:
    await books.account("ORG-PE-012")
    await books.premium("1498.08")
    await books.settle()
    assert await books.order_states() == {"ORG-PE-012": "sent"}
    await books.bank_day("2025-03-28")
    assert await books.history() == [
        "reserving", "reserved", "approved", "sending", "sent", "accepted", "booked", "settled",
    ]  # fmt: skip
    assert await books.ledger_balance("payable") == 0
    assert await books.ledger_balance("in_transit") == 0
    assert await books.ledger_balance("bank") == 149_808


async def test_the_statement_of_a_period_redoes_its_sums_and_is_on_record_in_the_ledger(books: Books) -> None:
    await books.account("ORG-PE-012")
    await books.premium("1348.58", stage="provisional")
    await books.premium("1498.08", revision=2)
    await books.settle()
    await books.bank_day("2025-03-28")
    answers = await books.statements(date(2025, 3, 1), date(2025, 3, 31))
    assert [answer["refused"] for answer in answers] == [None]
    statement = Statement.model_validate_json(books.document(answers[0]["json_sha256"]))
    assert statement.statement_number == "0001-2025-03"
    assert [posting.lines[0].posted for posting in statement.postings] == ["1348.58", "149.50"]
    balance = statement.balances[0]
    assert (balance.opening, balance.premiums, balance.transferred, balance.closing) == ("0.00", "1498.08", "1498.08", "0.00")
    assert books.document(answers[0]["pdf_sha256"]).startswith(b"%PDF")
    await books.carry()
    again = await books.statements(date(2025, 3, 1), date(2025, 3, 31))
    assert [(answer["created"], answer["statement_id"]) for answer in again] == [(False, answers[0]["statement_id"])]
    attested = await books.value(
        "SELECT count(*) FROM payout.ledger_transaction WHERE kind = 'attested' AND subject_id = 'ORG-PE-012'"
    )
    assert attested == 1
