"""What is derived can be derived: every derived table is wrecked, rebuilt from the journal, and is what it was."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
import orjson
import pytest

from services.ledger.use_cases.rebuild_derived import DAYS, RUNNING, TABLES, LedgerRunningError, rebuild_derived
from services.ledger.use_cases.sum_account_days import sum_next_bucket
from tests.integration.command import Finished, premia_with
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.records import entitlement
from tests.integration.ledger.story import fill

NAMES: Final = (*(table.name for table in TABLES), DAYS.name, "account_day_head")
NOT_DERIVED_HERE: Final = {"consumer_offset", "relay_cursor", "sequence_range", "sequence_rejection"}
# What was done, and the tables that it is seen in.
WRECKS: Final[dict[str, tuple[tuple[str, ...], set[str]]]] = {
    "all of it is gone": (
        (*(f"DELETE FROM ledger.{name}" for name in NAMES if not name.endswith("_head") or name == "lot_head"),
         "UPDATE ledger.log_head SET tree_size = 0, recorded_at = 'epoch', last_account_id = 0",
         "UPDATE ledger.outbox_head SET last_number = 0"),
        {*NAMES} - {"account_day_head"},
    ),
    "heads are gone": (
        ("DELETE FROM ledger.log_head", "DELETE FROM ledger.outbox_head"),
        {"log_head", "outbox_head"},
    ),
    "rows are wrong": (
        (
            "UPDATE ledger.balance SET debits = debits + 1 WHERE account_id < 3",
            "UPDATE ledger.subject SET last_negative_number = 0",
            "UPDATE ledger.lot_head SET revision = 1",
            "UPDATE ledger.lot_line SET amount = amount + 1",
            "UPDATE ledger.reservation SET state = 'voided', amounts = amounts || 1, scheme_ids = scheme_ids || ARRAY['x'],"
            " payer_ids = payer_ids || ARRAY['x'] WHERE state <> 'voided'",
            "UPDATE ledger.suspense SET open_amount = amount",
            "UPDATE ledger.account_day SET debits = debits + 1",
        ),
        {"balance", "subject", "lot_head", "lot_line", "reservation", "suspense", "account_day"},
    ),
    "rows are too many": (
        (
            "INSERT INTO ledger.balance VALUES (1000, 1, 1)",
            "INSERT INTO ledger.subject VALUES ('org', 'ORG-9', 1, 0)",
            "INSERT INTO ledger.lot_line VALUES ('REF-9', 'LOT-9', 's', 'p', 'o', 'producer', 'USD', 1)",
        ),
        {"balance", "subject", "lot_line"},
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def small_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Buckets of so few leaves that the story has some."""
    for module in ("services.ledger.use_cases.sum_account_days", "premia.fsck.ledger.days"):
        monkeypatch.setattr(f"{module}.BUCKET_LEAVES", 8)


@asynccontextmanager
async def administrator(ledger: Ledger) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    conn = await asyncpg.connect(ledger.environment["DATABASE_URL"])
    try:
        yield conn
    finally:
        await conn.close()


async def told(ledger: Ledger) -> None:
    """A story, and the days of its first buckets summed."""
    await fill(ledger)
    assert [await sum_next_bucket(ledger.conn) for _ in range(3)] == [True] * 3


async def derived(ledger: Ledger) -> dict[str, list[str]]:
    """All rows of all derived tables."""
    return {
        name: [row["row"] for row in await ledger.conn.fetch(f"SELECT t::text AS row FROM ledger.{name} AS t ORDER BY 1")]
        for name in NAMES
    }


async def test_every_table_that_may_change_is_rebuilt_or_left_alone_with_a_reason(ledger: Ledger) -> None:
    rows = await ledger.conn.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'ledger'::regnamespace AND relkind = 'r'"
        " AND (has_table_privilege(oid, 'UPDATE') OR has_table_privilege(oid, 'DELETE') OR relname = 'account_day')"
    )
    assert {row["relname"] for row in rows} == {*NAMES} | NOT_DERIVED_HERE


@pytest.mark.parametrize("name", WRECKS)
async def test_what_was_wrecked_is_rebuilt_and_told(ledger: Ledger, name: str) -> None:
    statements, seen = WRECKS[name]
    await told(ledger)
    before = await derived(ledger)
    await ledger.as_administrator(*statements)
    assert await derived(ledger) != before
    async with administrator(ledger) as conn, conn.transaction():
        rebuilt = await rebuild_derived(conn)
    assert {table.table for table in rebuilt if table.differed} == seen
    after = await derived(ledger)
    if "log_head" in seen:  # its clock may be ahead of the last leaf's
        before["log_head"] = after["log_head"] = after["log_head"][:0]
    assert after == before
    assert await ledger.deviations() == []


async def test_a_sound_ledger_is_left_as_it_is(ledger: Ledger) -> None:
    await told(ledger)
    before = await derived(ledger)
    async with administrator(ledger) as conn, conn.transaction():
        rebuilt = await rebuild_derived(conn)
    assert [(table.table, table.differed) for table in rebuilt if table.differed] == []
    assert await derived(ledger) == before


async def test_posting_goes_on_after_a_rebuild(ledger: Ledger) -> None:
    await fill(ledger)
    await ledger.as_administrator("DELETE FROM ledger.log_head", "DELETE FROM ledger.balance", "DELETE FROM ledger.subject")
    async with administrator(ledger) as conn, conn.transaction():
        await rebuild_derived(conn)
    await ledger.post(entitlement(lot="NEW", origin_offset=99))
    assert await ledger.deviations() == []


async def test_a_running_ledger_is_not_rebuilt(ledger: Ledger) -> None:
    await ledger.conn.execute("SELECT pg_advisory_lock($1)", RUNNING)
    async with administrator(ledger) as conn, conn.transaction():
        with pytest.raises(LedgerRunningError, match="stop it first"):
            await rebuild_derived(conn)


async def test_the_command_tells_what_differed_and_a_dry_run_changes_nothing(ledger: Ledger) -> None:
    await fill(ledger)
    await ledger.as_administrator("UPDATE ledger.balance SET debits = debits + 1 WHERE account_id = 1")
    shown = await command(ledger, "--dry-run")
    assert (shown.exit_code, "balance        1 rows differed: 1" in shown.lines) == (0, True)
    assert [deviation.code.value for deviation in await ledger.deviations()] == ["BALANCE_WRONG", "UNIT_NOT_ZERO"]
    done = await command(ledger, "--json")
    assert orjson.loads(done.lines[0]) == {"table": "balance", "differed": 1, "rows": ["1"]}
    assert "premia fsck" in done.stderr
    assert await ledger.deviations() == []


async def test_an_entitlement_that_cannot_be_read_stops_it_by_name(ledger: Ledger) -> None:
    await fill(ledger)
    await ledger.as_administrator("UPDATE ledger.entitlement SET value = 'x' WHERE lot_id = 'LOT-3' AND revision = 2")
    refused = await command(ledger)
    assert refused.exit_code == 4
    assert "the stored entitlement of gold.sales.v1/0/6" in refused.stderr


async def command(ledger: Ledger, *options: str) -> Finished:
    return await premia_with(ledger.environment, "ledger", "rebuild", *options)
