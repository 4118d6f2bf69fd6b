"""Our bank files against a bank that others wrote: it reads what we write, we read what it writes, and both by the schemas."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID, uuid5

import pytest
from lxml import etree

from services.payout.bank import drop_folder, identifiers
from services.payout.bank.bookings import AccountReport, Booking, Direction
from services.payout.bank.credit_transfer import CreditTransfer, account_number
from services.payout.bank.drop_folder import Whereabouts
from services.payout.bank.pain001 import render_pain001
from services.payout.bank.received_file import NothingToDo, ReceivedBookings, ReceivedFile, read_received_file
from services.payout.bank.rejection_reasons import RejectionAction, rejection_action
from services.payout.bank.status_report import PaymentVerdict, StatusOutcome, StatusReport
from services.payout.bank.xml_message import MessageKind
from tests.mock_bank import CLOSED_IBAN, PROGRAMME_IBAN, MockBank, running_mock_bank
from tests.shared import SHARED
from tests.unit.payout.bank.payment_files import ORDER_NAMESPACE, order_id, payment_file, transfer

THURSDAY = "2025-03-27"
SAME_DAY = datetime(2025, 3, 27, 8, 0, tzinfo=UTC)


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[MockBank]:
    with running_mock_bank(tmp_path, clock=f"{THURSDAY}T09:00") as running:
        yield running


def send(bank: MockBank, *transfers: CreditTransfer, file_number: int = 1) -> UUID:
    """Write, check and drop one payment file, and let the bank take it. Returns the file's id."""
    file_id = uuid5(ORDER_NAMESPACE, f"file {file_number}")
    data = render_pain001(payment_file(*transfers, file_id=file_id, created_at=SAME_DAY))
    assert_valid_if_schema_at_hand(data, "pain.001.001.09.xsd")
    assert_valid_if_schema_at_hand(data, "pain.001.001.09.ch.03.xsd")
    drop_folder.drop_payment_file(bank.outgoing, identifiers.file_name(file_id), data)
    assert bank.scan()["scanned"] == 1
    return file_id


def receive(bank: MockBank) -> list[ReceivedFile]:
    """Read and archive everything that lies in the pickup folder."""
    received = []
    for path in drop_folder.list_incoming(bank.incoming):
        file = drop_folder.read_incoming(path)
        name = etree.QName(etree.fromstring(file.data)).namespace
        assert name is not None
        assert_valid_if_schema_at_hand(file.data, f"{name.rsplit(':', 1)[1]}.xsd")
        received.append(read_received_file(file.data))
        drop_folder.archive_incoming(path, file.sha256)
    return received


def assert_valid_if_schema_at_hand(data: bytes, schema_name: str) -> None:
    path = SHARED / "iso20022" / schema_name
    if path.is_file():
        etree.XMLSchema(etree.parse(path)).assertValid(etree.fromstring(data))


def reports_on_us(received: list[ReceivedFile], kind: MessageKind) -> list[AccountReport]:
    """The bank also reports on accounts that are not the programme's; those are nobody's business here."""
    return [
        report
        for file in received
        if isinstance(file, ReceivedBookings) and file.kind is kind
        for report in file.reports
        if report.account == PROGRAMME_IBAN
    ]


def bookings_of(received: list[ReceivedFile], kind: MessageKind = MessageKind.NOTIFICATION) -> list[Booking]:
    return [booking for report in reports_on_us(received, kind) for booking in report.bookings]


def status_reports(received: list[ReceivedFile]) -> list[StatusReport]:
    return [file for file in received if isinstance(file, StatusReport)]


def verdict(report: StatusReport, file_id: UUID, number: int) -> PaymentVerdict:
    found = report.verdict_on(
        payment_information_id=identifiers.payment_information_id(file_id),
        end_to_end_id=identifiers.end_to_end_id(order_id(number), 1),
        uetr=str(identifiers.uetr(order_id(number), 1)),
    )
    assert found is not None
    return found


def test_a_payment_is_accepted_and_then_booked_in_notification_and_statement_under_one_key(bank: MockBank) -> None:
    file_id = send(bank, transfer(1))
    (report,) = status_reports(receive(bank))
    assert report.original_message_id == identifiers.message_id(file_id)
    assert verdict(report, file_id, 1).outcome is StatusOutcome.IN_FLIGHT

    bank.advance_to("2025-03-29")
    received = receive(bank)
    (advised,) = bookings_of(received)
    assert advised.end_to_end_id == identifiers.end_to_end_id(order_id(1), 1)
    assert (advised.direction, advised.amount_minor, advised.currency) == (Direction.DEBIT, 247_515, "USD")
    assert advised.booked_on == date(2025, 3, 28)
    assert advised.counterparty_name == "Asociación Minera Ejemplo"
    assert advised.original_message_id == identifiers.message_id(file_id)
    (stated,) = bookings_of(received, MessageKind.ACCOUNT_STATEMENT)
    assert stated.booking_key == advised.booking_key


def test_a_statement_closes_where_its_bookings_lead(bank: MockBank) -> None:
    send(bank, transfer(1), transfer(2, amount_minor=10_000))
    bank.advance_to("2025-03-29")
    statements = reports_on_us(receive(bank), MessageKind.ACCOUNT_STATEMENT)
    assert len(statements) == 2
    for statement in statements:
        opening, closing = statement.balances
        moved = sum(b.amount_minor if b.direction is Direction.CREDIT else -b.amount_minor for b in statement.bookings)
        assert opening.amount_minor + moved == closing.amount_minor


def test_a_closed_account_is_rejected_and_the_other_payments_of_the_file_are_paid(bank: MockBank) -> None:
    file_id = send(bank, transfer(1), transfer(2, creditor_account=account_number(CLOSED_IBAN)))
    (report,) = status_reports(receive(bank))
    rejected = verdict(report, file_id, 2)
    assert (rejected.outcome, rejected.reason_code) == (StatusOutcome.REJECTED, "AC04")
    assert rejection_action(rejected.reason_code) is RejectionAction.VERIFY_ACCOUNT
    assert verdict(report, file_id, 1).outcome is StatusOutcome.IN_FLIGHT
    assert not report.file_is_rejected

    bank.advance_to("2025-03-29")
    assert [b.end_to_end_id for b in bookings_of(receive(bank))] == [identifiers.end_to_end_id(order_id(1), 1)]


def test_the_same_message_again_is_a_duplicate_that_must_not_be_resent(bank: MockBank) -> None:
    file_id = send(bank, transfer(1))
    receive(bank)
    send(bank, transfer(1))
    (report,) = status_reports(receive(bank))
    assert report.file_is_rejected
    duplicate = verdict(report, file_id, 1)
    assert duplicate.outcome is StatusOutcome.REJECTED
    assert rejection_action(duplicate.reason_code) is RejectionAction.RECONCILE_DUPLICATE

    bank.advance_to("2025-03-29")
    assert len(bookings_of(receive(bank))) == 1


def test_a_payment_that_comes_back_later_is_a_return_with_its_reason(bank: MockBank) -> None:
    bank.call("PATCH", "/_mock/accounts/PREMIA", {"behaviour": "return-later", "parameters": {"days": 2, "reason": "AC04"}})
    send(bank, transfer(1))
    bank.advance_to("2025-04-02")
    received = receive(bank)
    debit, credit = sorted(bookings_of(received), key=lambda booking: booking.booked_on)
    assert (debit.direction, debit.is_return) == (Direction.DEBIT, False)
    assert (credit.direction, credit.is_return, credit.return_reason) == (Direction.CREDIT, True, "AC04")
    assert credit.end_to_end_id == debit.end_to_end_id == identifiers.end_to_end_id(order_id(1), 1)
    assert credit.amount_minor == 247_515
    assert credit.counterparty_name == "Asociación Minera Ejemplo"
    # The banks' own message about it moves nothing a second time.
    assert NothingToDo(MessageKind.PAYMENT_RETURN) in received


def test_a_payers_money_is_a_credit_that_names_the_payer(bank: MockBank) -> None:
    bank.call(
        "POST",
        "/_mock/credits",
        {
            "account": "PREMIA",
            "amount": 1_180_000,
            "note": ["Aporte primas 2025", "ref PAY-01"],
            "wrap": 35,
            "debtor": {"name": "Marca de Relojes", "iban": "NL14MOCK0000000002"},
        },
    )
    (booking,) = bookings_of(receive(bank))
    assert (booking.direction, booking.amount_minor, booking.is_return) == (Direction.CREDIT, 1_180_000, False)
    assert (booking.counterparty_name, booking.end_to_end_id) == ("Marca de Relojes", None)
    assert booking.mentions("PAY-01")
    assert not booking.mentions("PAY-0")


def test_a_silent_bank_still_books_and_a_statement_shows_what_a_gap_left_out(bank: MockBank) -> None:
    bank.call("PATCH", "/_mock/accounts/PREMIA", {"behaviour": "silent"})
    send(bank, transfer(1))
    bank.advance_to("2025-03-29")
    received = receive(bank)
    assert status_reports(received) == []
    assert [b.amount_minor for b in bookings_of(received)] == [247_515]


def test_after_a_crash_the_folders_tell_whether_the_bank_has_the_file(bank: MockBank) -> None:
    file_id = uuid5(ORDER_NAMESPACE, "file 1")
    name = identifiers.file_name(file_id)
    data = render_pain001(payment_file(transfer(1), file_id=file_id))
    assert drop_folder.whereabouts(bank.outgoing, name) is Whereabouts.ABSENT
    drop_folder.drop_payment_file(bank.outgoing, name, data)
    assert drop_folder.whereabouts(bank.outgoing, name) is Whereabouts.WAITING
    bank.scan()
    assert drop_folder.whereabouts(bank.outgoing, name) is Whereabouts.TAKEN


def test_five_hundred_payments_in_one_file_are_each_booked_once(bank: MockBank) -> None:
    numbers = range(1, 501)
    send(bank, *(transfer(number, amount_minor=10_000 + number) for number in numbers))
    bank.advance_to("2025-03-29")
    booked = bookings_of(receive(bank))
    assert sorted(b.end_to_end_id or "" for b in booked) == sorted(identifiers.end_to_end_id(order_id(n), 1) for n in numbers)
    assert sum(b.amount_minor for b in booked) == sum(10_000 + number for number in numbers)
