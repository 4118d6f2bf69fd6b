"""`premia ledger rebuild`: every derived table made anew from the journal.

Goal: what was derived wrongly, or damaged, is what the journal says again, and the operator sees what differed.
Method: as the administrator of DATABASE_URL, on a stopped ledger, in one SQL transaction.
Refuses: while a ledger is running; an entitlement that counts and cannot be read: exit 4, and nothing was changed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click
import orjson

from premia.connection import Rejected, needed
from premia.database import connected

if TYPE_CHECKING:
    from services.ledger.use_cases.rebuild_derived import Rebuilt


@click.command()
@click.option("--dry-run", is_flag=True, help="Only tell what differs.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each table.")
def rebuild(*, dry_run: bool, as_json: bool) -> None:
    """Make every derived table of the ledger anew from the journal, and tell what differed.

    As the administrator (DATABASE_URL), while the ledger is stopped. Balances, counters, lots, reservations, suspense, sums of
    days and heads are derived; the journal itself is only read.
    """
    for table in asyncio.run(_rebuild(needed("DATABASE_URL"), dry_run=dry_run)):
        click.echo(_json(table) if as_json else _line(table))
    if dry_run:
        click.echo("nothing was changed (--dry-run)", err=True)
    else:
        click.echo("rebuilt; check it with `premia fsck`, then start the ledger", err=True)


async def _rebuild(url: str, *, dry_run: bool) -> list[Rebuilt]:
    from services.ledger.errors import UnreadableEntitlementError  # noqa: PLC0415  # `premia ledger --help` needs none of it
    from services.ledger.use_cases.rebuild_derived import LedgerRunningError, rebuild_derived  # noqa: PLC0415

    async with connected(url) as conn:
        transaction = conn.transaction()
        await transaction.start()
        try:
            rebuilt = await rebuild_derived(conn)
        except (LedgerRunningError, UnreadableEntitlementError) as error:
            await transaction.rollback()
            raise Rejected(str(error)) from error
        await (transaction.rollback() if dry_run else transaction.commit())
    return rebuilt


def _line(table: Rebuilt) -> str:
    if table.differed == 0:
        return f"{table.table:<14} as it was"
    named = f": {'; '.join(table.shown)}" if table.shown else ""
    more = "; …" if table.differed > len(table.shown) > 0 else ""
    return f"{table.table:<14} {table.differed:,} rows differed{named}{more}"


def _json(table: Rebuilt) -> bytes:
    return orjson.dumps({"table": table.table, "differed": table.differed, "rows": table.shown})
