"""Make every derived table anew from the journal and the stored bytes of entitlements, in the caller's SQL transaction.

Goal: whatever happened to balances, counters, lots, reservations, suspense, sums and heads: what is derived is what the journal
says.
Method: nothing is posted meanwhile, as the log head is locked. Each table is derived into a temporary one, by sets where
PostgreSQL can and by the ledger's own code where bytes must be understood; then the rows that differ are replaced, and told.
Refuses: while a ledger is running (its relay's lock); an entitlement that counts and cannot be read.
Left alone: how far topics were read and published, as those rows derive from nothing here (without one, everything is read or
published again and known by its id), and sequences of refiners, which derive from sale.outcomes.v1.
Source: design, section 6.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from services.ledger.adapters.entitlement_topic import read_stored_entitlement
from services.ledger.domain.difference import cumulative_lines
from services.ledger.use_cases.save_books import LOT_HEAD, LOT_LINE, Row, head_row
from services.ledger.use_cases.sum_account_days import sum_next_bucket

if TYPE_CHECKING:
    from services.runtime.database import Connection

DERIVE: Final = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
LOTS_AT_ONCE: Final = 500  # entitlements of 200 sources have 100 KB: 50 MB in memory at worst.
SHOWN_MAX: Final = 20  # of each table: enough to see what happened; `premia fsck` names them all.
RUNNING: Final = zlib.crc32(b"relay ledger.journal")  # held by a ledger as long as it runs (services.runtime.relay)
# The whole table, as its row may be what is missing.
LOCK: Final = "LOCK TABLE ledger.log_head, ledger.account_day_head IN EXCLUSIVE MODE"
LATEST: Final = """
    SELECT DISTINCT ON (refiner_id, lot_id) value, origin, effective_on FROM ledger.entitlement WHERE detail <> 'superseded'
    ORDER BY refiner_id, lot_id, revision DESC, calculation DESC"""


@dataclass(frozen=True, slots=True)
class Table:
    """A derived table and the columns that name a row; none: it has one row."""

    name: str
    key: tuple[str, ...]


TABLES: Final = (
    Table("balance", ("account_id",)),
    Table("subject", ("kind", "id")),
    Table("lot_head", ("refiner_id", "lot_id")),
    Table("lot_line", ("refiner_id", "lot_id", "organization_id", "role", "unit", "scheme_id", "payer_id")),
    Table("reservation", ("reservation_id",)),
    Table("suspense", ("booking_key",)),
    Table("outbox_head", ()),
    Table("log_head", ()),
)
DAYS: Final = Table("account_day", ("account_id", "bucket", "effective_on"))
BUCKETS: Final = "SELECT buckets FROM ledger.account_day_head"
FORGET_DAYS: Final = """
    CREATE TEMP TABLE days_before ON COMMIT DROP AS TABLE ledger.account_day;
    DELETE FROM ledger.account_day;
    DELETE FROM ledger.account_day_head;
    INSERT INTO ledger.account_day_head (buckets) VALUES (0)"""
COMPARE: Final = "SELECT differed, shown FROM pg_temp.compare($1, $2, $3, $4)"
REPLACE: Final = "SELECT pg_temp.replace_rows($1, $2)"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What became of one table: how many rows were wrong, missing or too many, and the names of the first of them."""

    table: str
    differed: int
    shown: tuple[str, ...]


class LedgerRunningError(Exception):
    """A ledger is running on this database: stop it first."""


async def rebuild_derived(conn: Connection) -> list[Rebuilt]:
    """Rebuild as the administrator. Raises LedgerRunningError, UnreadableEntitlementError."""
    if not await conn.fetchval("SELECT pg_try_advisory_xact_lock($1)", RUNNING):
        raise LedgerRunningError("a ledger is running on this database: stop it first")
    await conn.execute("SET LOCAL ROLE ledger_owner")
    await conn.execute(LOCK)
    await conn.execute(DERIVE)
    await _derive_lots(conn)
    rebuilt = [await _replace(conn, table) for table in TABLES]
    return [*rebuilt, await _sum_days(conn)]


async def _derive_lots(conn: Connection) -> None:
    heads: list[Row] = []
    lines: list[Row] = []
    async for row in conn.cursor(LATEST, prefetch=LOTS_AT_ONCE):
        entitlement = read_stored_entitlement(row["value"], origin=row["origin"], effective_on=row["effective_on"])
        heads.append(head_row(entitlement))
        lines += [(*entitlement.lot, *key, amount) for key, amount in cumulative_lines(entitlement).items()]
        if len(heads) == LOTS_AT_ONCE:
            await _copy(conn, heads, lines)
    await _copy(conn, heads, lines)


async def _copy(conn: Connection, heads: list[Row], lines: list[Row]) -> None:
    for table, columns, rows in (("derived_lot_head", LOT_HEAD, heads), ("derived_lot_line", LOT_LINE, lines)):
        await conn.copy_records_to_table(table, columns=columns, records=rows)
        rows.clear()


async def _replace(conn: Connection, table: Table) -> Rebuilt:
    kept = f"ledger.{table.name}"
    rebuilt = await _compare(conn, table, kept, f"derived_{table.name}")
    await conn.execute(REPLACE, kept, table.key)
    return rebuilt


async def _compare(conn: Connection, table: Table, before: str, after: str) -> Rebuilt:
    row = await conn.fetchrow(COMPARE, before, after, table.key, SHOWN_MAX)
    assert row is not None, "counting gives a row"
    return Rebuilt(table.name, row["differed"], tuple(row["shown"]))


async def _sum_days(conn: Connection) -> Rebuilt:
    """Sum the buckets anew that were summed, or claim to be; the ledger sums those that were not, as ever."""
    buckets = await conn.fetchval(BUCKETS) or 0
    await conn.execute(FORGET_DAYS)
    for _ in range(buckets):
        if not await sum_next_bucket(conn):
            break
    return await _compare(conn, DAYS, "days_before", "ledger.account_day")
