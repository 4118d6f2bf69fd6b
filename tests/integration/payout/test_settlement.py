"""A premium's way from the ledger to the payee and into the books, against the ledger's own rules and a bank of others."""

from __future__ import annotations

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
