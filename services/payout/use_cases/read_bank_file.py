"""Take in one file of the bank.

Goal: whatever the bank says is acted on once, however often and in however many messages it says it; nothing is lost.
Method: a file is applied whole, under the hash of its bytes. A status report moves orders by its lowest level and never
back; it proves no payment. Every booking is written once under its key, and once more only if it is another movement: settled,
returned, received from a payer, or put into suspense. Each is a command to the ledger in the same SQL transaction.
Refuses: nothing; what cannot be used is kept with its bytes for a person (quarantined), and the file counts as read.
Source: design, sections 3.4 and 7.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from services.payout.bank.bookings import AccountReport
from services.payout.bank.credit_transfer import account_number
from services.payout.bank.drop_folder import IncomingFile
from services.payout.bank.received_file import NothingToDo, ReceivedBookings, ReceivedFile
from services.payout.bank.rejection_reasons import RejectionAction, rejection_action
from services.payout.bank.status_report import PaymentVerdict, StatusOutcome, StatusReport
from services.payout.bank.xml_message import MessageKind
from services.payout.domain.order_state import WITH_THE_BANK, OrderState
from services.payout.errors import QuarantineCode
from services.payout.metrics import BANK_FILES_READ_TOTAL, BANK_FILES_REPEATED_TOTAL
from services.payout.registry_view import RegistryView
from services.payout.use_cases.apply_booking import apply_booking
from services.payout.use_cases.change_orders import OrderChange, change_orders
from services.payout.use_cases.send_bank_files import mark_sent
from services.payout.use_cases.void_orders import void_orders
from services.payout.use_cases.withdraw_account import withdraw_doubted_account

if TYPE_CHECKING:
    from asyncpg import Record

    from services.runtime.database import Connection

log = logging.getLogger(__name__)

_REASON: Final = re.compile(r"[A-Z0-9]{4}")
KNOWN: Final = """
    SELECT EXISTS (SELECT FROM payout.bank_message WHERE sha256 = $1)
        OR EXISTS (SELECT FROM payout.quarantined_file WHERE sha256 = $1)"""
INSERT_MESSAGE: Final = """
    INSERT INTO payout.bank_message (sha256, name, kind, bookings, bookings_new, read_at) VALUES ($1, $2, $3, $4, $5, $6)"""
KNOWN_KEYS: Final = "SELECT booking_key FROM payout.booking WHERE booking_key = ANY($1)"
INSERT_QUARANTINED: Final = """
    INSERT INTO payout.quarantined_file (sha256, name, code, message, content, read_at) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (sha256) DO NOTHING"""
FILE_ANSWERED: Final = """
    UPDATE payout.bank_file SET answered_at = coalesce(answered_at, $2) WHERE message_id = $1
    RETURNING file_id, payment_information_id"""
ATTEMPTS: Final = """
    SELECT t.attempt_id, t.end_to_end_id, t.uetr, o.order_id, o.state
    FROM payout.attempt AS t JOIN payout.payout_order AS o USING (order_id)
    WHERE t.file_id = $1 ORDER BY o.order_id"""
INSERT_STATUS: Final = """
    INSERT INTO payout.payment_status (attempt_id, message_sha256, status, outcome, reason, information)
    VALUES ($1, $2, $3, $4, $5, $6)"""


@dataclass(frozen=True, slots=True)
class FileRead:
    """What became of a file. `bookings_new` counts what no message told before."""

    kind: str
    bookings: int
    bookings_new: int


@dataclass(frozen=True, slots=True)
class FileRepeated:
    """The same bytes were read before; nothing was changed."""


@dataclass(frozen=True, slots=True)
class FileQuarantined:
    """A person must look at it; the bytes are kept."""

    code: str
    message: str


FileOutcome = FileRead | FileRepeated | FileQuarantined


async def read_bank_file(
    conn: Connection, incoming: IncomingFile, received: ReceivedFile, *, registry: RegistryView, now: datetime
) -> FileOutcome:
    """Apply one file inside the caller's SQL transaction, which holds the turn."""
    digest = bytes.fromhex(incoming.sha256)
    if await conn.fetchval(KNOWN, digest):
        BANK_FILES_REPEATED_TOTAL.inc()
        return FileRepeated()
    trouble = await _trouble(conn, received, registry)
    if trouble is not None:
        await quarantine(conn, incoming, trouble, now)
        return trouble
    reports = received.reports if isinstance(received, ReceivedBookings) else ()
    bookings = sorted(
        (booking for report in reports for booking in report.bookings),
        # A payment and its return in one file: the debit comes first, whatever the order in the file.
        key=lambda booking: (booking.booked_on, booking.direction == "CRDT"),
    )
    kind = MessageKind.STATUS_REPORT if isinstance(received, StatusReport) else received.kind
    new_keys = await _new_keys(conn, [booking.booking_key for booking in bookings])
    bookings_new = len(new_keys)
    await conn.execute(INSERT_MESSAGE, digest, incoming.path.name, kind, len(bookings), bookings_new, now)
    if isinstance(received, StatusReport):
        await _apply_status_report(conn, received, digest, now)
    for booking in bookings:
        if booking.booking_key in new_keys:
            new_keys.discard(booking.booking_key)
            await apply_booking(conn, booking, digest, registry=registry, now=now)
    BANK_FILES_READ_TOTAL.labels(kind).inc()
    return FileRead(kind, len(bookings), bookings_new)


async def quarantine(conn: Connection, incoming: IncomingFile, trouble: FileQuarantined, now: datetime) -> None:
    """Keep the bytes of a file for a person, inside the caller's SQL transaction."""
    log.error("%s is quarantined: %s: %s", incoming.path.name, trouble.code, trouble.message)
    digest = bytes.fromhex(incoming.sha256)
    name = incoming.path.name
    await conn.execute(INSERT_QUARANTINED, digest, name, trouble.code, trouble.message, incoming.data or None, now)


async def _new_keys(conn: Connection, keys: Sequence[str]) -> set[str]:
    if not keys:
        return set()
    known = {row["booking_key"] for row in await conn.fetch(KNOWN_KEYS, list(keys))}
    return set(keys) - known


async def _trouble(conn: Connection, received: ReceivedFile, registry: RegistryView) -> FileQuarantined | None:
    match received:
        case StatusReport():
            known = await conn.fetchval(
                "SELECT EXISTS (SELECT FROM payout.bank_file WHERE message_id = $1)", received.original_message_id
            )
            if not received.answers_a_payment_file or not known:
                original = f"{received.original_message_name} {received.original_message_id}"
                message = f"a status report about {original}, which we never sent"
                return FileQuarantined(QuarantineCode.ORIGINAL_UNKNOWN, message)
        case ReceivedBookings():
            return _foreign_account(received.reports, registry)
        case NothingToDo():
            return None
    return None


def _foreign_account(reports: Sequence[AccountReport], registry: RegistryView) -> FileQuarantined | None:
    debtor = registry.debtor_account()
    if debtor is None:
        return FileQuarantined(QuarantineCode.FOREIGN_ACCOUNT, "the registry does not say which account is the programme's")
    ours = account_number(debtor.account).number
    for report in reports:
        if account_number(report.account).number != ours:
            return FileQuarantined(
                QuarantineCode.FOREIGN_ACCOUNT, f"a report on the account ending in {report.account[-4:]}, which is not ours"
            )
    return None


async def _apply_status_report(conn: Connection, report: StatusReport, digest: bytes, now: datetime) -> None:
    file = await conn.fetchrow(FILE_ANSWERED, report.original_message_id, now)
    assert file is not None, "checked before: the report answers a file of ours"
    await mark_sent(conn, file["file_id"], now)  # an answer is proof that the bank has it
    for attempt in await conn.fetch(ATTEMPTS, file["file_id"]):
        verdict = report.verdict_on(
            payment_information_id=file["payment_information_id"],
            end_to_end_id=attempt["end_to_end_id"],
            uetr=str(attempt["uetr"]),
        )
        if verdict is None:
            continue
        await conn.execute(
            INSERT_STATUS,
            attempt["attempt_id"],
            digest,
            verdict.status,
            verdict.outcome.value,
            verdict.reason_code,
            verdict.information,
        )
        await _apply_verdict(conn, attempt, verdict, now)


async def _apply_verdict(conn: Connection, attempt: Record, verdict: PaymentVerdict, now: datetime) -> None:
    state = OrderState(attempt["state"])
    match verdict.outcome:
        case StatusOutcome.IN_FLIGHT | StatusOutcome.CHANGED if state is OrderState.SENT:
            await change_orders(conn, [OrderChange(attempt["order_id"], OrderState.ACCEPTED, code=verdict.status)], now)
        case StatusOutcome.REJECTED if rejection_action(verdict.reason_code) is RejectionAction.RECONCILE_DUPLICATE:
            # The bank had it before, and the first one may have been paid: a booking or a person decides, never we.
            log.error("order %s: the bank calls it a duplicate (%s)", attempt["order_id"], verdict.reason_code)
        case StatusOutcome.REJECTED if state in WITH_THE_BANK:
            code = verdict.reason_code
            reason = f"RJCT_{code}" if code and _REASON.fullmatch(code) else "RJCT"
            await void_orders(
                conn,
                [attempt["order_id"]],
                to=OrderState.REJECTED,
                reason=reason,
                detail=verdict.information or code,
                now=now,
            )
            await withdraw_doubted_account(conn, attempt["order_id"], reason_code=code, told=reason, now=now)
        case StatusOutcome.REJECTED:
            # Booked, or given up already: a status never undoes a booking, and a second rejection changes nothing.
            log.warning("order %s is %s; the bank's %s changes nothing", attempt["order_id"], state, verdict.status)
        case StatusOutcome.BLOCKED | StatusOutcome.UNKNOWN | StatusOutcome.PENDING:
            log.warning("order %s: the bank says %s %s", attempt["order_id"], verdict.status, verdict.reason_code)
        case _:
            return
