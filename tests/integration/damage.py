"""What only a superuser can do: change what is append-only, and leave the guards as if nothing had happened."""

from __future__ import annotations

from typing import Final

import asyncpg

GUARDS: Final = """
    SELECT format('ALTER TABLE %s DISABLE TRIGGER %I', tgrelid::regclass, tgname) AS off,
        format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', tgrelid::regclass, tgname) AS on
    FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
    WHERE t.tgenabled = 'A' AND c.relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('ledger', 'payout'))"""


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
