"""Write what a batch did: journal rows by COPY, derived rows as sets.

Method: the caller collected the rows in a `Pages`; balances, subjects, lots and reservations are taken from the books. New
accounts get their ids here, under the lock on the log head. Everything is ordered, so that two writers that ever meet wait
for each other instead of for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, field
from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec

from schemas.dead_letter import is_redriven
from schemas.message import Message
from services.ledger.domain.account import SubjectKey
from services.ledger.domain.books import Balance, Books, Reservation, SuspendedBooking
from services.ledger.domain.entitlement import Entitlement, LineKey, LotKey
from services.ledger.domain.transaction import TransferDraft
from services.runtime.outbox import enqueue

if TYPE_CHECKING:
    from services.runtime.database import Connection

Row = tuple[object, ...]

JOURNAL: Final = (
    "leaf_index", "transaction_id", "subject_kind", "subject_id", "subject_number", "kind", "part", "parts",
    "effective_on", "recorded_at", "cause_id", "leaf",
)  # fmt: skip
TRANSFER: Final = (
    "leaf_index", "number", "debit_account_id", "credit_account_id", "amount", "unit",
    "refiner_id", "lot_id", "revision", "stage", "scheme_id", "payer_id", "role",
)  # fmt: skip
ENTITLEMENT: Final = (
    "refiner_id", "lot_id", "revision", "calculation", "entitlement_id", "cause", "sale_source", "sale_id", "sale_hash",
    "origin", "sequence", "effective_on", "recorded_at", "detail", "first_leaf", "leaves", "value",
)  # fmt: skip
COMMAND: Final = (
    "command_id", "command_hash", "kind", "subject_id", "recorded_at", "code", "message", "transaction_id", "first_leaf",
    "leaves",
)  # fmt: skip
BOOKING: Final = ("booking_key", "command_id", "kind")
REVERSAL: Final = ("transaction_id", "command_id")
ACCOUNT: Final = ("account_id", "owner_kind", "owner_id", "purpose", "unit")
LOT_HEAD: Final = (
    "refiner_id", "lot_id", "revision", "calculation", "entitlement_id", "registry_version", "stage", "status", "sold_on",
    "fine_weight_mg",
)  # fmt: skip
LOT_LINE: Final = ("refiner_id", "lot_id", "organization_id", "role", "unit", "scheme_id", "payer_id", "amount")

SAVE_BALANCES: Final = """
    INSERT INTO ledger.balance (account_id, debits, credits) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])
    ON CONFLICT (account_id) DO UPDATE SET debits = EXCLUDED.debits, credits = EXCLUDED.credits"""
SAVE_SUBJECTS: Final = """
    INSERT INTO ledger.subject (kind, id, last_number, last_negative_number)
    SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) ON CONFLICT (kind, id)
    DO UPDATE SET last_number = EXCLUDED.last_number, last_negative_number = EXCLUDED.last_negative_number"""
ADVANCE_LOT_HEADS: Final = """
    UPDATE ledger.lot_head AS h SET revision = n.revision, calculation = n.calculation, entitlement_id = n.entitlement_id,
        registry_version = n.registry_version, stage = n.stage, status = n.status, sold_on = n.sold_on,
        fine_weight_mg = n.fine_weight_mg
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::uuid[], $6::text[], $7::text[], $8::text[],
        $9::date[], $10::bigint[]) AS n (refiner_id, lot_id, revision, calculation, entitlement_id, registry_version, stage,
        status, sold_on, fine_weight_mg)
    WHERE h.refiner_id = n.refiner_id AND h.lot_id = n.lot_id"""
SAVE_LOT_LINES: Final = """
    INSERT INTO ledger.lot_line (refiner_id, lot_id, organization_id, role, unit, scheme_id, payer_id, amount)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[])
    ON CONFLICT (refiner_id, lot_id, organization_id, role, unit, scheme_id, payer_id) DO UPDATE SET amount = EXCLUDED.amount"""
DROP_LOT_LINES: Final = """
    DELETE FROM ledger.lot_line AS l
    USING unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
        AS n (refiner_id, lot_id, organization_id, role, unit, scheme_id, payer_id)
    WHERE (l.refiner_id, l.lot_id, l.organization_id, l.role, l.unit, l.scheme_id, l.payer_id)
        = (n.refiner_id, n.lot_id, n.organization_id, n.role, n.unit, n.scheme_id, n.payer_id)"""
SAVE_RESERVATION: Final = """
    INSERT INTO ledger.reservation (reservation_id, subject_kind, subject_id, unit, state, scheme_ids, payer_ids, amounts)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (reservation_id) DO UPDATE SET state = EXCLUDED.state"""
SAVE_SUSPENSE: Final = """
    INSERT INTO ledger.suspense (booking_key, unit, arrived, amount, open_amount, booked_on) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (booking_key) DO UPDATE SET open_amount = EXCLUDED.open_amount"""
SAVE_QUARANTINE: Final = """
    INSERT INTO ledger.quarantine (origin, code, entitlement_id, sale_source, sale_id, sale_hash, refiner_id, lot_id, revision,
        calculation, known_origin, recorded_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    ON CONFLICT (origin) DO NOTHING RETURNING true"""


@dataclass(slots=True)
class Pages:
    """Rows that a batch adds, in order. A quarantined row comes with its dead letter, which is sent once."""

    journal: list[Row] = field(default_factory=list)
    # (leaf index, number in the leaf, transfer)
    transfers: list[tuple[int, int, TransferDraft]] = field(default_factory=list)
    entitlements: list[Row] = field(default_factory=list)
    commands: list[Row] = field(default_factory=list)
    bookings: list[Row] = field(default_factory=list)
    quarantined: list[tuple[Row, Message]] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    # The entitlement that now is its lot's head, and all lines of that lot.
    advanced: dict[LotKey, tuple[Entitlement, dict[LineKey, int]]] = field(default_factory=dict)
    subjects: set[SubjectKey] = field(default_factory=set)
    reservations: dict[UUID, Reservation] = field(default_factory=dict)
    suspended: dict[str, SuspendedBooking] = field(default_factory=dict)
    reversals: list[Row] = field(default_factory=list)


async def save_books(conn: Connection, books: Books, pages: Pages, last_account_id: int) -> int:
    """Write everything but the log head. Returns the last account id in use."""
    last_account_id = await _save_balances(conn, books, last_account_id)
    await _copy(conn, "journal", JOURNAL, pages.journal)
    await _copy(conn, "transfer", TRANSFER, [_transfer_row(books, *transfer) for transfer in pages.transfers])
    await _copy(conn, "entitlement", ENTITLEMENT, pages.entitlements)
    await _copy(conn, "command", COMMAND, pages.commands)
    await _copy(conn, "booking", BOOKING, pages.bookings)
    await _copy(conn, "reversal", REVERSAL, pages.reversals)
    await _save_subjects(conn, books, pages)
    await _save_lots(conn, books, pages)
    for reservation_id, reservation in sorted(pages.reservations.items()):
        await conn.execute(SAVE_RESERVATION, reservation_id, *_reservation_columns(reservation))
    for booking_key, booking in sorted(pages.suspended.items()):
        await conn.execute(SAVE_SUSPENSE, booking_key, *astuple(booking))
    for row, letter in pages.quarantined:
        # The calculator may deliver twice what is refused once; who redrives is told of every failure.
        if await conn.fetchval(SAVE_QUARANTINE, *row) or is_redriven(letter.headers):
            pages.messages.append(letter)
    await enqueue(conn, "ledger", pages.messages)
    return last_account_id


async def _save_balances(conn: Connection, books: Books, last_account_id: int) -> int:
    opened = []
    touched: list[Balance] = []
    for key in sorted(books.posted_to):
        balance = books.balances[key]
        if balance.account_id is None:
            last_account_id += 1
            balance.account_id = last_account_id
            opened.append((last_account_id, *key))
        touched.append(balance)
    await _copy(conn, "account", ACCOUNT, opened)
    if touched:
        await conn.execute(
            SAVE_BALANCES,
            [balance.account_id for balance in touched],
            [balance.debits for balance in touched],
            [balance.credits for balance in touched],
        )
    return last_account_id


async def _save_subjects(conn: Connection, books: Books, pages: Pages) -> None:
    if not pages.subjects:
        return
    rows = [
        (key.kind, key.id, books.subjects[key].last_number, books.subjects[key].last_negative_number)
        for key in sorted(pages.subjects)
    ]
    await conn.execute(SAVE_SUBJECTS, *zip(*rows, strict=True))


async def _save_lots(conn: Connection, books: Books, pages: Pages) -> None:
    new_heads, advanced_heads, new_lines, changed_lines, dropped_lines = [], [], [], [], []
    for lot, (entitlement, lines) in sorted(pages.advanced.items()):
        stored = books.stored_lines.get(lot)
        if stored is None:
            new_heads.append(head_row(entitlement))
            new_lines += [(*lot, *key, amount) for key, amount in sorted(lines.items())]
            continue
        advanced_heads.append(head_row(entitlement))
        changed_lines += [(*lot, *key, amount) for key, amount in sorted(lines.items()) if stored.get(key) != amount]
        dropped_lines += [(*lot, *key) for key in sorted(stored.keys() - lines.keys())]
    await _copy(conn, "lot_head", LOT_HEAD, new_heads)
    await _copy(conn, "lot_line", LOT_LINE, new_lines)
    for statement, rows in (
        (ADVANCE_LOT_HEADS, advanced_heads),
        (SAVE_LOT_LINES, changed_lines),
        (DROP_LOT_LINES, dropped_lines),
    ):
        if rows:
            await conn.execute(statement, *zip(*rows, strict=True))


async def _copy(conn: Connection, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    if rows:
        await conn.copy_records_to_table(table, schema_name="ledger", columns=columns, records=rows)


def _transfer_row(books: Books, leaf_index: int, number: int, transfer: TransferDraft) -> Row:
    debit, credit = books.balances[transfer.debit], books.balances[transfer.credit]
    return (
        leaf_index, number, debit.account_id, credit.account_id, transfer.amount, transfer.debit.unit,
        *msgspec.structs.astuple(transfer.scope),
    )  # fmt: skip


def head_row(entitlement: Entitlement) -> Row:
    """The row of LOT_HEAD while this entitlement counts."""
    return (
        *entitlement.lot,
        *entitlement.position,
        entitlement.entitlement_id,
        entitlement.registry_version,
        entitlement.stage,
        entitlement.status,
        entitlement.sold_on,
        entitlement.fine_weight_mg,
    )


def _reservation_columns(reservation: Reservation) -> Iterable[object]:
    return (
        reservation.subject.kind,
        reservation.subject.id,
        reservation.unit,
        reservation.state.value,
        [part.scheme_id for part in reservation.parts],
        [part.payer_id for part in reservation.parts],
        [part.amount for part in reservation.parts],
    )
