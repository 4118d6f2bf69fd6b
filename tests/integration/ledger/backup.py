"""An old copy of a ledger's tables, put back as a restore does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import asyncpg

from tests.integration.ledger.conftest import APPEND_ONLY, DERIVED, MADE_EMPTY, RECOVERED, Ledger

HEADS = ("log_head", "outbox_head", "account_day_head")


@dataclass
class Backup:
    """All rows of a moment."""

    tables: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)


async def back_up(ledger: Ledger) -> Backup:
    """Copy everything."""
    backup = Backup()
    for table in (*APPEND_ONLY, *RECOVERED, *DERIVED, *HEADS):
        backup.tables[table] = [tuple(row) for row in await ledger.conn.fetch(f"SELECT * FROM ledger.{table}")]
    return backup


async def restore(ledger: Ledger, backup: Backup) -> None:
    """Put it back, as the administrator."""
    admin = await asyncpg.connect(ledger.environment["DATABASE_URL"])
    try:
        async with admin.transaction():
            await admin.execute(MADE_EMPTY)
            await admin.execute(";".join(f"DELETE FROM ledger.{table}" for table in HEADS))
            for table, rows in backup.tables.items():
                await admin.copy_records_to_table(table, schema_name="ledger", records=rows)
    finally:
        await admin.close()
