"""Crashes around the drop folder: the bank has each file exactly once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from premia.fsck.deviation import DeviationCode
from services.payout.bank.errors import BankFolderUnusableError
from services.payout.use_cases.send_bank_files import send_bank_files
from tests.integration.payout.books import Books


async def written(books: Books) -> tuple[str, bytes]:
    """A file in state SENDING that no folder has seen; its name and bytes."""
    await books.account("ORG-PE-012")
    await books.premium("1498.08")
    await books.carry()
    cycle = await books.prepare()
    await books.carry()
    await books.approve(cycle.cycle_id)
    assert await books.write_files() == 1
    (file,) = await books.fetch("SELECT name, content, state FROM payout.bank_file")
    assert file["state"] == "SENDING"
    return file["name"], file["content"]


async def assert_paid_once(books: Books) -> None:
    await books.bank_day("2025-03-28")
    payments = await asyncio.to_thread(books.bank.call, "GET", "/_mock/payments")
    assert len(payments) == 1
    assert await books.order_states() == {"ORG-PE-012": "settled"}
    assert await books.ledger_balance("bank") == 149_808


async def test_a_crash_before_the_file_was_dropped_drops_the_very_same_bytes(books: Books) -> None:
    name, content = await written(books)
    await send_bank_files(books.payout, books.bank.outgoing, books.clock)
    assert (books.bank.outgoing / name).read_bytes() == content
    assert await books.order_states() == {"ORG-PE-012": "sent"}
    await assert_paid_once(books)


async def test_a_crash_while_the_file_waited_in_the_folder_drops_no_second_one(books: Books) -> None:
    name, content = await written(books)
    (books.bank.outgoing / name).write_bytes(content)
    before = (books.bank.outgoing / name).stat().st_mtime_ns
    await send_bank_files(books.payout, books.bank.outgoing, books.clock)
    assert (books.bank.outgoing / name).stat().st_mtime_ns == before
    await assert_paid_once(books)


async def test_a_crash_after_the_bank_took_the_file_drops_no_second_one(books: Books) -> None:
    name, content = await written(books)
    (books.bank.outgoing / name).write_bytes(content)
    await asyncio.to_thread(books.bank.scan)
    assert not (books.bank.outgoing / name).exists()
    await send_bank_files(books.payout, books.bank.outgoing, books.clock)
    assert not (books.bank.outgoing / name).exists()
    await assert_paid_once(books)


async def test_an_answer_proves_that_the_bank_has_the_file_even_where_no_folder_shows_it(books: Books) -> None:
    name, content = await written(books)
    (books.bank.outgoing / name).write_bytes(content)
    await asyncio.to_thread(books.bank.scan)
    for path in books.bank.outgoing.rglob(f"{name}*"):
        path.unlink()  # a bank that leaves no trace
    await books.scan_bank()
    assert await books.value("SELECT state FROM payout.bank_file") == "SENT"
    await send_bank_files(books.payout, books.bank.outgoing, books.clock)
    assert list(books.bank.outgoing.rglob("*.xml")) == []
    await assert_paid_once(books)


async def test_a_booking_is_proof_too(books: Books) -> None:
    await asyncio.to_thread(books.bank.call, "PATCH", "/_mock/accounts/PREMIA", {"behaviour": "silent"})
    name, content = await written(books)
    (books.bank.outgoing / name).write_bytes(content)
    await assert_paid_once(books)
    assert await books.value("SELECT state FROM payout.bank_file") == "SENT"


async def test_the_file_waits_while_the_folder_is_missing(books: Books, tmp_path: Path) -> None:
    await written(books)
    with pytest.raises(BankFolderUnusableError):
        await send_bank_files(books.payout, tmp_path / "nowhere", books.clock)
    assert await books.value("SELECT state FROM payout.bank_file") == "SENDING"
    assert await send_bank_files(books.payout, books.bank.outgoing, books.clock) == 1


async def test_a_half_written_copy_of_a_crash_is_written_anew(books: Books) -> None:
    name, content = await written(books)
    (books.bank.outgoing / f".{name}.part").write_bytes(content[:100])
    await send_bank_files(books.payout, books.bank.outgoing, books.clock)
    assert (books.bank.outgoing / name).read_bytes() == content


async def test_sending_again_sends_nothing(books: Books) -> None:
    await written(books)
    assert await send_bank_files(books.payout, books.bank.outgoing, books.clock) == 1
    assert await send_bank_files(books.payout, books.bank.outgoing, books.clock) == 0
    assert await books.write_files() == 0


async def test_an_order_whose_account_was_withdrawn_meanwhile_is_not_sent(books: Books) -> None:
    await books.account("ORG-PE-012")
    await books.premium("1498.08")
    await books.carry()
    cycle = await books.prepare()
    await books.carry()
    await books.approve(cycle.cycle_id)
    async with books.payout.acquire() as conn:
        await conn.execute("UPDATE payout.account SET state = 'withdrawn'")
    books.deviates.add(DeviationCode.HISTORY_WRONG)  # by hand, so its history does not tell of it
    assert await books.write_files() == 0
    await books.carry()
    assert await books.order_states() == {"ORG-PE-012": "voided"}
