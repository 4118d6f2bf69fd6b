from __future__ import annotations

from pathlib import Path

import pytest

from services.payout.bank.errors import BankFileUnreadableError, UnreadableFault
from services.payout.bank.limits import BANK_FILE_BYTES_MAX
from services.payout.bank.pain001 import render_pain001
from services.payout.bank.received_file import NothingToDo, read_received_file
from services.payout.bank.xml_message import MessageKind
from tests.unit.payout.bank.payment_files import payment_file

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.054.001.08"
BODY = "<BkToCstmrDbtCdtNtfctn><GrpHdr><MsgId>M{}</MsgId></GrpHdr></BkToCstmrDbtCdtNtfctn>"


def document(inside: str, *, before: str = "", namespace: str = NAMESPACE) -> bytes:
    return f'{before}<Document xmlns="{namespace}">{inside}</Document>'.encode()


def fault_of(data: bytes) -> UnreadableFault:
    with pytest.raises(BankFileUnreadableError) as caught:
        read_received_file(data)
    return caught.value.fault


def test_a_document_type_is_refused_with_and_without_entities(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("TOP-SECRET")
    laughs = "".join(f'<!ENTITY l{level} "{f"&l{level - 1};" * 10}">' for level in range(1, 10))
    for declaration in (
        "<!DOCTYPE Document>",
        '<!DOCTYPE Document [<!ENTITY e "x">]>',
        f'<!DOCTYPE Document [<!ENTITY e SYSTEM "file://{secret}">]>',
        '<!DOCTYPE Document SYSTEM "http://127.0.0.1:9/x.dtd">',
        f'<!DOCTYPE Document [<!ENTITY l0 "lol">{laughs}]>',
    ):
        for body in (BODY.format(""), BODY.format("&e;"), BODY.format("&l9;")):
            with pytest.raises(BankFileUnreadableError) as caught:
                read_received_file(document(body, before=declaration))
            assert caught.value.fault in {UnreadableFault.DOCTYPE_REFUSED, UnreadableFault.NOT_XML}
            assert "TOP-SECRET" not in str(caught.value)
    assert fault_of(document(BODY.format(""), before="<!DOCTYPE Document>")) is UnreadableFault.DOCTYPE_REFUSED


@pytest.mark.parametrize("kept", [1, 60, 120, -1])
def test_a_truncated_file_is_unreadable_and_not_half_read(kept: int) -> None:
    assert fault_of(document(BODY.format(""))[:kept]) is UnreadableFault.NOT_XML


def test_an_empty_file_is_unreadable() -> None:
    assert fault_of(b"") is UnreadableFault.FILE_EMPTY


def test_a_file_above_the_cap_is_not_even_parsed() -> None:
    assert fault_of(b"<" + b" " * BANK_FILE_BYTES_MAX) is UnreadableFault.FILE_TOO_LARGE


def test_depth_and_length_of_texts_are_limited() -> None:
    assert fault_of(document("<a>" * 300 + "</a>" * 300)) is UnreadableFault.NOT_XML
    assert fault_of(document(BODY.format("x" * 11_000_000))) is UnreadableFault.NOT_XML


@pytest.mark.parametrize(
    "data",
    [
        b"<html><body>Bad gateway</body></html>",
        b'{"error": "not xml"}',
        document("<BkToCstmrStmt/>"),
        document("<Unknown/>"),
        document(""),
        document(BODY.format(""), namespace="urn:example:camt.054.001.08"),
        document(BODY.format(""), namespace="urn:iso:std:iso:20022:tech:xsd:camt.060.001.05"),
        b'<Envelope xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.08"><BkToCstmrDbtCdtNtfctn/></Envelope>',
    ],
)
def test_what_is_no_message_of_ours_is_named_as_such(data: bytes) -> None:
    assert fault_of(data) in {UnreadableFault.MESSAGE_UNKNOWN, UnreadableFault.NOT_XML}


def test_a_file_in_an_encoding_it_does_not_declare_is_unreadable() -> None:
    assert fault_of(document(BODY.format("ñ")).decode().encode("latin-1")) is UnreadableFault.NOT_XML


def test_messages_that_move_no_money_here_are_recognised() -> None:
    assert read_received_file(render_pain001(payment_file())) == NothingToDo(MessageKind.PAYMENT_INITIATION)
    returned = document("<PmtRtr/>", namespace="urn:iso:std:iso:20022:tech:xsd:pacs.004.001.09")
    assert read_received_file(returned) == NothingToDo(MessageKind.PAYMENT_RETURN)


def test_comments_and_instructions_do_not_hide_the_message() -> None:
    read_received_file(document("<!-- a --><?b c?>" + BODY.format("<!-- x -->1")))
