"""What the bank says, as mock-bank says it, and every message of it twice."""

from __future__ import annotations

import asyncio
from datetime import date
from uuid import UUID

from tests.integration.payout.books import ACCOUNTS, Books, registry_file
from tests.mock_bank import CLOSED_IBAN


async def sent(books: Books, amount: str = "412.36") -> UUID:
    """An order of ORG-PE-012 that the bank has."""
    await books.account("ORG-PE-012")
    await books.premium(amount)
    return await books.settle()


async def redeliver_everything(books: Books) -> list[str]:
    """Put every file of the bank into the folder again, as it was. Returns what became of each."""
    for path in list((books.bank.incoming / "archive").iterdir()):
        (books.bank.incoming / path.name.partition("-")[2]).write_bytes(path.read_bytes())
    return [file["outcome"] for file in await books.scan_bank()]


async def test_accepted_is_not_paid(books: Books) -> None:
    await sent(books)
    await asyncio.to_thread(books.bank.scan)
    for booking in books.bank.incoming.glob("camt.*.xml"):
        booking.rename(books.bank.incoming / f".{booking.name}")  # not there yet
    await books.scan_bank()
    await books.carry()
    assert await books.order_states() == {"ORG-PE-012": "accepted"}
    assert await books.ledger_balance("in_transit", "ORG-PE-012") == 41_236


async def test_notification_and_statement_report_one_booking_once(books: Books) -> None:
    await sent(books)
    await books.bank_day("2025-03-31")
    kinds = {row["kind"]: row for row in await books.fetch("SELECT kind, bookings, bookings_new FROM payout.bank_message"
                                                         " WHERE bookings > 0")}  # fmt: skip
    assert kinds.keys() == {"camt.053", "camt.054"}
    assert sum(row["bookings_new"] for row in kinds.values()) == 1
    assert await books.ledger_balance("bank") == 41_236


async def test_every_file_again_changes_nothing(books: Books) -> None:
    await sent(books)
    await books.bank_day("2025-03-31")
    before = await books.fetch("SELECT number FROM payout.outbox")
    outcomes = await redeliver_everything(books)
    assert outcomes
    assert set(outcomes) == {"repeated"}
    await books.carry()
    assert await books.fetch("SELECT number FROM payout.outbox") == before
    assert await books.order_states() == {"ORG-PE-012": "settled"}


async def test_the_same_booking_in_a_file_of_other_bytes_changes_nothing(books: Books) -> None:
    await sent(books)
    await books.bank_day("2025-03-31")
    archive = books.bank.incoming / "archive"
    notification = next(path for path in archive.iterdir() if "camt.054" in path.name)
    (books.bank.incoming / "again.xml").write_bytes(notification.read_bytes().replace(b"</Document>", b"\n</Document>"))
    (read,) = await books.scan_bank()
    assert (read["outcome"], read["bookings"], read["bookings_new"]) == ("read", 1, 0)
    await books.carry()
    assert await books.ledger_balance("bank") == 41_236


async def test_a_rejected_payment_is_payable_again_and_its_account_is_not(books: Books) -> None:
    file = registry_file()
    closed = file.organizations[0].payment_accounts[0].model_copy(update={"account": CLOSED_IBAN})
    organizations = (file.organizations[0].model_copy(update={"payment_accounts": (closed,)}), *file.organizations[1:])
    await books.apply_registry(file.model_copy(update={"organizations": organizations}))
    await sent(books)
    await books.bank_day("2025-03-28")
    assert await books.history() == ["reserving", "reserved", "approved", "sending", "sent", "rejected", "voided"]
    assert await books.ledger_balance("payable", "ORG-PE-012") == 41_236
    (account,) = await books.fetch("SELECT state FROM payout.account")
    assert account["state"] == "withdrawn"
    reasons = await books.fetch("SELECT reason FROM payout.account_event WHERE state = 'withdrawn'")
    assert [row["reason"] for row in reasons] == ["RJCT_AC04"]
    cycle = await books.prepare(date(2025, 3, 28))
    assert await books.results(cycle.cycle_id) == {"ORG-PE-012": ("held", 41_236, "HOLD_ACCOUNT_MISSING")}


async def test_after_a_new_verification_it_is_paid_by_a_new_attempt(books: Books) -> None:
    await asyncio.to_thread(
        books.bank.call, "PATCH", "/_mock/accounts/PREMIA", {"behaviour": "return-later", "parameters": {"days": 1}}
    )
    await sent(books)
    await books.bank_day("2025-04-01")
    assert await books.order_states() == {"ORG-PE-012": "returned"}
    await asyncio.to_thread(books.bank.call, "PATCH", "/_mock/accounts/PREMIA", {"behaviour": "accept"})
    await books.account("ORG-PE-012")
    await books.settle(date(2025, 4, 3))
    await books.bank_day("2025-04-04")
    assert await books.order_states() == {"ORG-PE-012": "settled"}
    ids = await books.fetch("SELECT DISTINCT end_to_end_id FROM payout.attempt")
    assert len(ids) == 2


async def test_a_payment_that_comes_back_later_is_payable_again(books: Books) -> None:
    parameters = {"days": 2, "reason": "AC04"}
    await asyncio.to_thread(
        books.bank.call, "PATCH", "/_mock/accounts/PREMIA", {"behaviour": "return-later", "parameters": parameters}
    )
    await sent(books)
    await books.bank_day("2025-04-02")
    assert await books.history() == [
        "reserving", "reserved", "approved", "sending", "sent", "accepted", "booked", "settled", "returning", "returned",
    ] or await books.history() == [
        "reserving", "reserved", "approved", "sending", "sent", "accepted", "booked", "returning", "returned",
    ]  # fmt: skip
    assert await books.ledger_balance("payable", "ORG-PE-012") == 41_236
    assert await books.ledger_balance("bank") == 0
    assert await books.value("SELECT count(*) FROM payout.open_item WHERE order_id IS NULL") == 1


async def test_what_the_banks_kept_of_a_return_is_charges(books: Books) -> None:
    parameters = {"days": 2, "reason": "AC04"}
    await asyncio.to_thread(
        books.bank.call, "PATCH", "/_mock/accounts/PREMIA", {"behaviour": "return-later", "parameters": parameters}
    )
    await sent(books)
    await asyncio.to_thread(books.bank.scan)
    await asyncio.to_thread(books.bank.advance_to, "2025-04-02")
    # mock-bank returns the whole amount; correspondents keep 25.00 of it.
    for path in books.bank.incoming.glob("*.xml"):
        text = path.read_text()
        if "camt." in path.name and "RRTN" in text:
            entries = text.split("<Ntry>")
            less = [entry.replace("412.36", "387.36") if "RRTN" in entry else entry for entry in entries]
            path.write_text("<Ntry>".join(less))
    await books.scan_bank()
    await books.carry()
    assert await books.order_states() == {"ORG-PE-012": "returned"}
    assert await books.ledger_balance("charges") == -2_500
    assert await books.ledger_balance("payable", "ORG-PE-012") == 41_236
    assert await books.ledger_balance("bank") == 2_500


async def test_a_payers_money_is_received_for_it(books: Books) -> None:
    await asyncio.to_thread(
        books.bank.call,
        "POST",
        "/_mock/credits",
        {"account": "PREMIA", "amount": 1_180_000, "note": ["Aporte primas 2025", "ref PAY-01"],
         "debtor": {"name": "Example Jewellers Ltd", "iban": "NL14MOCK0000000002"}},
    )  # fmt: skip
    await books.scan_bank()
    await books.carry()
    assert await books.ledger_balance("receivable", "PAY-01") == 1_180_000
    assert await books.ledger_balance("suspense") == 0


async def test_money_that_names_nobody_goes_to_suspense_once(books: Books) -> None:
    await asyncio.to_thread(
        books.bank.call,
        "POST",
        "/_mock/credits",
        {"account": "PREMIA", "amount": 50_000, "note": ["gracias"], "debtor": {"name": "Somebody"}},
    )
    await books.scan_bank()
    await asyncio.to_thread(books.bank.advance_to, "2025-03-31")
    await books.scan_bank()
    await books.carry()
    rows = await books.fetch("SELECT disposition, code FROM payout.booking")
    assert rows == [{"disposition": "suspend", "code": "PAYER_UNKNOWN"}]
    assert await books.ledger_balance("suspense") == 50_000


async def test_a_debit_that_is_not_ours_is_in_the_books_and_an_alarm(books: Books) -> None:
    await sent(books)
    await asyncio.to_thread(books.bank.scan)
    await asyncio.to_thread(books.bank.advance_to, "2025-03-31")
    (ours,) = await books.fetch("SELECT end_to_end_id FROM payout.attempt")
    for path in books.bank.incoming.glob("camt.*.xml"):
        path.write_text(path.read_text().replace(ours["end_to_end_id"], "SOMEBODY-ELSES"))
    # Nor by its UETR: banks do not always carry it.
    uetr = str(await books.value("SELECT uetr FROM payout.attempt"))
    for path in books.bank.incoming.glob("camt.*.xml"):
        path.write_text(path.read_text().replace(uetr, "6f1e1d2c-0000-4000-8000-000000000000"))
    await books.scan_bank()
    await books.carry()
    rows = await books.fetch("SELECT code FROM payout.booking")
    assert rows == [{"code": "UNMATCHED_DEBIT"}]
    assert await books.order_states() == {"ORG-PE-012": "accepted"}
    assert await books.ledger_balance("suspense") == -41_236


async def test_an_unreadable_file_is_kept_with_its_bytes_and_stops_nothing(books: Books) -> None:
    await sent(books)
    (books.bank.incoming / "broken.xml").write_bytes(b"<Document>")
    await books.bank_day("2025-03-31")
    rows = await books.fetch("SELECT name, code, content FROM payout.quarantined_file WHERE name = 'broken.xml'")
    assert [(row["code"], row["content"]) for row in rows] == [("NOT_XML", b"<Document>")]
    assert not (books.bank.incoming / "broken.xml").exists()
    assert await books.order_states() == {"ORG-PE-012": "settled"}


async def test_reports_on_somebody_elses_account_move_nothing(books: Books) -> None:
    await asyncio.to_thread(books.bank.advance_to, "2025-03-31")
    outcomes = await books.scan_bank()
    foreign = [file for file in outcomes if file["outcome"] == "quarantined"]
    assert foreign
    assert {file["code"] for file in foreign} == {"FOREIGN_ACCOUNT"}
    assert await books.value("SELECT count(*) FROM payout.booking") == 0


async def test_a_status_report_about_a_file_we_never_sent_is_kept_for_a_person(books: Books) -> None:
    cycle_id = await sent(books)
    await asyncio.to_thread(books.bank.scan)
    report = next(books.bank.incoming.glob("pain.002*.xml"))
    message_id = await books.value("SELECT message_id FROM payout.bank_file WHERE cycle_id = $1", cycle_id)
    report.write_text(report.read_text().replace(message_id, "0" * 32))
    for booking in books.bank.incoming.glob("camt.*.xml"):
        booking.unlink()
    (file,) = await books.scan_bank()
    assert (file["outcome"], file["code"]) == ("quarantined", "ORIGINAL_UNKNOWN")
    assert await books.order_states() == {"ORG-PE-012": "sent"}


async def test_a_duplicate_is_never_freed_because_the_first_one_may_have_been_paid(books: Books) -> None:
    await sent(books)
    await asyncio.to_thread(books.bank.scan)
    name, content = (await books.fetch("SELECT name, content FROM payout.bank_file"))[0].values()
    (books.bank.outgoing / name).write_bytes(content)  # as after a crash with a bank that leaves no trace
    await books.bank_day("2025-03-31")
    statuses = await books.fetch("SELECT DISTINCT outcome FROM payout.payment_status ORDER BY outcome")
    assert [row["outcome"] for row in statuses] == ["in_flight", "rejected"]
    assert await books.order_states() == {"ORG-PE-012": "settled"}
    assert await books.ledger_balance("bank") == 41_236
    assert len(await asyncio.to_thread(books.bank.call, "GET", "/_mock/payments")) == 1


async def test_a_silent_bank_that_books_settles_all_the_same(books: Books) -> None:
    await asyncio.to_thread(books.bank.call, "PATCH", "/_mock/accounts/PREMIA", {"behaviour": "silent"})
    await sent(books)
    await books.bank_day("2025-03-31")
    assert await books.history() == ["reserving", "reserved", "approved", "sending", "sent", "booked", "settled"]


async def test_the_payee_reads_its_account_as_it_was_verified(books: Books) -> None:
    await sent(books)
    content = await books.value("SELECT content FROM payout.bank_file")
    assert ACCOUNTS["ORG-PE-012"].encode() in content
    assert "Asociación Minera Ejemplo".encode() in content
