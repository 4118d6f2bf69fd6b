"""What a bank answers to a payment file (pain.002), in every version.

Goal: know which payments the bank refused, and never take its acceptance for payment: only a booking proves that.
Method: three levels, each may be absent: file, payment information, transaction. The lowest level that says something about a
payment wins; "partially accepted" says nothing about any one payment, and a transaction that is not listed under it is
accepted so far. Reports come repeatedly and out of order, so an outcome only says what may follow; the caller never goes back.
Refuses: BankFileUnreadableError. A status we do not know stays in flight and is marked, because guessing could pay twice.
Source: ISO 20022 pain.002; Swiss business rules 2.3 (under PART only the rejected are listed).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from lxml import etree

from services.payout.bank.errors import BankFileUnreadableError, UnreadableFault
from services.payout.bank.xml_message import (
    MessageKind,
    XmlMessage,
    children,
    instant_at,
    parse_message,
    required_text_at,
    text_at,
)


class StatusOutcome(StrEnum):
    """What a status means for one payment."""

    IN_FLIGHT = "in_flight"  # money stays reserved; wait for the booking
    CHANGED = "changed"  # in flight, but the bank changed something (a date): record what
    PENDING = "pending"  # in flight, waiting for somebody at the bank or at ours: tell a person after some days
    REJECTED = "rejected"  # will not be booked
    BLOCKED = "blocked"  # frozen: neither paid nor returned; a person decides
    UNKNOWN = "unknown"  # a code we do not know: stays in flight, tell a person


_OUTCOMES: Final = {
    **dict.fromkeys(("RCVD", "ACTC", "ACCP", "ACSP", "ACFC", "PATC", "ACSC", "ACCC"), StatusOutcome.IN_FLIGHT),
    "ACWC": StatusOutcome.CHANGED,
    **dict.fromkeys(("PDNG", "ACWP", "ACPD"), StatusOutcome.PENDING),
    **dict.fromkeys(("RJCT", "CANC"), StatusOutcome.REJECTED),
    "BLCK": StatusOutcome.BLOCKED,
}
# Partially accepted, and the results of checking payees' names: neither decides about a payment.
_NO_OUTCOME: Final = frozenset({"PART", "RCVC", "RVNA", "RVNM", "RVMC", "RVCM", "RVNC"})


class StatusLevel(StrEnum):
    """Where in the report the deciding status stood."""

    FILE = "file"
    PAYMENT_INFORMATION = "payment_information"
    TRANSACTION = "transaction"


@dataclass(frozen=True, slots=True)
class StatusReason:
    """Why: ISO's code or the bank's own, and the bank's words, verbatim."""

    code: str | None
    proprietary: str | None
    information: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TransactionStatus:
    """What the report says about one payment; any identifier may be missing, so all are kept."""

    end_to_end_id: str | None
    instruction_id: str | None
    uetr: str | None
    status: str | None
    reasons: tuple[StatusReason, ...]


@dataclass(frozen=True, slots=True)
class PaymentInformationStatus:
    """What the report says about one payment information block."""

    payment_information_id: str | None
    status: str | None
    reasons: tuple[StatusReason, ...]
    transactions: tuple[TransactionStatus, ...]


@dataclass(frozen=True, slots=True)
class PaymentVerdict:
    """What a report says about one payment, by the lowest level that says something."""

    outcome: StatusOutcome
    status: str
    level: StatusLevel
    reasons: tuple[StatusReason, ...]

    @property
    def reason_code(self) -> str | None:
        """The first ISO reason code, else the first of the bank's own; None where the bank gives no reason."""
        codes = [reason.code or reason.proprietary for reason in self.reasons]
        return next((code for code in codes if code), None)

    @property
    def information(self) -> str:
        """The bank's own words, verbatim, for people."""
        return " ".join(line for reason in self.reasons for line in reason.information)


@dataclass(frozen=True, slots=True)
class StatusReport:
    """One pain.002. `original_message_id` is the MsgId of the file it answers."""

    message_id: str
    created_at: datetime | None
    original_message_id: str
    original_message_name: str
    status: str | None
    reasons: tuple[StatusReason, ...]
    payment_informations: tuple[PaymentInformationStatus, ...]

    @property
    def answers_a_payment_file(self) -> bool:
        """Whether it is about a pain.001 at all; some banks leave the name out or write it without a version."""
        return self.original_message_name.startswith("pain.001")

    @property
    def file_is_rejected(self) -> bool:
        """Whether nothing of the file will be booked."""
        return self.status is not None and _OUTCOMES.get(self.status) is StatusOutcome.REJECTED

    def verdict_on(self, *, payment_information_id: str, end_to_end_id: str, uetr: str) -> PaymentVerdict | None:
        """What this report says about one payment of the file that it answers; None if it says nothing.

        Unlisted under a block or file that is partially accepted means accepted so far, which is nothing new: None too.
        """
        blocks = [
            block for block in self.payment_informations if block.payment_information_id in {payment_information_id, None}
        ]
        for block in blocks:
            for transaction in block.transactions:
                if _is_about(transaction, end_to_end_id, uetr):
                    verdict = _verdict(transaction.status, transaction.reasons, StatusLevel.TRANSACTION)
                    if verdict is not None:
                        return verdict
        for block in blocks:
            verdict = _verdict(block.status, block.reasons, StatusLevel.PAYMENT_INFORMATION)
            if verdict is not None:
                return verdict
        return _verdict(self.status, self.reasons, StatusLevel.FILE)


def read_status_report(data: bytes) -> StatusReport:
    """Read one pain.002. Raises BankFileUnreadableError."""
    return status_report_from(parse_message(data))


def status_report_from(message: XmlMessage) -> StatusReport:
    """Read one pain.002 that is parsed already. Raises BankFileUnreadableError."""
    if message.kind is not MessageKind.STATUS_REPORT:
        raise BankFileUnreadableError(UnreadableFault.MESSAGE_UNKNOWN, f"{message.kind} is no status report")
    body = message.body
    original = "OrgnlGrpInfAndSts"
    header = next(children(body, "GrpHdr"), body)
    # Some banks list transactions outside a block; they are read as a block without a name.
    outside = tuple(_transaction(element) for element in children(body, "TxInfAndSts"))
    blocks = tuple(_payment_information(element) for element in children(body, "OrgnlPmtInfAndSts"))
    return StatusReport(
        message_id=required_text_at(header, "MsgId"),
        created_at=instant_at(header, "CreDtTm"),
        original_message_id=required_text_at(body, f"{original}/OrgnlMsgId"),
        original_message_name=text_at(body, f"{original}/OrgnlMsgNmId") or "",
        status=text_at(body, f"{original}/GrpSts"),
        reasons=_reasons(body, f"{original}/StsRsnInf"),
        payment_informations=(*blocks, PaymentInformationStatus(None, None, (), outside)) if outside else blocks,
    )


def _payment_information(element: etree._Element) -> PaymentInformationStatus:
    return PaymentInformationStatus(
        payment_information_id=text_at(element, "OrgnlPmtInfId"),
        status=text_at(element, "PmtInfSts"),
        reasons=_reasons(element, "StsRsnInf"),
        transactions=tuple(_transaction(transaction) for transaction in children(element, "TxInfAndSts")),
    )


def _transaction(element: etree._Element) -> TransactionStatus:
    return TransactionStatus(
        end_to_end_id=text_at(element, "OrgnlEndToEndId"),
        instruction_id=text_at(element, "OrgnlInstrId"),
        uetr=text_at(element, "OrgnlUETR"),
        status=text_at(element, "TxSts"),
        reasons=_reasons(element, "StsRsnInf"),
    )


def _reasons(element: etree._Element, path: str) -> tuple[StatusReason, ...]:
    return tuple(
        StatusReason(
            code=text_at(reason, "Rsn/Cd"),
            proprietary=text_at(reason, "Rsn/Prtry"),
            information=tuple(line.text.strip() for line in children(reason, "AddtlInf") if line.text),
        )
        for reason in children(element, path)
    )


def _is_about(transaction: TransactionStatus, end_to_end_id: str, uetr: str) -> bool:
    if transaction.end_to_end_id is not None:
        return transaction.end_to_end_id == end_to_end_id
    return transaction.uetr == uetr


def _verdict(status: str | None, reasons: tuple[StatusReason, ...], level: StatusLevel) -> PaymentVerdict | None:
    if status is None or status in _NO_OUTCOME:
        return None
    return PaymentVerdict(_OUTCOMES.get(status, StatusOutcome.UNKNOWN), status, level, reasons)
