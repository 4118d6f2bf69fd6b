"""What only a superuser can do: change what is append-only, and leave the guards as if nothing had happened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg

from premia.fsck.deviation import Deviation

GUARDS: Final = """
    SELECT format('ALTER TABLE %s DISABLE TRIGGER %I', tgrelid::regclass, tgname) AS off,
        format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', tgrelid::regclass, tgname) AS on
    FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
    WHERE t.tgenabled = 'A' AND c.relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('ledger', 'payout'))"""

# What a column becomes, by its type.
OTHER: Final = {
    "bigint": "{} + 100",
    "integer": "{} + 100",
    "text": "{} || 'x'",
    "bytea": "{} || 'x'::bytea",
    "uuid": "gen_random_uuid()",
    "date": "{} + 1",
    "timestamp with time zone": "{} + interval '1 day'",
    "boolean": "NOT {}",
    "ARRAY": "{}[2:]",
}
ROWS_TRIED: Final = 4  # of each column, from all over the table


async def damage(superuser: asyncpg.Connection[asyncpg.Record], *statements: str) -> None:
    """Carry out the statements with all guards off and no constraint between tables checked, then switch the guards on again.

    Each statement must change a row at least: what damages nothing proves nothing.
    """
    guards = await superuser.fetch(GUARDS)
    await superuser.execute("SET session_replication_role = replica")
    await superuser.execute(";".join(row["off"] for row in guards))
    for statement in statements:
        status = await superuser.execute(statement)
        assert not status.endswith(" 0"), f"nothing was damaged by {statement}"
    await superuser.execute(";".join(row["on"] for row in guards))


async def damage_database(administrator_url: str, *statements: str) -> None:
    """The same, on a connection of its own, for good."""
    conn = await asyncpg.connect(administrator_url)
    try:
        async with conn.transaction():
            await damage(conn, *statements)
    finally:
        await conn.close()


async def unseen_columns(
    superuser: asyncpg.Connection[asyncpg.Record],
    table: str,
    deviations_on: Callable[[asyncpg.Connection[asyncpg.Record]], Awaitable[list[Deviation]]],
) -> set[str]:
    """The columns of a table of which some value can be changed without that anything is found. Everything is rolled back."""
    columns = await superuser.fetch(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema || '.' || table_name = $1", table
    )
    assert columns, table
    unseen = set()
    for column, data_type in columns:
        rows = await superuser.fetch(f"SELECT ctid::text FROM {table} WHERE {column} IS NOT NULL ORDER BY ctid")
        for row in rows[:: len(rows) // ROWS_TRIED + 1]:
            transaction = superuser.transaction()
            await transaction.start()
            try:
                other = OTHER[data_type].format(column)
                await damage(superuser, f"UPDATE {table} SET {column} = {other} WHERE ctid = '{row['ctid']}'")
                if not await deviations_on(superuser):
                    unseen.add(column)
            except asyncpg.IntegrityConstraintViolationError:
                pass  # the database itself does not take it, not even from a superuser
            finally:
                await transaction.rollback()
    return unseen
