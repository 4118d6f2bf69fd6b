"""Whatever the bank sends, read once.

Goal: one call for a file from the pickup folder, and a closed union to match on.
Refuses: BankFileUnreadableError, with which the caller quarantines the original bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.payout.bank.bookings import AccountReport, account_reports_from
from services.payout.bank.status_report import StatusReport, status_report_from
from services.payout.bank.xml_message import MessageKind, parse_message


@dataclass(frozen=True, slots=True)
class ReceivedBookings:
    """A camt.052, camt.053 or camt.054."""

    kind: MessageKind
    reports: tuple[AccountReport, ...]


@dataclass(frozen=True, slots=True)
class NothingToDo:
    """A message that moves no money here: a pacs.004, whose credit comes as a booking, or our own pain.001."""

    kind: MessageKind


ReceivedFile = StatusReport | ReceivedBookings | NothingToDo


def read_received_file(data: bytes) -> ReceivedFile:
    """Read one file of the bank. Raises BankFileUnreadableError."""
    message = parse_message(data)
    match message.kind:
        case MessageKind.STATUS_REPORT:
            return status_report_from(message)
        case MessageKind.INTRADAY_REPORT | MessageKind.ACCOUNT_STATEMENT | MessageKind.NOTIFICATION:
            return ReceivedBookings(message.kind, account_reports_from(message))
        case MessageKind.PAYMENT_RETURN | MessageKind.PAYMENT_INITIATION:
            return NothingToDo(message.kind)
