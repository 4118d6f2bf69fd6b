"""What the ledger refuses, and premiums that are taken back while an order waits."""

from __future__ import annotations

from datetime import date

from premia.fsck.deviation import DeviationCode
from services.payout.errors import RefusalCode, Refused
from tests.integration.payout.books import Books


async def test_a_premium_taken_back_behind_our_view_voids_the_order_and_the_next_cycle_nets_it(books: Books) -> None:
    await books.account("ORG-PE-012")
    await books.premium("1498.08")
    await books.carry()
    await books.premium("1495.94", revision=2)  # the ledger has it, payout has not seen it
    cycle = await books.prepare()
    await books.carry_commands()
    await books.carry()
    assert await books.history() == ["reserving", "voiding", "voided"] or await books.history() == ["reserving", "voided"]
    assert await books.value("SELECT state FROM payout.cycle") == "empty"
    outcomes = await books.fetch("SELECT code FROM payout.command_outcome")
    assert "STALE_VIEW" in {row["code"] for row in outcomes}
    again = await books.prepare()
    assert again.cycle_id != cycle.cycle_id
    assert await books.results(again.cycle_id) == {"ORG-PE-012": ("ordered", 149_594, None)}


async def test_a_premium_taken_back_before_the_file_is_written_voids_the_order(books: Books) -> None:
    await books.account("ORG-PE-012")
    await books.account("ORG-PE-013")
    await books.premium("1498.08")
    await books.premium("300.00", organization_id="ORG-PE-013", lot_id="OTHER")
    await books.carry()
    cycle = await books.prepare()
    await books.carry()
    await books.approve(cycle.cycle_id)
    await books.premium("1495.94", revision=2)
    await books.carry()
    assert await books.history() == ["reserving", "reserved", "approved", "voiding", "voided"]
    await books.send()
    assert await books.order_states() == {"ORG-PE-012": "voided", "ORG-PE-013": "sent"}
    assert await books.ledger_balance("payable", "ORG-PE-012") == 149_594
    assert await books.ledger_balance("in_transit", "ORG-PE-012") == 0


async def test_what_is_sent_already_is_recovered_from_the_next_premium(books: Books) -> None:
    await books.account("ORG-PE-012")
    await books.premium("1498.08")
    await books.settle()
    await books.premium("1495.94", revision=2, on=date(2025, 5, 5))
    await books.bank_day("2025-03-28")
    assert await books.order_states() == {"ORG-PE-012": "settled"}
    assert await books.ledger_balance("payable") == -214
    await books.premium("500.00", lot_id="PE-2025-000150", on=date(2025, 5, 20))
    cycle_id = await books.settle(date(2025, 5, 30))
    assert await books.results(cycle_id) == {"ORG-PE-012": ("ordered", 49_786, None)}


async def test_another_payers_correction_never_takes_the_ledger_below_zero(books: Books) -> None:
    await books.account("ORG-PE-012")
    await books.premium("1000.00", lot_id="A", payer_id="PAY-02")
    await books.settle(date(2025, 3, 20))
    await books.bank_day("2025-03-28")
    await books.premium("900.00", lot_id="A", payer_id="PAY-02", revision=2)
    await books.premium("700.00", lot_id="B")
    await books.premium("150.00", lot_id="C")
    cycle_id = await books.settle()
    # PAY-02 has 100.00 to recover, the ledger has 750.00 as payable: lot C waits, the smallest that is enough.
    assert await books.results(cycle_id) == {"ORG-PE-012": ("ordered", 70_000, None)}
    assert await books.order_states() == {"ORG-PE-012": "sent"}


async def test_an_order_prepared_twice_on_a_restored_database_is_refused_by_the_ledger(books: Books) -> None:
    await books.account("ORG-PE-012")
    await books.premium("1498.08")
    await books.carry()
    cycle = await books.prepare()
    await books.carry()
    # An old backup knows nothing of the cycle; the ledger does.
    async with books.payout.acquire() as conn:
        await conn.execute("UPDATE payout.payout_order SET state = 'reserving'")
        await conn.execute("UPDATE payout.cycle SET state = 'preparing'")
    books.deviates.add(DeviationCode.HISTORY_WRONG)  # by hand, so their histories do not tell of it
    assert isinstance(await books.approve(cycle.cycle_id), Refused)
    refused = await books.approve(cycle.cycle_id)
    assert refused.code is RefusalCode.CYCLE_NOT_READY
