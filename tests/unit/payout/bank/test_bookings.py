from __future__ import annotations

from datetime import date

import pytest

from services.payout.bank.bookings import Booking, Charge, Direction, read_bookings
from services.payout.bank.errors import BankFileUnreadableError, UnreadableFault
from services.payout.bank.xml_message import MessageKind

CONTAINERS = {
    "camt.052": ("BkToCstmrAcctRpt", "Rpt"),
    "camt.053": ("BkToCstmrStmt", "Stmt"),
    "camt.054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
}


def document(*entries: str, message: str = "camt.054", version: str = "08", extra: str = "", account: str = "CH1") -> bytes:
    outer, inner = CONTAINERS[message]
    return f"""<?xml version="1.0" encoding="UTF-8"?>
    <Document xmlns="urn:iso:std:iso:20022:tech:xsd:{message}.001.{version}"><{outer}>
      <GrpHdr><MsgId>M-1</MsgId><CreDtTm>2025-03-28T18:00:00+01:00</CreDtTm></GrpHdr>
      <{inner}><Id>R-1</Id><CreDtTm>2025-03-28T18:00:00</CreDtTm><Acct><Id><IBAN>{account}</IBAN></Id><Ccy>USD</Ccy></Acct>
      {extra}{"".join(entries)}</{inner}>
    </{outer}></Document>""".encode()


def entry(
    *details: str,
    amount: str = "2475.15",
    currency: str = "USD",
    direction: str = "DBIT",
    status: str = "<Sts><Cd>BOOK</Cd></Sts>",
    reference: str | None = "REF-1",
    extra: str = "",
    booked_on: str = "<BookgDt><Dt>2025-03-28</Dt></BookgDt>",
) -> str:
    servicer = f"<AcctSvcrRef>{reference}</AcctSvcrRef>" if reference else ""
    inside = f"<NtryDtls>{''.join(details)}</NtryDtls>" if details else ""
    return (
        f'<Ntry><Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{direction}</CdtDbtInd>{status}{booked_on}'
        f"<ValDt><Dt>2025-03-29</Dt></ValDt>{servicer}{extra}{inside}</Ntry>"
    )


def detail(
    end_to_end_id: str = "aa",
    *,
    amount: str | None = None,
    direction: str = "DBIT",
    reference: str | None = None,
    extra: str = "",
) -> str:
    servicer = f"<AcctSvcrRef>{reference}</AcctSvcrRef>" if reference else ""
    money = f'<Amt Ccy="USD">{amount}</Amt><CdtDbtInd>{direction}</CdtDbtInd>' if amount else ""
    return f"<TxDtls><Refs>{servicer}<EndToEndId>{end_to_end_id}</EndToEndId></Refs>{money}{extra}</TxDtls>"


def bookings(data: bytes) -> tuple[Booking, ...]:
    (report,) = read_bookings(data)
    return report.bookings


def test_a_debit_names_its_payment() -> None:
    extra = (
        "<RltdPties><Cdtr><Pty><Nm>Asociación Minera Ejemplo</Nm></Pty></Cdtr>"
        "<CdtrAcct><Id><Othr><Id>123</Id></Othr></Id></CdtrAcct></RltdPties>"
    )
    (booking,) = bookings(document(entry(detail("7c1e9a", extra=extra))))
    assert (booking.direction, booking.amount_minor, booking.currency) == (Direction.DEBIT, 247_515, "USD")
    assert (booking.booked_on, booking.value_on) == (date(2025, 3, 28), date(2025, 3, 29))
    assert (booking.end_to_end_id, booking.bank_reference, booking.account) == ("7c1e9a", "REF-1", "CH1")
    assert (booking.counterparty_name, booking.counterparty_account) == ("Asociación Minera Ejemplo", "123")
    assert not booking.is_return


def test_only_what_is_booked_moves_money() -> None:
    announced = [entry(status=f"<Sts><Cd>{status}</Cd></Sts>") for status in ("PDNG", "INFO", "FUTR")]
    (report,) = read_bookings(document(*announced, entry()))
    assert (len(report.bookings), report.entries_not_booked) == (1, 3)


def test_the_same_booking_has_the_same_key_in_every_message_and_version() -> None:
    keys = {
        booking.booking_key
        for data in (
            document(entry(detail())),
            document(entry(detail()), message="camt.053"),
            document(entry(detail()), message="camt.052"),
            document(entry(detail(), status="<Sts>BOOK</Sts>"), message="camt.053", version="02"),
            # A statement that repeats less than the advice.
            document(entry(), message="camt.053"),
        )
        for booking in bookings(data)
    }
    assert len(keys) == 1


def test_the_transactions_reference_comes_before_the_entrys() -> None:
    alone = bookings(document(entry(detail(reference="TX-7"), reference="BATCH-1")))
    elsewhere = bookings(document(entry(detail(reference="TX-7"), reference="BATCH-2"), message="camt.053"))
    assert alone[0].booking_key == elsewhere[0].booking_key
    assert alone[0].bank_reference == "TX-7"


@pytest.mark.parametrize(
    "other",
    [
        document(entry(reference="REF-2")),
        document(entry(direction="CRDT")),
        document(entry(amount="2475.16")),
        document(entry(), account="CH2"),
        document(entry(reference=None)),
    ],
)
def test_what_differs_in_account_direction_amount_or_reference_is_another_booking(other: bytes) -> None:
    assert bookings(document(entry()))[0].booking_key != bookings(other)[0].booking_key


def test_two_equal_entries_without_reference_in_one_message_are_two_bookings() -> None:
    fee = entry(amount="5.00", reference="NONREF")
    advised = bookings(document(fee))
    stated = bookings(document(fee, fee, message="camt.053"))
    assert advised[0].bank_reference is None
    assert len({booking.booking_key for booking in (*advised, *stated)}) == 2


def test_keys_show_nothing_of_the_account() -> None:
    (booking,) = bookings(document(entry()))
    assert len(booking.booking_key) == 64
    assert "CH1" not in booking.booking_key


def test_a_batch_becomes_one_booking_for_each_payment() -> None:
    batch = entry(detail("aa", amount="10.00"), detail("bb", amount="20.15"), amount="30.15")
    first, second = bookings(document(batch))
    assert [(b.end_to_end_id, b.amount_minor, b.whole_entry) for b in (first, second)] == [
        ("aa", 1000, False),
        ("bb", 2015, False),
    ]
    assert first.entry_key == second.entry_key
    assert first.booking_key != second.booking_key
    assert first.transactions_in_entry == 2


def test_payments_of_one_amount_under_one_batch_reference_are_told_apart_across_messages() -> None:
    two = bookings(document(entry(detail("aa", amount="10.00"), detail("bb", amount="10.00"), amount="20.00")))
    turned = bookings(
        document(entry(detail("bb", amount="10.00"), detail("aa", amount="10.00"), amount="20.00"), message="camt.053")
    )
    assert {b.booking_key: b.end_to_end_id for b in two} == {b.booking_key: b.end_to_end_id for b in turned}


@pytest.mark.parametrize(
    "details",
    [
        (detail("aa", amount="10.00"), detail("bb", amount="20.00")),
        (detail("aa", amount="10.00"), detail("bb")),
        (),
    ],
)
def test_a_batch_whose_details_are_missing_or_do_not_sum_up_is_one_booking_that_matches_nothing(
    details: tuple[str, ...],
) -> None:
    (booking,) = bookings(document(entry(*details, amount="30.15")))
    assert (booking.amount_minor, booking.end_to_end_id, booking.whole_entry) == (3015, None, True)


def test_the_details_of_a_batch_that_come_later_name_the_same_entry() -> None:
    without = bookings(document(entry(amount="30.15"), message="camt.053"))
    details = bookings(document(entry(detail("aa", amount="10.00"), detail("bb", amount="20.15"), amount="30.15")))
    assert {b.entry_key for b in details} == {without[0].entry_key}
    assert not {b.booking_key for b in details} & {without[0].booking_key}


RETURN_CODE = "<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>ICDT</Cd><SubFmlyCd>RRTN</SubFmlyCd></Fmly></Domn></BkTxCd>"
RETURN_REASON = "<RtrInf><Rsn><Cd>AC04</Cd></Rsn><AddtlInf>cuenta</AddtlInf><AddtlInf>cerrada</AddtlInf></RtrInf>"


@pytest.mark.parametrize(
    "returned",
    [
        entry(detail(extra=RETURN_REASON), direction="CRDT"),
        entry(detail(), direction="CRDT", extra=RETURN_CODE),
        entry(detail(), direction="CRDT", extra="<RvslInd>true</RvslInd>"),
    ],
)
def test_a_credit_that_is_marked_in_any_of_three_ways_is_a_return(returned: str) -> None:
    (booking,) = bookings(document(returned))
    assert booking.is_return
    assert booking.direction is Direction.CREDIT
    assert booking.amount_minor == 247_515


def test_a_returns_reason_is_read() -> None:
    (booking,) = bookings(document(entry(detail(extra=RETURN_REASON), direction="CRDT")))
    assert (booking.return_reason, booking.return_information) == ("AC04", "cuenta cerrada")


@pytest.mark.parametrize(
    "ordinary",
    [
        entry(detail(), direction="CRDT"),
        entry(detail(), direction="CRDT", extra="<RvslInd>false</RvslInd>"),
        entry(detail(extra=RETURN_REASON), direction="DBIT"),
    ],
)
def test_what_is_not_marked_or_not_a_credit_is_no_return(ordinary: str) -> None:
    assert not bookings(document(ordinary))[0].is_return


def test_a_reversal_mark_never_flips_the_direction() -> None:
    (booking,) = bookings(document(entry(direction="DBIT", extra="<RvslInd>true</RvslInd>")))
    assert booking.direction is Direction.DEBIT


def test_charges_and_the_amount_as_ordered_are_kept_beside_the_booking() -> None:
    extra = (
        '<AmtDtls><InstdAmt><Amt Ccy="PEN">100.00</Amt></InstdAmt></AmtDtls>'
        '<Chrgs><Rcrd><Amt Ccy="USD">25.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><ChrgInclInd>true</ChrgInclInd></Rcrd></Chrgs>'
    )
    (booking,) = bookings(document(entry(detail(extra=extra), direction="CRDT", amount="387.36")))
    assert booking.charges == (Charge(2500, "USD", Direction.DEBIT, included=True),)
    assert (booking.instructed_amount_minor, booking.instructed_currency) == (10_000, "PEN")
    assert booking.amount_minor == 38_736


def test_charges_of_the_older_version_are_read_too() -> None:
    extra = '<Chrgs><Amt Ccy="USD">25.00</Amt></Chrgs>'
    (booking,) = bookings(document(entry(detail(), extra=extra), version="02"))
    assert booking.charges == (Charge(2500, "USD", None, included=None),)


def test_money_received_names_its_payer_and_reference() -> None:
    extra = (
        "<RltdPties><Dbtr><Nm>Marca de Relojes</Nm></Dbtr><DbtrAcct><Id><IBAN>NL2</IBAN></Id></DbtrAcct></RltdPties>"
        "<RmtInf><Ustrd>Aporte PAY-</Ustrd><Ustrd>01 marzo</Ustrd>"
        "<Strd><CdtrRefInf><Ref>PAY-01/2025</Ref></CdtrRefInf></Strd></RmtInf>"
    )
    (booking,) = bookings(document(entry(detail("NOTPROVIDED", extra=extra), direction="CRDT", amount="1180.00")))
    assert (booking.counterparty_name, booking.counterparty_account) == ("Marca de Relojes", "NL2")
    assert booking.end_to_end_id is None
    assert booking.reference == "PAY-01/2025"
    assert booking.mentions("pay-01")
    assert not booking.mentions("PAY-0")
    assert not booking.mentions("AY-01")


def test_one_file_may_report_on_several_accounts() -> None:
    data = document(entry()).decode()
    second = data[data.index("<Ntfctn>") : data.index("</Ntfctn>") + len("</Ntfctn>")].replace("CH1", "CH2")
    reports = read_bookings(data.replace("</Ntfctn>", "</Ntfctn>" + second).encode())
    assert [report.account for report in reports] == ["CH1", "CH2"]
    assert reports[0].bookings[0].booking_key != reports[1].bookings[0].booking_key


def test_what_a_statement_needs_for_its_checks_is_read() -> None:
    extra = (
        "<StmtPgntn><PgNb>1</PgNb><LastPgInd>false</LastPgInd></StmtPgntn><ElctrncSeqNb>42</ElctrncSeqNb>"
        "<CpyDplctInd>DUPL</CpyDplctInd>"
        '<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="USD">5.00</Amt><CdtDbtInd>DBIT</CdtDbtInd>'
        "<Dt><Dt>2025-03-28</Dt></Dt></Bal>"
    )
    (report,) = read_bookings(document(entry(), message="camt.053", extra=extra))
    assert report.kind is MessageKind.ACCOUNT_STATEMENT
    assert (report.sequence_number, report.page_number, report.is_last_page) == ("42", "1", False)
    assert report.is_copy_or_duplicate
    (balance,) = report.balances
    assert (balance.code, balance.amount_minor, balance.balance_on) == ("CLBD", -500, date(2025, 3, 28))


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("5", "USD", 500),
        ("5.1", "USD", 510),
        ("5.10000", "USD", 510),
        ("0.05", "USD", 5),
        ("1234", "JPY", 1234),
        ("+5.00", "USD", 500),
    ],
)
def test_amounts_are_read_without_losing_a_digit(amount: str, currency: str, minor: int) -> None:
    assert bookings(document(entry(amount=amount, currency=currency)))[0].amount_minor == minor


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        (entry(amount="5.001"), UnreadableFault.FIELD_INVALID),
        (entry(amount="-5.00"), UnreadableFault.FIELD_INVALID),
        (entry(amount="5,00"), UnreadableFault.FIELD_INVALID),
        (entry(amount=""), UnreadableFault.FIELD_INVALID),
        (entry(amount="1e3"), UnreadableFault.FIELD_INVALID),
        (entry(currency="XXQ"), UnreadableFault.FIELD_INVALID),
        (entry(direction="DEBIT"), UnreadableFault.FIELD_INVALID),
        (entry(status=""), UnreadableFault.FIELD_MISSING),
        (entry(booked_on="<BookgDt><Dt>28.03.2025</Dt></BookgDt>"), UnreadableFault.FIELD_INVALID),
        (entry(booked_on="<BookgDt><Dt>9999-12-31</Dt></BookgDt>"), UnreadableFault.FIELD_INVALID),
        (entry(booked_on="<BookgDt><DtTm>0001-01-01T00:00:00Z</DtTm></BookgDt>"), UnreadableFault.FIELD_INVALID),
        ("<Ntry><Amt>5.00</Amt></Ntry>", UnreadableFault.FIELD_MISSING),
        (entry().replace(' Ccy="USD"', ""), UnreadableFault.FIELD_MISSING),
    ],
)
def test_a_file_with_one_unreadable_entry_moves_nothing_and_says_where(broken: str, fault: UnreadableFault) -> None:
    with pytest.raises(BankFileUnreadableError) as caught:
        read_bookings(document(entry(), broken))
    assert caught.value.fault is fault
    assert caught.value.location is not None
    assert "/Document/BkToCstmrDbtCdtNtfctn/Ntfctn/Ntry" in caught.value.location


def test_ten_thousand_bookings_in_one_batch_are_read_in_seconds() -> None:
    details = "".join(detail(f"{number:032x}", amount="1.00") for number in range(10_000))
    found = bookings(document(entry(details, amount="10000.00")))
    assert len({booking.booking_key for booking in found}) == 10_000
