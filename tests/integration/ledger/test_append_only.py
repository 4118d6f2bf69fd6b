"""The journal cannot be changed by the service's login in any way that PostgreSQL has, nor by its owner without a trace."""

from __future__ import annotations

import io

import asyncpg
import pytest

from premia.commands.migrate import WrongInput, bring_up_to_date
from tests.integration.ledger.conftest import APPEND_ONLY, Ledger
from tests.integration.ledger.records import command, entitlement, reserve, settle

ORG = ("org", "ORG-1")


async def filled(ledger: Ledger) -> None:
    """One row in every table at least."""
    await ledger.post(entitlement(origin_offset=1), reserve("R", ["1.00"]), settle("R", "B-1"))
    await ledger.post(
        entitlement(origin_offset=2, content="changed"), command("U", "void", ORG, reservation="U", reason="NO_ONE")
    )
    for table in APPEND_ONLY:
        assert await ledger.conn.fetchval(f"SELECT count(*) FROM ledger.{table}") > 0, table


async def refused(conn: asyncpg.Connection[asyncpg.Record], statement: str) -> None:
    """Assert that PostgreSQL refuses a statement."""
    with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.IntegrityConstraintViolationError)):
        async with conn.transaction():
            await conn.execute(statement)


@pytest.mark.parametrize("table", APPEND_ONLY)
async def test_the_writer_cannot_change_a_row_of_the_journal(ledger: Ledger, table: str) -> None:
    await filled(ledger)
    keys = await ledger.conn.fetch(
        "SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)"
        " WHERE indisprimary AND indrelid = $1::text::regclass",
        f"ledger.{table}",
    )
    column, key = keys[0]["attname"], ", ".join(row["attname"] for row in keys)
    again = f"INSERT INTO ledger.{table} SELECT * FROM ledger.{table} ON CONFLICT ({key})"
    for statement in (
        f"UPDATE ledger.{table} SET {column} = {column}",
        f"DELETE FROM ledger.{table}",
        f"TRUNCATE ledger.{table} CASCADE",
        f"{again} DO UPDATE SET {column} = EXCLUDED.{column}",
        f"MERGE INTO ledger.{table} AS t USING ledger.{table} AS s ON t.{column} = s.{column} WHEN MATCHED THEN DELETE",
        f"SELECT * FROM ledger.{table} FOR UPDATE",
        f"ALTER TABLE ledger.{table} DISABLE TRIGGER ALL",
        f"ALTER TABLE ledger.{table} ADD COLUMN more int",
        f"ALTER TABLE ledger.{table} OWNER TO CURRENT_USER",
        f"DROP TABLE ledger.{table}",
        f"CREATE RULE quiet AS ON INSERT TO ledger.{table} DO INSTEAD NOTHING",
        f"CREATE TRIGGER mine BEFORE INSERT ON ledger.{table} EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        f"CREATE INDEX ON ledger.{table} ({column})",
        f"LOCK TABLE ledger.{table} IN ACCESS EXCLUSIVE MODE",
        f"COPY ledger.{table} FROM PROGRAM 'cat /dev/null'",
    ):
        await refused(ledger.conn, statement)
    await ledger.conn.execute(f"GRANT ALL ON ledger.{table} TO CURRENT_USER")  # a warning only, and nothing is granted
    for privilege in ("UPDATE", "DELETE", "TRUNCATE", "TRIGGER", "REFERENCES"):
        assert not await ledger.conn.fetchval("SELECT has_table_privilege($1, $2)", f"ledger.{table}", privilege)


@pytest.mark.parametrize(
    "statement",
    [
        "SET session_replication_role = replica",
        "SET ROLE ledger_owner",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION ledger_owner",
        "GRANT ledger_owner TO CURRENT_USER",
        "ALTER ROLE CURRENT_USER SUPERUSER",
        "CREATE OR REPLACE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE sql AS ''",
        "DROP FUNCTION ledger.refuse_change() CASCADE",
        "ALTER SCHEMA ledger RENAME TO other",
        "CREATE TABLE ledger.mine (a int)",
        "DELETE FROM ledger.log_head",
        "INSERT INTO ledger.log_head VALUES (true, 0, now(), 0)",
        "DELETE FROM ledger.balance",
        "DELETE FROM ledger.reservation",
        "UPDATE public.premia_migration SET sha256 = ''",
    ],
)
async def test_the_writer_cannot_become_more_than_it_is(ledger: Ledger, statement: str) -> None:
    await filled(ledger)
    if statement == "SET ROLE postgres":
        statement = f"SET ROLE {(await ledger.conn.fetchval('SELECT rolname FROM pg_roles WHERE rolsuper LIMIT 1'))}"
    with pytest.raises(
        (
            asyncpg.InsufficientPrivilegeError,
            asyncpg.InvalidParameterValueError,
            asyncpg.UniqueViolationError,
            asyncpg.SyntaxOrAccessError,
        )
    ):
        await ledger.conn.execute(statement)


async def test_rows_cannot_be_added_as_if_they_had_always_been_there(ledger: Ledger) -> None:
    await filled(ledger)
    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="COPY FREEZE"):
        await ledger.conn.copy_to_table("booking", schema_name="ledger", source=io.BytesIO(b""), freeze=True, format="text")


async def test_the_owner_is_stopped_by_triggers_in_replica_mode_too(ledger: Ledger) -> None:
    await filled(ledger)
    admin = await asyncpg.connect(ledger.environment["DATABASE_URL"])
    try:
        await admin.execute("SET session_replication_role = replica")
        await admin.execute("SET ROLE ledger_owner")
        for table in APPEND_ONLY:
            for statement in (f"DELETE FROM ledger.{table}", f"TRUNCATE ledger.{table} CASCADE"):
                with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="append-only"):
                    await admin.execute(statement)
    finally:
        await admin.close()


async def test_the_reader_reads_everything_and_writes_nothing(ledger: Ledger) -> None:
    await filled(ledger)
    reader = await asyncpg.connect(ledger.environment["PREMIA_READER_DATABASE_URL"])
    try:
        tables = await reader.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'ledger'")
        assert len(tables) >= 17
        for row in tables:
            await reader.execute(f"SELECT * FROM ledger.{row['tablename']}")
            await refused(reader, f"DELETE FROM ledger.{row['tablename']}")
            await refused(reader, f"INSERT INTO ledger.{row['tablename']} SELECT * FROM ledger.{row['tablename']}")
    finally:
        await reader.close()


@pytest.mark.parametrize(
    "changed",
    [
        "unit = 'EUR'",
        "debit_account_id = 9999",
        "credit_account_id = 9999",
        "credit_account_id = debit_account_id",
        "leaf_index = 9999",
        "amount = 0",
        "amount = -1",
        "amount = 9007199254740992",
        "debit_account_id = (SELECT account_id FROM ledger.account WHERE unit = 'AU-MG' LIMIT 1)",
    ],
)
@pytest.mark.parametrize("mode", ["origin", "replica"])
async def test_the_database_itself_refuses_a_transfer_that_cannot_be(ledger: Ledger, changed: str, mode: str) -> None:
    await filled(ledger)
    column, _, value = changed.partition(" = ")
    columns = ["leaf_index", "number", "debit_account_id", "credit_account_id", "amount", "unit"]
    made = [value if name == column else "99" if name == "number" else name for name in columns]
    admin = await asyncpg.connect(ledger.environment["DATABASE_URL"])
    try:
        await admin.execute(f"SET session_replication_role = {mode}")
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await admin.execute(
                f"INSERT INTO ledger.transfer ({', '.join(columns)}) SELECT {', '.join(made)} FROM ledger.transfer"
                " WHERE unit = 'USD' LIMIT 1"
            )
    finally:
        await admin.close()


async def test_migrating_again_changes_nothing(ledger: Ledger) -> None:
    await filled(ledger)
    admin = await asyncpg.connect(ledger.environment["DATABASE_URL"])
    try:
        applied = await admin.fetch("SELECT * FROM public.premia_migration ORDER BY schema_name, number")
        await bring_up_to_date(ledger.environment["DATABASE_URL"], ledger.environment)
        assert await admin.fetch("SELECT * FROM public.premia_migration ORDER BY schema_name, number") == applied
    finally:
        await admin.close()


async def test_a_superuser_is_refused_as_the_services_login(ledger: Ledger) -> None:
    as_superuser = ledger.environment | {"PREMIA_LEDGER_DATABASE_URL": ledger.environment["DATABASE_URL"]}
    with pytest.raises(WrongInput, match="is a superuser"):
        await bring_up_to_date(ledger.environment["DATABASE_URL"], as_superuser)
