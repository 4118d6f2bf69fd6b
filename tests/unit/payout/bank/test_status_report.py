from __future__ import annotations

import pytest

from services.payout.bank.errors import BankFileUnreadableError, UnreadableFault
from services.payout.bank.rejection_reasons import RejectionAction, rejection_action
from services.payout.bank.status_report import (
    PaymentVerdict,
    StatusLevel,
    StatusOutcome,
    StatusReport,
    read_status_report,
)

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"
PAYMENT = {"payment_information_id": "F-1", "end_to_end_id": "aa", "uetr": "u-1"}


def report(below: str = "", *, group: str = "", namespace: str = NAMESPACE) -> StatusReport:
    return read_status_report(
        f"""<?xml version="1.0" encoding="UTF-8"?>
        <Document xmlns="{namespace}"><CstmrPmtStsRpt>
          <GrpHdr><MsgId>BANK-1</MsgId><CreDtTm>2025-03-27T10:00:00+01:00</CreDtTm></GrpHdr>
          <OrgnlGrpInfAndSts><OrgnlMsgId>F</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId>{group}</OrgnlGrpInfAndSts>
          {below}
        </CstmrPmtStsRpt></Document>""".encode()
    )


def group(status: str, reason: str = "") -> str:
    return f"<GrpSts>{status}</GrpSts>{reason}"


def block(status: str, *transactions: str, identifier: str = "F-1") -> str:
    written = f"<PmtInfSts>{status}</PmtInfSts>" if status else ""
    return f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>{identifier}</OrgnlPmtInfId>{written}{''.join(transactions)}</OrgnlPmtInfAndSts>"


def transaction(status: str, *, end_to_end_id: str | None = "aa", uetr: str | None = None, reason: str = "") -> str:
    identifiers = f"<OrgnlEndToEndId>{end_to_end_id}</OrgnlEndToEndId>" if end_to_end_id else ""
    identifiers += f"<OrgnlUETR>{uetr}</OrgnlUETR>" if uetr else ""
    return f"<TxInfAndSts>{identifiers}{f'<TxSts>{status}</TxSts>' if status else ''}{reason}</TxInfAndSts>"


def reason(code: str, *information: str) -> str:
    lines = "".join(f"<AddtlInf>{line}</AddtlInf>" for line in information)
    return f"<StsRsnInf><Rsn><Cd>{code}</Cd></Rsn>{lines}</StsRsnInf>"


def verdict(found: StatusReport) -> tuple[StatusOutcome, StatusLevel, str | None] | None:
    about: PaymentVerdict | None = found.verdict_on(**PAYMENT)
    return None if about is None else (about.outcome, about.level, about.reason_code)


@pytest.mark.parametrize(
    ("below", "group_status", "expected"),
    [
        ("", group("ACTC"), (StatusOutcome.IN_FLIGHT, StatusLevel.FILE, None)),
        ("", group("RJCT", reason("FF01")), (StatusOutcome.REJECTED, StatusLevel.FILE, "FF01")),
        ("", group("PART"), None),
        ("", "", None),
        (block("RJCT"), group("PART"), (StatusOutcome.REJECTED, StatusLevel.PAYMENT_INFORMATION, None)),
        (block("RJCT", identifier="other"), group("PART"), None),
        # Swiss practice: under PART only the rejected are listed, so nothing is said about ours.
        (block("PART", transaction("RJCT", end_to_end_id="bb")), group("PART"), None),
        (
            block("PART", transaction("RJCT", reason=reason("AC04", "closed", "since March"))),
            group("PART"),
            (StatusOutcome.REJECTED, StatusLevel.TRANSACTION, "AC04"),
        ),
        # The lowest level wins over an accepting block, and over a file that is rejected above it.
        (block("ACSP", transaction("RJCT")), group("ACSP"), (StatusOutcome.REJECTED, StatusLevel.TRANSACTION, None)),
        (block("", transaction("ACSP")), group("RJCT"), (StatusOutcome.IN_FLIGHT, StatusLevel.TRANSACTION, None)),
        # A listed transaction without a status of its own takes its block's.
        (block("ACSP", transaction("")), "", (StatusOutcome.IN_FLIGHT, StatusLevel.PAYMENT_INFORMATION, None)),
        # Matched by UETR where the bank leaves the end-to-end id out; outside of any block; block without a name.
        (
            block("", transaction("RJCT", end_to_end_id=None, uetr="u-1")),
            "",
            (StatusOutcome.REJECTED, StatusLevel.TRANSACTION, None),
        ),
        (transaction("PDNG"), "", (StatusOutcome.PENDING, StatusLevel.TRANSACTION, None)),
        (block("", transaction("ACWC")), "", (StatusOutcome.CHANGED, StatusLevel.TRANSACTION, None)),
        (block("", transaction("BLCK")), "", (StatusOutcome.BLOCKED, StatusLevel.TRANSACTION, None)),
        (block("", transaction("CANC")), "", (StatusOutcome.REJECTED, StatusLevel.TRANSACTION, None)),
        # Debtor's account debited, creditor credited, as far as the bank says: still only a booking is payment.
        (block("", transaction("ACSC")), "", (StatusOutcome.IN_FLIGHT, StatusLevel.TRANSACTION, None)),
        # A payee's name check is no outcome; a code of tomorrow stays in flight.
        (block("ACSP", transaction("RVNM")), "", (StatusOutcome.IN_FLIGHT, StatusLevel.PAYMENT_INFORMATION, None)),
        (block("", transaction("ZZZZ")), "", (StatusOutcome.UNKNOWN, StatusLevel.TRANSACTION, None)),
    ],
)
def test_the_lowest_level_that_says_something_wins(
    below: str, group_status: str, expected: tuple[StatusOutcome, StatusLevel, str | None] | None
) -> None:
    assert verdict(report(below, group=group_status)) == expected


def test_the_banks_words_are_kept_verbatim_for_people() -> None:
    found = report(block("", transaction("RJCT", reason=reason("AC04", "the account", "is closed"))))
    about = found.verdict_on(**PAYMENT)
    assert about is not None
    assert about.information == "the account is closed"


def test_a_banks_own_reason_code_is_read_too() -> None:
    own = "<StsRsnInf><Rsn><Prtry>X99</Prtry></Rsn></StsRsnInf>"
    assert verdict(report(block("", transaction("RJCT", reason=own)))) == (
        StatusOutcome.REJECTED,
        StatusLevel.TRANSACTION,
        "X99",
    )


@pytest.mark.parametrize(
    "namespace",
    [
        "urn:iso:std:iso:20022:tech:xsd:pain.002.001.03",
        "urn:iso:std:iso:20022:tech:xsd:pain.002.001.14",
        "http://www.six-interbank-clearing.com/de/pain.002.001.03.ch.02.xsd",
    ],
)
def test_every_version_reads_the_same(namespace: str) -> None:
    found = report(block("", transaction("RJCT")), group=group("PART"), namespace=namespace)
    assert verdict(found) == (StatusOutcome.REJECTED, StatusLevel.TRANSACTION, None)
    assert (found.message_id, found.original_message_id, found.answers_a_payment_file) == ("BANK-1", "F", True)


def test_a_rejected_file_is_told_from_a_partly_accepted_one() -> None:
    assert report(group=group("RJCT")).file_is_rejected
    assert not report(group=group("PART")).file_is_rejected


def test_a_report_without_the_file_it_answers_is_unreadable() -> None:
    data = f'<Document xmlns="{NAMESPACE}"><CstmrPmtStsRpt><GrpHdr><MsgId>B</MsgId></GrpHdr></CstmrPmtStsRpt></Document>'
    with pytest.raises(BankFileUnreadableError) as caught:
        read_status_report(data.encode())
    assert caught.value.fault is UnreadableFault.FIELD_MISSING
    assert "OrgnlMsgId" in str(caught.value)


@pytest.mark.parametrize(
    ("code", "action"),
    [
        ("AC04", RejectionAction.VERIFY_ACCOUNT),
        ("DUPL", RejectionAction.RECONCILE_DUPLICATE),
        ("FF01", RejectionAction.MEND_OUR_FILE),
        ("AM04", RejectionAction.TREASURY),
        ("DS0A", RejectionAction.TREASURY),
        ("RR04", RejectionAction.COMPLIANCE),
        ("TM01", RejectionAction.RETRY_NEXT_DAY),
        ("MS03", RejectionAction.PERSON_DECIDES),
        ("X99", RejectionAction.PERSON_DECIDES),
        (None, RejectionAction.PERSON_DECIDES),
    ],
)
def test_each_reason_leads_to_one_action(code: str | None, action: RejectionAction) -> None:
    assert rejection_action(code) is action
