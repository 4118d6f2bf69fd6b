"""Put approved orders into bank files.

Goal: what goes to the bank is fixed before anything leaves, byte for byte, so that no crash can make a second file of it.
Method: the approved orders of one cycle and currency become one file (several, at the limit of payments a file). Bytes, name,
message id and state SENDING commit together with the orders' state; the folder is touched only afterwards (send_bank_files).
The file's id derives from its attempts: the same attempts can never become two files.
Refuses: a payment that no bank would take voids its order, with the rule it breaks; the others are sent.
Source: design, section 7.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from schemas.identity import derived_id
from services.payout.bank.credit_transfer import CreditTransfer, Debtor, PaymentFile, account_number
from services.payout.bank.errors import PaymentFileInvalidError
from services.payout.bank.identifiers import file_name, message_id, payment_information_id
from services.payout.bank.limits import PAYMENTS_PER_FILE_MAX
from services.payout.bank.pain001 import render_pain001
from services.payout.domain.business_day import next_business_day
from services.payout.domain.order_state import OrderState
from services.payout.errors import VoidReason
from services.payout.payee_details import PayeeDetails, credit_transfer, remittance_text
from services.payout.registry_view import RegistryView
from services.payout.use_cases.change_orders import OrderChange, change_orders
from services.payout.use_cases.take_turn import take_turn
from services.payout.use_cases.void_orders import void_orders

if TYPE_CHECKING:
    from asyncpg import Record

    from services.runtime.database import Connection

log = logging.getLogger(__name__)

_ROW: Final = re.compile(r"transfers\.([0-9]+)(?:\.|$)")
APPROVED: Final = """
    SELECT o.order_id, o.cycle_id, o.subject_id, o.currency, o.amount_minor, c.settles_on, a.details, a.state AS account_state,
        t.attempt_id, t.end_to_end_id, t.uetr
    FROM payout.payout_order AS o
    JOIN payout.cycle AS c USING (cycle_id)
    JOIN payout.account AS a USING (account_id)
    JOIN payout.attempt AS t ON t.order_id = o.order_id AND t.file_id IS NULL
    WHERE o.state = 'approved'
    ORDER BY c.settles_on, o.cycle_id, o.currency, o.subject_id"""
INSERT_FILE: Final = """
    INSERT INTO payout.bank_file (file_id, cycle_id, name, message_id, payment_information_id, executes_on, payments, currency,
        total_minor, content, state, written_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'SENDING', $11)"""
SET_FILE: Final = "UPDATE payout.attempt SET file_id = $1 WHERE attempt_id = ANY($2)"


async def write_bank_files(conn: Connection, *, registry: RegistryView, now: datetime) -> int:
    """Write files for all approved orders, inside the caller's SQL transaction. Returns how many files were written."""
    await take_turn(conn)
    rows = await conn.fetch(APPROVED)
    debtor = _debtor(registry)
    if not rows or debtor is None or registry.programme is None:
        return 0
    # The account may have been withdrawn or replaced since the order was prepared.
    stale = [row["order_id"] for row in rows if row["account_state"] != "verified"]
    await void_orders(conn, stale, to=OrderState.VOIDING, reason=VoidReason.ACCOUNT_NOT_PAYABLE, now=now)
    groups: dict[tuple[UUID, str], list[Record]] = {}
    for row in rows:
        if row["account_state"] == "verified":
            groups.setdefault((row["cycle_id"], row["currency"]), []).append(row)
    written = 0
    for members in groups.values():
        for start in range(0, len(members), PAYMENTS_PER_FILE_MAX):
            chunk = members[start : start + PAYMENTS_PER_FILE_MAX]
            written += await _write_file(conn, chunk, debtor, registry.programme.name, now)
    return written


def _debtor(registry: RegistryView) -> Debtor | None:
    account = registry.debtor_account()
    if account is None or account.bic is None:
        # Preparing a cycle needs one; it was taken out of the registry since. The orders wait until it is back.
        return None
    return Debtor(
        name=account.holder, account=account_number(account.account), account_currency=account.currency, bic=account.bic
    )


async def _write_file(conn: Connection, rows: Sequence[Record], debtor: Debtor, programme: str, now: datetime) -> int:
    """Write one file of these orders, less those that no bank would take. Returns 1, or 0 if none is left."""
    left = list(rows)
    while left:
        payment_file = _payment_file(left, debtor, programme, now)
        try:
            content = render_pain001(payment_file)
        except PaymentFileInvalidError as error:
            matched = _ROW.match(error.field)
            if matched is None:
                raise  # The debtor or the sums: no payment of ours can be right then, and a person must mend the registry.
            broken = left.pop(int(matched.group(1)))
            log.warning("order %s is not payable: %s", broken["order_id"], error)
            await void_orders(
                conn,
                [broken["order_id"]],
                to=OrderState.VOIDING,
                reason=VoidReason.PAYMENT_INVALID,
                detail=f"{error.fault} at {error.field.partition('.')[2].partition('.')[2]}",
                now=now,
            )
            continue
        await _store(conn, left, payment_file, content, now)
        return 1
    return 0


def _payment_file(rows: Sequence[Record], debtor: Debtor, programme: str, now: datetime) -> PaymentFile:
    file_id = _file_id(rows)
    return PaymentFile(
        message_id=message_id(file_id),
        payment_information_id=payment_information_id(file_id),
        created_at=now,
        requested_execution_on=_executes_on(rows[0]["settles_on"]),
        debtor=debtor,
        transfers=tuple(_transfer(row, programme) for row in rows),
    )


def _file_id(rows: Sequence[Record]) -> UUID:
    return derived_id("bank-file", *sorted(str(row["attempt_id"]) for row in rows))


def _executes_on(settles_on: date) -> date:
    return next_business_day(settles_on)


def _transfer(row: Record, programme: str) -> CreditTransfer:
    return credit_transfer(
        PayeeDetails.model_validate_json(row["details"]),
        end_to_end_id=row["end_to_end_id"],
        uetr=row["uetr"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        remittance=remittance_text(programme, row["settles_on"], row["subject_id"]),
    )


async def _store(conn: Connection, rows: Sequence[Record], payment_file: PaymentFile, content: bytes, now: datetime) -> None:
    file_id = _file_id(rows)
    await conn.execute(
        INSERT_FILE,
        file_id,
        rows[0]["cycle_id"],
        file_name(file_id),
        payment_file.message_id,
        payment_file.payment_information_id,
        payment_file.requested_execution_on,
        len(rows),
        rows[0]["currency"],
        payment_file.total_minor,
        content,
        now,
    )
    await conn.execute(SET_FILE, file_id, [row["attempt_id"] for row in rows])
    await change_orders(conn, [OrderChange(row["order_id"], OrderState.SENDING) for row in rows], now)
