from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from services.payout.bank.credit_transfer import (
    AccountNumber,
    AccountScheme,
    BankByBic,
    BankByClearingNumber,
    Debtor,
    PaymentFile,
    PostalAddress,
    account_number,
)
from services.payout.bank.errors import PaymentFileFault, PaymentFileInvalidError
from services.payout.bank.limits import AMOUNT_MINOR_MAX
from services.payout.bank.pain001 import PAIN001_NAMESPACE, render_pain001
from services.payout.bank.xml_message import MessageKind, message_kind
from tests.shared import SHARED, needs_shared
from tests.unit.payout.bank.payment_files import PROGRAMME_IBAN, payment_file, transfer

SCHEMAS = ("pain.001.001.09.xsd", "pain.001.001.09.ch.03.xsd")


@cache
def schema(name: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(SHARED / "iso20022" / name))


def assert_valid(data: bytes) -> None:
    for name in SCHEMAS:
        schema(name).assertValid(etree.fromstring(data))


def texts(data: bytes, path: str) -> list[str | None]:
    steps = "/".join(f"{{{PAIN001_NAMESPACE}}}{step}" for step in path.split("/"))
    return [element.text for element in etree.fromstring(data).iterfind(f".//{steps}")]


ADDRESS = PostalAddress(town="Puerto Modelo", country="CO", street="Calle 5", building_number="12-34", postal_code="050001")
VARIATIONS = {
    "plain": payment_file(),
    "three payments": payment_file(transfer(1), transfer(2, amount_minor=1), transfer(3, amount_minor=99)),
    "bank by clearing number": payment_file(
        transfer(creditor_bank=BankByClearingNumber("USABA", "999999992", "Banco Ejemplo", ADDRESS), creditor_address=ADDRESS)
    ),
    "creditor with IBAN": payment_file(transfer(creditor_account=account_number("NL41 MOCK 0000 0000 01"))),
    "no purpose, no tax id": payment_file(transfer(purpose=None, creditor_tax_id=None)),
    "yen, which have no decimals": payment_file(transfer(currency="JPY", amount_minor=1234)),
    "debtor account without IBAN": payment_file(
        debtor=Debtor(name="Programa", account=account_number("123456789"), account_currency="USD", bic="CHASUS33")
    ),
    "typography": payment_file(
        transfer(creditor_name="Coop. \u201cÑandú\u201d \u2013 D\u2019Oro", remittance="Línea 1\nLínea 2 \u2026")
    ),
    "longest texts": payment_file(
        transfer(
            creditor_name="Ñ" * 70,
            remittance="ü" * 140,
            creditor_account=account_number("9" * 34),
            creditor_address=PostalAddress("T" * 35, "BO", "S" * 70, "1" * 16, "2" * 16),
        )
    ),
    "largest amount": payment_file(transfer(amount_minor=AMOUNT_MINOR_MAX)),
}


@needs_shared
@pytest.mark.parametrize("name", VARIATIONS)
def test_what_we_write_is_valid_by_iso_and_by_the_swiss_profile(name: str) -> None:
    assert_valid(render_pain001(VARIATIONS[name]))


@needs_shared
@given(name=st.text(max_size=80), remittance=st.text(max_size=150), amount_minor=st.integers(1, AMOUNT_MINOR_MAX))
def test_whatever_people_type_is_either_valid_or_refused(name: str, remittance: str, amount_minor: int) -> None:
    file = payment_file(transfer(creditor_name=name, remittance=remittance, amount_minor=amount_minor))
    try:
        data = render_pain001(file)
    except PaymentFileInvalidError:
        return
    assert_valid(data)


def test_the_same_file_gives_the_same_bytes() -> None:
    assert render_pain001(payment_file()) == render_pain001(payment_file())


def test_counts_and_control_sums_are_those_of_the_payments() -> None:
    data = render_pain001(payment_file(transfer(1, amount_minor=247_515), transfer(2, amount_minor=5)))
    assert texts(data, "NbOfTxs") == ["2", "2"]
    assert texts(data, "CtrlSum") == ["2475.20", "2475.20"]
    assert texts(data, "InstdAmt") == ["2475.15", "0.05"]


def test_each_payment_is_asked_to_be_booked_alone_and_paid_at_our_cost() -> None:
    data = render_pain001(payment_file())
    assert texts(data, "BtchBookg") == ["false"]
    assert texts(data, "ChrgBr") == ["DEBT"]
    assert texts(data, "PmtInf/ReqdExctnDt/Dt") == ["2025-03-28"]
    assert texts(data, "CreDtTm") == ["2025-03-27T09:30:00Z"]


def test_a_bank_known_by_its_bic_is_not_named_beside_it() -> None:
    assert texts(render_pain001(payment_file()), "CdtrAgt/FinInstnId/Nm") == []


def test_accounts_go_where_their_kind_belongs() -> None:
    data = render_pain001(payment_file())
    assert texts(data, "DbtrAcct/Id/IBAN") == [PROGRAMME_IBAN]
    assert texts(data, "CdtrAcct/Id/Othr/Id") == ["00110345002001128890"]


def test_our_own_file_is_recognised_as_ours() -> None:
    assert message_kind(render_pain001(payment_file())) is MessageKind.PAYMENT_INITIATION


def refused(file: PaymentFile) -> tuple[PaymentFileFault, str]:
    with pytest.raises(PaymentFileInvalidError) as caught:
        render_pain001(file)
    return caught.value.fault, caught.value.field


@pytest.mark.parametrize(
    ("changes", "fault", "field"),
    [
        ({"amount_minor": 0}, PaymentFileFault.AMOUNT_NOT_POSITIVE, "amount_minor"),
        ({"amount_minor": -5}, PaymentFileFault.AMOUNT_NOT_POSITIVE, "amount_minor"),
        ({"amount_minor": AMOUNT_MINOR_MAX + 1}, PaymentFileFault.AMOUNT_TOO_LARGE, "amount_minor"),
        ({"currency": "USX"}, PaymentFileFault.CURRENCY_UNKNOWN, "currency"),
        ({"currency": "XAU"}, PaymentFileFault.CURRENCY_UNKNOWN, "currency"),
        ({"end_to_end_id": "A" * 32}, PaymentFileFault.REFERENCE_INVALID, "end_to_end_id"),
        ({"end_to_end_id": "a" * 31}, PaymentFileFault.REFERENCE_INVALID, "end_to_end_id"),
        ({"uetr": UUID("5b0e6f9e-3f0a-5d8f-9c39-0b1f0c2d3e4f")}, PaymentFileFault.UETR_INVALID, "uetr"),
        ({"creditor_name": " "}, PaymentFileFault.TEXT_EMPTY, "creditor_name"),
        ({"creditor_name": "N" * 71}, PaymentFileFault.TEXT_TOO_LONG, "creditor_name"),
        ({"remittance": "Премия"}, PaymentFileFault.TEXT_NOT_WRITABLE, "remittance"),
        ({"creditor_account": account_number("NL42MOCK0000000001")}, PaymentFileFault.ACCOUNT_INVALID, "creditor_account"),
        ({"creditor_account": account_number("123_456")}, PaymentFileFault.ACCOUNT_INVALID, "creditor_account"),
        ({"creditor_account": account_number("9" * 35)}, PaymentFileFault.ACCOUNT_INVALID, "creditor_account"),
        ({"creditor_bank": BankByBic("BCPLPEP")}, PaymentFileFault.BIC_INVALID, "creditor_bank.bic"),
        ({"creditor_bank": BankByBic("BCPLXXPL")}, PaymentFileFault.BIC_INVALID, "creditor_bank.bic"),
        ({"creditor_address": PostalAddress("", "PE")}, PaymentFileFault.TEXT_EMPTY, "creditor_address.town"),
        ({"creditor_address": PostalAddress("Chala", "PX")}, PaymentFileFault.COUNTRY_UNKNOWN, "creditor_address.country"),
        ({"creditor_address": PostalAddress("Chala", "pe")}, PaymentFileFault.COUNTRY_UNKNOWN, "creditor_address.country"),
        (
            {"creditor_bank": BankByClearingNumber("us", "1", "B", ADDRESS)},
            PaymentFileFault.REFERENCE_INVALID,
            "creditor_bank",
        ),
    ],
)
def test_what_banks_reject_is_refused_before_it_is_written(
    changes: dict[str, Any], fault: PaymentFileFault, field: str
) -> None:
    assert refused(payment_file(transfer(1), transfer(2, **changes))) == (fault, f"transfers.1.{field}")


def test_no_payments_are_no_file() -> None:
    assert refused(replace(payment_file(), transfers=())) == (PaymentFileFault.PAYMENT_COUNT, "transfers")


def test_two_currencies_are_two_files() -> None:
    fault, field = refused(payment_file(transfer(1), transfer(2, currency="EUR")))
    assert (fault, field) == (PaymentFileFault.CURRENCIES_MIXED, "transfers.1.currency")


def test_one_attempt_is_in_a_file_once() -> None:
    assert refused(payment_file(transfer(1), transfer(1))) == (PaymentFileFault.REFERENCE_REPEATED, "transfers.1.end_to_end_id")


def test_a_sum_beyond_the_control_sum_is_refused() -> None:
    many = payment_file(transfer(1, amount_minor=AMOUNT_MINOR_MAX), transfer(2))
    assert refused(many) == (PaymentFileFault.AMOUNT_TOO_LARGE, "transfers")


def test_a_time_without_zone_is_refused() -> None:
    naive = datetime(2025, 3, 27, 9, 30)  # noqa: DTZ001  # the mistake under test
    assert refused(payment_file(created_at=naive)) == (PaymentFileFault.TIME_WITHOUT_ZONE, "created_at")


def test_message_ids_are_checked_and_never_mapped() -> None:
    assert refused(payment_file(message_id="a_b")) == (PaymentFileFault.REFERENCE_INVALID, "message_id")


def test_a_mistyped_iban_does_not_pass_as_some_other_account() -> None:
    assert account_number("NL42 MOCK 0000 0000 01").scheme is AccountScheme.IBAN
    assert account_number("001-103-450020011288-90") == AccountNumber(AccountScheme.OTHER, "00110345002001128890")


def test_refusals_do_not_show_whole_account_numbers() -> None:
    with pytest.raises(PaymentFileInvalidError) as caught:
        render_pain001(payment_file(transfer(creditor_account=account_number("NL42MOCK0000000001"))))
    assert "0001" in str(caught.value)
    assert "MOCK0000000001" not in str(caught.value)
