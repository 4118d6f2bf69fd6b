"""The journal cannot be changed by the service's login in any way that PostgreSQL has, nor by its owner without a trace."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import asyncpg
import pytest

from premia.commands.migrate import WrongInput, bring_up_to_date
from tests.integration.ledger.conftest import APPEND_ONLY, RECOVERED, Ledger
from tests.integration.ledger.records import command, entitlement, reserve, settle

ORG = ("org", "ORG-1")


# Rows that only persons bring about, or a restore.
DECIDED = (
    "INSERT INTO ledger.recovered_posting (entitlement_id, first_leaf, leaves, recorded_at)"
    " SELECT entitlement_id, first_leaf, leaves, recorded_at FROM ledger.entitlement WHERE first_leaf IS NOT NULL",
    "INSERT INTO ledger.recovered_outcome (outcome_id, command_id, code, recorded_at)"
    " SELECT command_id, command_id, code, recorded_at FROM ledger.command",
    "INSERT INTO ledger.reversal (transaction_id, command_id) SELECT transaction_id, command_id FROM ledger.command"
    " WHERE code = 'POSTED' LIMIT 1",
    "INSERT INTO ledger.correction (correction_id, kind, subject_kind, subject_id, content, proposed_by, proposed_at)"
    " SELECT transaction_id, 'correct', 'org', 'ORG-1', '', 'ana', now() FROM ledger.reversal",
    "INSERT INTO ledger.correction_decision (correction_id, decision, decided_by, decided_at)"
    " SELECT correction_id, 'withdrawn', 'bruno', now() FROM ledger.correction",
)


async def filled(ledger: Ledger) -> None:
    """One row in every table at least."""
    await ledger.post(entitlement(origin_offset=1), reserve("R", ["1.00"]), settle("R", "B-1"))
    await ledger.post(
        entitlement(origin_offset=2, content="changed"), command("U", "void", ORG, reservation="U", reason="NO_ONE")
    )
    for statement in DECIDED:
        await ledger.conn.execute(statement)
    for table in (*APPEND_ONLY, *RECOVERED):
        assert await ledger.conn.fetchval(f"SELECT count(*) FROM ledger.{table}") > 0, table


# What the service's login may try on a table of the journal. {column}: the first of its key; {key}: all of its key.
ON_A_TABLE = (
    "UPDATE ledger.{table} SET {column} = {column}",
    "UPDATE ONLY ledger.{table} SET {column} = {column} WHERE ctid = '(0,1)'",
    "DELETE FROM ledger.{table}",
    "TRUNCATE ledger.{table} CASCADE",
    "INSERT INTO ledger.{table} SELECT * FROM ledger.{table} ON CONFLICT ({key}) DO UPDATE SET {column} = EXCLUDED.{column}",
    "MERGE INTO ledger.{table} AS t USING ledger.{table} AS s ON t.{column} = s.{column} WHEN MATCHED THEN DELETE",
    "MERGE INTO ledger.{table} AS t USING ledger.{table} AS s ON t.{column} = s.{column}"
    " WHEN MATCHED THEN UPDATE SET {column} = s.{column}",
    "WITH gone AS (DELETE FROM ledger.{table} RETURNING *) SELECT * FROM gone",
    "PREPARE gone AS DELETE FROM ledger.{table}; EXECUTE gone",
    "DECLARE here CURSOR FOR SELECT * FROM ledger.{table}; FETCH here; DELETE FROM ledger.{table} WHERE CURRENT OF here",
    "EXPLAIN ANALYZE DELETE FROM ledger.{table}",
    "DO $$ BEGIN EXECUTE 'DELETE FROM ledger.{table}'; END $$",
    "CREATE TEMP VIEW mine AS SELECT * FROM ledger.{table}; DELETE FROM mine",
    "CREATE TEMP VIEW mine WITH (security_invoker) AS SELECT * FROM ledger.{table}; UPDATE mine SET {column} = {column}",
    "CREATE FUNCTION pg_temp.mine() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'DELETE FROM ledger.{table}';"
    " SELECT pg_temp.mine()",
    "CREATE TEMP TABLE mine () INHERITS (ledger.{table})",
    "SELECT * FROM ledger.{table} FOR UPDATE",
    "BEGIN; LOCK TABLE ledger.{table} IN ACCESS EXCLUSIVE MODE",
    "COPY ledger.{table} FROM PROGRAM 'cat /dev/null'",
    "COPY ledger.{table} TO '/tmp/journal'",
    "ALTER TABLE ledger.{table} DISABLE TRIGGER ALL",
    "ALTER TABLE ledger.{table} DISABLE TRIGGER append_only_rows",
    "ALTER TABLE ledger.{table} ENABLE REPLICA TRIGGER append_only_rows",
    "ALTER TRIGGER append_only_rows ON ledger.{table} RENAME TO other",
    "DROP TRIGGER append_only_rows ON ledger.{table}",
    "CREATE OR REPLACE TRIGGER append_only_rows BEFORE UPDATE ON ledger.{table}"
    " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE TRIGGER mine BEFORE INSERT ON ledger.{table} EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE RULE quiet AS ON INSERT TO ledger.{table} DO INSTEAD NOTHING",
    "CREATE RULE twice AS ON INSERT TO ledger.{table} DO ALSO DELETE FROM ledger.{table}",
    "CREATE POLICY hide ON ledger.{table} USING (false)",
    "ALTER TABLE ledger.{table} ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE ledger.{table} ADD COLUMN more int",
    "ALTER TABLE ledger.{table} DROP COLUMN {column}",
    "ALTER TABLE ledger.{table} ALTER COLUMN {column} SET DEFAULT NULL",
    "ALTER TABLE ledger.{table} ALTER COLUMN {column} TYPE text",
    "ALTER TABLE ledger.{table} RENAME COLUMN {column} TO other",
    "ALTER TABLE ledger.{table} RENAME TO other",
    "ALTER TABLE ledger.{table} SET SCHEMA public",
    "ALTER TABLE ledger.{table} SET UNLOGGED",
    "ALTER TABLE ledger.{table} OWNER TO CURRENT_USER",
    "DROP TABLE ledger.{table} CASCADE",
    "ALTER TABLE ledger.{table} DROP CONSTRAINT {table}_pkey",
    "ALTER TABLE ledger.{table} ADD CONSTRAINT never CHECK (false) NOT VALID",
    "ALTER TABLE ledger.{table} REPLICA IDENTITY FULL",
    "ALTER TABLE ledger.{table} FORCE ROW LEVEL SECURITY",
    "CREATE TEMP VIEW mine AS SELECT * FROM ledger.{table}; CREATE RULE lent AS ON DELETE TO mine DO INSTEAD DELETE FROM"
    " ledger.{table}; DELETE FROM mine",
    "CREATE FUNCTION pg_temp.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
    " SET search_path = pg_temp; DELETE FROM ledger.{table}",
    "CREATE INDEX ON ledger.{table} ({column})",
    "CLUSTER ledger.{table} USING {table}_pkey",
    "GRANT ALL ON ledger.{table} TO CURRENT_USER WITH GRANT OPTION; DELETE FROM ledger.{table}",
)
# What it may try to become more than it is, or to get at the tables from the side.
FROM_THE_SIDE = (
    "SET session_replication_role = replica",
    "SELECT set_config('session_replication_role', 'replica', false)",
    "ALTER ROLE CURRENT_USER SET session_replication_role = replica",
    "ALTER SYSTEM SET session_replication_role = replica",
    "SET ROLE ledger_owner",
    "SET ROLE payout_writer",
    "SET ROLE {superuser}",
    "SET SESSION AUTHORIZATION ledger_owner",
    "SET SESSION AUTHORIZATION {superuser}",
    "GRANT ledger_owner TO CURRENT_USER",
    "GRANT pg_write_all_data TO CURRENT_USER",
    "GRANT ALL ON ALL TABLES IN SCHEMA ledger TO CURRENT_USER; DELETE FROM ledger.journal",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "CREATE ROLE mine SUPERUSER",
    "REASSIGN OWNED BY ledger_owner TO CURRENT_USER",
    "DROP OWNED BY ledger_owner CASCADE",
    "ALTER DEFAULT PRIVILEGES FOR ROLE ledger_owner GRANT ALL ON TABLES TO CURRENT_USER",
    "CREATE OR REPLACE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "ALTER FUNCTION ledger.refuse_change() RENAME TO other",
    "DROP FUNCTION ledger.refuse_change() CASCADE",
    "DROP SCHEMA ledger CASCADE",
    "ALTER SCHEMA ledger RENAME TO other",
    "CREATE SCHEMA mine",
    "CREATE TABLE ledger.mine (a int)",
    "CREATE TABLE public.mine (a int)",
    "CREATE VIEW ledger.mine AS SELECT * FROM ledger.journal",
    "CREATE TABLE ledger.journal_2025 (LIKE ledger.journal)",
    "CREATE DOMAIN ledger.mine AS text",
    "CREATE OPERATOR public.= (LEFTARG = bytea, RIGHTARG = bytea, FUNCTION = byteaeq)",
    "ALTER DATABASE {database} SET session_replication_role = replica",
    "LOAD 'auto_explain'",
    "CREATE FUNCTION ledger.mine() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'DELETE FROM ledger.journal'",
    "CREATE FUNCTION public.format(text) RETURNS text LANGUAGE sql AS 'SELECT null'",
    "CREATE EVENT TRIGGER mine ON ddl_command_end EXECUTE FUNCTION ledger.refuse_change()",
    "CREATE EXTENSION dblink",
    "CREATE EXTENSION postgres_fdw",
    "CREATE FOREIGN DATA WRAPPER mine",
    "CREATE PUBLICATION mine FOR ALL TABLES",
    "CREATE SUBSCRIPTION mine CONNECTION 'dbname=other' PUBLICATION mine",
    "UPDATE pg_catalog.pg_trigger SET tgenabled = 'D'",
    "DELETE FROM pg_catalog.pg_trigger",
    "UPDATE pg_catalog.pg_class SET relhastriggers = false",
    "UPDATE pg_catalog.pg_authid SET rolsuper = true",
    "INSERT INTO pg_catalog.pg_auth_members SELECT * FROM pg_catalog.pg_auth_members",
    "SELECT lo_import('/etc/hostname')",
    "SELECT lo_create(7); SELECT lo_export(7, '/tmp/journal')",
    "UPDATE pg_catalog.pg_largeobject SET data = ''",
    "SELECT pg_read_binary_file('PG_VERSION')",
    "SELECT pg_catalog.pg_switch_wal()",
    "DELETE FROM ledger.log_head",
    "INSERT INTO ledger.log_head VALUES (true, 0, now(), 0)",
    "DELETE FROM ledger.balance",
    "DELETE FROM ledger.subject",
    "DELETE FROM ledger.lot_head",
    "DELETE FROM ledger.reservation",
    "UPDATE public.premia_migration SET sha256 = ''",
)


async def contents(ledger: Ledger) -> dict[str, str]:
    """A hash of all rows of each table of the journal, and of who may do what in the schema."""
    admin = await asyncpg.connect(ledger.environment["DATABASE_URL"])
    try:
        found = {
            table: await admin.fetchval(f"SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM ledger.{table} AS t")
            for table in (*APPEND_ONLY, *RECOVERED)
        }
        found["guards"] = await admin.fetchval(
            "SELECT md5(string_agg(r::text, ' ' ORDER BY r::text)) FROM ("
            " SELECT c.relname, c.relowner, c.relacl::text, c.relrowsecurity, c.relpersistence, t.tgname, t.tgenabled, t.tgfoid"
            " FROM pg_class AS c LEFT JOIN pg_trigger AS t ON t.tgrelid = c.oid"
            " WHERE c.relnamespace = 'ledger'::regnamespace) AS r"
        )
    finally:
        await admin.close()
    return found


async def refused(conn: asyncpg.Connection[asyncpg.Record], statement: str) -> None:
    """Assert that PostgreSQL refuses a statement because it may not be done, and not because it is misspelt."""
    try:
        await conn.execute(statement)  # one query is one transaction, also where it is several statements
    except asyncpg.InsufficientPrivilegeError:
        if conn.is_in_transaction():
            await conn.execute("ROLLBACK")
    else:
        pytest.fail(f"was not refused: {statement}")


@pytest.fixture(params=["PREMIA_LEDGER_DATABASE_URL", "PREMIA_READER_DATABASE_URL"], ids=["writer", "reader"])
async def login(request: pytest.FixtureRequest, ledger: Ledger) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection as the service's login, and one as the reader's."""
    conn = await asyncpg.connect(ledger.environment[request.param])
    try:
        yield conn
    finally:
        await conn.close()


@pytest.mark.parametrize("table", [*APPEND_ONLY, *RECOVERED])
async def test_nobody_of_the_service_can_change_the_journal(
    ledger: Ledger, login: asyncpg.Connection[asyncpg.Record], table: str
) -> None:
    await filled(ledger)
    before = await contents(ledger)
    keys = await login.fetch(
        "SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)"
        " WHERE indisprimary AND indrelid = $1::text::regclass",
        f"ledger.{table}",
    )
    for attempt in ON_A_TABLE:
        key = ", ".join(row["attname"] for row in keys)
        await refused(login, attempt.format(table=table, column=keys[0]["attname"], key=key))
    for privilege in ("UPDATE", "DELETE", "TRUNCATE", "TRIGGER", "REFERENCES"):
        assert not await login.fetchval("SELECT has_table_privilege($1, $2)", f"ledger.{table}", privilege)
    assert await contents(ledger) == before


async def test_nobody_of_the_service_can_become_more_than_it_is(
    ledger: Ledger, login: asyncpg.Connection[asyncpg.Record]
) -> None:
    await filled(ledger)
    before = await contents(ledger)
    superuser = await login.fetchval("SELECT quote_ident(rolname) FROM pg_roles WHERE rolsuper LIMIT 1")
    database = await login.fetchval("SELECT quote_ident(current_database())")
    for attempt in FROM_THE_SIDE:
        await refused(login, attempt.format(superuser=superuser, database=database))
    assert await contents(ledger) == before


async def test_privileges_that_one_gives_oneself_give_nothing(
    ledger: Ledger, login: asyncpg.Connection[asyncpg.Record]
) -> None:
    await filled(ledger)
    before = await contents(ledger)
    # PostgreSQL carries these out, with a warning or for objects of one's own, of which there are none.
    await login.execute("GRANT SELECT ON ledger.journal TO CURRENT_USER")
    await login.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA ledger GRANT ALL ON TABLES TO PUBLIC")
    await login.execute("DROP OWNED BY CURRENT_USER")
    await refused(login, "DELETE FROM ledger.journal")
    assert await contents(ledger) == before


async def test_no_function_and_no_view_lends_the_rights_of_another(ledger: Ledger) -> None:
    lent = await ledger.conn.fetch(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE prosecdef"
        " AND pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)"
        " UNION ALL SELECT oid::regclass::text FROM pg_class"
        " WHERE relkind IN ('v', 'm', 'f')"
        " AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)"
    )
    assert lent == []


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
        for table in (*APPEND_ONLY, *RECOVERED):
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
