"""Load what deciding about a batch needs, in few queries whatever the size of the batch.

Method: the keys of all records go to PostgreSQL as arrays. First what tells repeats, heads and reservations; then the accounts
and subjects that their postings could touch, a few too many rather than a query for each record. The caller holds the lock
on the log head, so nothing that is read here can change before the batch commits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final
from uuid import UUID

from schemas.ledger_words import AcceptedDetail
from services.ledger.domain.account import (
    AccountKey,
    SubjectKey,
    bank,
    charges,
    fx,
    in_transit,
    payable,
    receivable,
    refiner_gold,
    source_gold,
    subject_in_role,
    suspense,
)
from services.ledger.domain.books import (
    Accepted,
    Answered,
    Balance,
    Books,
    LotHead,
    Reservation,
    ReservationState,
    ReservedPart,
    SubjectCounter,
)
from services.ledger.domain.command import (
    AgainstReturn,
    AgainstSettlement,
    Clear,
    Command,
    Correct,
    Exchange,
    Open,
    Order,
    Receive,
    Reserve,
    Return,
    Settle,
    Suspend,
    Void,
)
from services.ledger.domain.entitlement import SOURCE_ROLE, Cause, Entitlement, LineKey, LotKey, Position, SaleKey
from services.ledger.use_cases.load_recovered import load_recovered
from services.ledger.use_cases.load_suspense import load_suspense

if TYPE_CHECKING:
    from asyncpg import Record

    from services.runtime.database import Connection

# Looked up key by key, which `OFFSET 0` makes the planner do: these tables grow without end, and while their statistics are
# behind, as in a first load, it took one to be small and read and sorted all of it (seen: 350 ms for a batch instead of 9).
ACCEPTED_BY_SALE: Final = """
    SELECT e.* FROM unnest($1::text[], $2::text[]) AS sale (source, id) CROSS JOIN LATERAL (
        SELECT sale_source, sale_id, entitlement_id::text, cause, sale_hash, origin, detail, recorded_at, value
        FROM ledger.entitlement WHERE sale_source = sale.source AND sale_id = sale.id AND cause = 'sale' OFFSET 0) AS e"""
ACCEPTED_BY_REVISION: Final = """
    SELECT e.* FROM unnest($1::text[], $2::text[], $3::bigint[]) AS k (refiner_id, lot_id, revision) CROSS JOIN LATERAL (
        SELECT refiner_id, lot_id, revision, calculation, entitlement_id::text, cause, sale_id, sale_hash, origin, detail,
            recorded_at, value
        FROM ledger.entitlement
        WHERE (refiner_id, lot_id, revision) = (k.refiner_id, k.lot_id, k.revision) OFFSET 0) AS e"""
LOT_HEADS: Final = """
    SELECT h.* FROM unnest($1::text[], $2::text[]) AS k (refiner_id, lot_id) CROSS JOIN LATERAL (
        SELECT refiner_id, lot_id, revision, calculation, entitlement_id::text FROM ledger.lot_head
        WHERE (refiner_id, lot_id) = (k.refiner_id, k.lot_id) OFFSET 0) AS h"""
LOT_LINES: Final = """
    SELECT l.* FROM unnest($1::text[], $2::text[]) AS k (refiner_id, lot_id) CROSS JOIN LATERAL (
        SELECT refiner_id, lot_id, organization_id, role, unit, scheme_id, payer_id, amount FROM ledger.lot_line
        WHERE (refiner_id, lot_id) = (k.refiner_id, k.lot_id) OFFSET 0) AS l"""
COMMANDS: Final = """
    SELECT command_id, command_hash, code, message, transaction_id, recorded_at
    FROM ledger.command WHERE command_id = ANY ($1::uuid[])"""
RESERVATIONS: Final = """
    SELECT reservation_id, subject_kind, subject_id, unit, state, scheme_ids, payer_ids, amounts
    FROM ledger.reservation WHERE reservation_id = ANY ($1::uuid[])"""
BOOKINGS: Final = "SELECT booking_key FROM ledger.booking WHERE booking_key = ANY ($1::text[])"
ACCOUNTS: Final = """
    SELECT owner_kind, owner_id, purpose, unit, a.account_id, b.debits, b.credits
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS k (owner_kind, owner_id, purpose, unit)
    JOIN ledger.account AS a USING (owner_kind, owner_id, purpose, unit) JOIN ledger.balance AS b USING (account_id)"""
SUBJECTS: Final = """
    SELECT kind, id, s.last_number, s.last_negative_number
    FROM unnest($1::text[], $2::text[]) AS k (kind, id) JOIN ledger.subject AS s USING (kind, id)"""


async def load_books(conn: Connection, entitlements: Sequence[Entitlement], commands: Sequence[Command]) -> Books:
    """Load the books for these records."""
    books = Books()
    if entitlements:
        await _load_sales(conn, books, entitlements)
        await _load_lots(conn, books, entitlements)
    if commands:
        await _load_commands(conn, books, commands)
    await load_recovered(conn, books, entitlements, commands)
    await _load_accounts(conn, books, entitlements, commands)
    return books


async def _load_sales(conn: Connection, books: Books, entitlements: Sequence[Entitlement]) -> None:
    sales = {entitlement.sale for entitlement in entitlements}
    for row in await conn.fetch(ACCEPTED_BY_SALE, *_columns(sales, 2)):
        books.accepted_by_sale[SaleKey(row["sale_source"], row["sale_id"])] = _accepted(row)
    revisions = {(*entitlement.lot, entitlement.position.revision) for entitlement in entitlements}
    for row in await conn.fetch(ACCEPTED_BY_REVISION, *_columns(revisions, 3)):
        accepted = _accepted(row)
        lot = LotKey(row["refiner_id"], row["lot_id"])
        books.accepted_by_position[lot, Position(row["revision"], row["calculation"])] = accepted
        if accepted.cause is Cause.SALE:
            books.sale_by_revision[lot, row["revision"]] = accepted


async def _load_lots(conn: Connection, books: Books, entitlements: Sequence[Entitlement]) -> None:
    for row in await conn.fetch(LOT_HEADS, *_columns({entitlement.lot for entitlement in entitlements}, 2)):
        lot = LotKey(row["refiner_id"], row["lot_id"])
        books.lot_heads[lot] = LotHead(Position(row["revision"], row["calculation"]), row["entitlement_id"])
        books.lot_lines[lot] = {}
    if books.lot_heads:
        for row in await conn.fetch(LOT_LINES, *_columns(books.lot_heads, 2)):
            refiner_id, lot_id, organization_id, role, unit, scheme_id, payer_id, amount = row
            key = LineKey(organization_id, role, unit, scheme_id, payer_id)
            books.lot_lines[LotKey(refiner_id, lot_id)][key] = amount
    books.stored_lines = dict(books.lot_lines)


async def _load_commands(conn: Connection, books: Books, commands: Sequence[Command]) -> None:
    for row in await conn.fetch(COMMANDS, [command.command_id for command in commands]):
        books.commands[row["command_id"]] = Answered(
            row["command_hash"], row["code"], row["message"], row["transaction_id"], row["recorded_at"]
        )
    orders = [command.order for command in commands]
    await load_reservations(conn, books, [id_ for order in orders if (id_ := _reservation_id(order)) is not None])
    booking_keys = [order.booking_key for order in orders if isinstance(order, Settle | Return | Receive | Suspend)]
    books.bookings.update(row["booking_key"] for row in await conn.fetch(BOOKINGS, booking_keys))
    await load_suspense(conn, books, orders)


async def load_reservations(conn: Connection, books: Books, reservation_ids: Sequence[UUID]) -> None:
    """Load reservations by their ids."""
    for row in await conn.fetch(RESERVATIONS, reservation_ids):
        parts = zip(row["scheme_ids"], row["payer_ids"], row["amounts"], strict=True)
        books.reservations[row["reservation_id"]] = Reservation(
            SubjectKey(row["subject_kind"], row["subject_id"]),
            row["unit"],
            tuple(ReservedPart(scheme_id, payer_id, amount) for scheme_id, payer_id, amount in parts),
            ReservationState(row["state"]),
        )


def _reservation_id(order: Order) -> UUID | None:
    match order:
        case Reserve() | Settle() | Void() | Return():
            return order.reservation_id
        case Clear(against=AgainstSettlement() | AgainstReturn() as payment):
            return payment.reservation_id
        case _:
            return None


async def _load_accounts(
    conn: Connection, books: Books, entitlements: Sequence[Entitlement], commands: Sequence[Command]
) -> None:
    accounts: set[AccountKey] = set()
    subjects: set[SubjectKey] = {command.subject for command in commands}
    lines = {(entitlement.lot.refiner_id, source.key) for entitlement in entitlements for source in entitlement.sources}
    lines |= {(entitlement.lot.refiner_id, line.key) for entitlement in entitlements for line in entitlement.lines}
    lines |= {(lot.refiner_id, key) for lot, stored in books.lot_lines.items() for key in stored}
    for refiner_id, key in lines:
        subject = subject_in_role(key.role, key.organization_id)
        subjects.add(subject)
        if key.role == SOURCE_ROLE:
            accounts.add(refiner_gold(refiner_id))
            accounts.add(source_gold(key.organization_id))
        else:
            accounts.add(payable(subject, key.unit))
            accounts.add(receivable(key.payer_id, key.unit))
    accounts.update(_accounts_of_commands(books, commands))
    await load_accounts(conn, books, accounts, subjects)


async def load_accounts(conn: Connection, books: Books, accounts: Iterable[AccountKey], subjects: Iterable[SubjectKey]) -> None:
    """Load balances of accounts and counters of subjects; those that are not there yet begin at nothing."""
    for row in await conn.fetch(ACCOUNTS, *_columns(accounts, 4)):
        owner_kind, owner_id, purpose, unit, account_id, debits, credits_ = row
        books.balances[AccountKey(owner_kind, owner_id, purpose, unit)] = Balance(account_id, debits, credits_)
    for row in await conn.fetch(SUBJECTS, *_columns(subjects, 2)):
        kind, id_, last_number, last_negative_number = row
        books.subjects[SubjectKey(kind, id_)] = SubjectCounter(last_number, last_negative_number)


def _accounts_of_commands(books: Books, commands: Sequence[Command]) -> Iterable[AccountKey]:
    """Every account that one of the commands could touch in any unit that the batch knows: there are few of both."""
    units = {reservation.unit for reservation in books.reservations.values()}
    units |= {unit for command in commands for unit in _units(command.order)}
    for unit in units:
        yield from (bank(unit), charges(unit), suspense(unit), fx(unit))
        for subject in {command.subject for command in commands}:
            if subject.kind == "payer":
                yield receivable(subject.id, unit)
            else:
                yield from (payable(subject, unit), in_transit(subject, unit))
    for command in commands:
        if isinstance(command.order, Open | Correct):
            yield from (line.account for line in command.order.lines)
    for posted in books.posted.values():
        for transfer in posted.transfers:
            yield from (transfer.debit, transfer.credit)


def _units(order: Order) -> Iterable[str]:
    match order:
        case Reserve() | Receive() | Suspend() | Clear():
            return (order.unit,)
        case Exchange():
            return order.sold_unit, order.bought_unit
        case Open() | Correct():
            return [line.account.unit for line in order.lines]
        case _:
            return ()


def _accepted(row: Record) -> Accepted:
    return Accepted(
        row["entitlement_id"],
        Cause(row["cause"]),
        row["sale_id"],
        row["sale_hash"],
        row["origin"],
        AcceptedDetail(row["detail"]),
        row["recorded_at"],
        row["value"],
    )


def _columns(rows: Iterable[tuple[object, ...]], width: int) -> list[tuple[object, ...]]:
    """Rows in order (locks and index pages are then visited in order) as one array for each column."""
    return list(zip(*sorted(rows), strict=True)) or [()] * width
