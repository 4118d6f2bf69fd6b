"""Whether the tables that only grow are guarded: triggers on, and nobody but their owner allowed to change a row.

Goal: whoever switched a guard off and forgot it, or hoped that nobody looks, is found out before anything is changed.
Method: PostgreSQL's own catalogs. Each table needs a trigger that also fires in replica mode (ENABLE ALWAYS) before every
UPDATE, DELETE and TRUNCATE of whatever row or column, and whose function does nothing but refuse; no rule may stand before it,
no trigger may change or swallow what is inserted, and no table may lie below it, whose rows it would not guard. Its owner is a
role of its own; nobody else may have a privilege to do one of them, and no login of the services may become the owner or more.
Administrators, who may make roles, are left out of that.
Source: design, section 6.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from premia.fsck.deviation import Checked, Deviation, DeviationCode
from premia.fsck.streams import Connection

APPEND_ONLY: Final[dict[str, tuple[str, ...]]] = {
    "ledger": (
        "account", "journal", "transfer", "entitlement", "command", "booking", "quarantine", "outbox", "reversal", "correction",
        "correction_decision", "recovered_posting", "recovered_outcome",
    ),
    "payout": (
        "ledger_transaction", "posting", "ledger_command", "command_outcome", "registry_event", "account_event", "cycle_event",
        "cycle_result", "order_part", "order_item", "order_event", "bank_message", "quarantined_file", "payment_status",
        "booking", "statement", "statement_balance", "outbox", "booking_clearing",
    ),
}  # fmt: skip
TABLES: Final = tuple(f"{schema}.{table}" for schema, tables in APPEND_ONLY.items() for table in tables)

# tgtype, as PostgreSQL's catalog documents it: 2 before, 4 insert, 8 delete, 16 update, 32 truncate; tgenabled A: always.
MISSING_TRIGGERS: Final = """
    SELECT t.name, e.event FROM unnest($1::text[]) AS t (name),
        (VALUES ('UPDATE', 16), ('DELETE', 8), ('TRUNCATE', 32)) AS e (event, bit)
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_trigger AS g JOIN pg_catalog.pg_proc AS p ON p.oid = g.tgfoid
        JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang AND l.lanname = 'plpgsql'
        WHERE g.tgrelid = to_regclass(t.name) AND g.tgenabled = 'A' AND g.tgtype & 2 <> 0 AND g.tgtype & e.bit <> 0
            AND g.tgqual IS NULL AND g.tgattr::text = '' AND p.proname = 'refuse_change'
            AND p.prosrc ~ '^[[:space:]]*BEGIN[[:space:]]+RAISE EXCEPTION [^;]*;[[:space:]]*END[[:space:]]*;?[[:space:]]*$')
    ORDER BY t.name, e.event"""
OTHER_OWNERS: Final = """
    SELECT t.name, c.relowner::regrole::text AS owner FROM unnest($1::text[]) AS t (name)
    JOIN pg_catalog.pg_class AS c ON c.oid = to_regclass(t.name)
    WHERE c.relowner::regrole::text <> split_part(t.name, '.', 1) || '_owner' ORDER BY t.name"""
IN_BETWEEN: Final = """
    SELECT t.name, 'rule ' || r.rulename AS found FROM unnest($1::text[]) AS t (name)
    JOIN pg_catalog.pg_rewrite AS r ON r.ev_class = to_regclass(t.name)
    UNION ALL
    SELECT t.name, 'trigger ' || g.tgname || ' before insert' FROM unnest($1::text[]) AS t (name)
    JOIN pg_catalog.pg_trigger AS g ON g.tgrelid = to_regclass(t.name) AND g.tgtype & 6 = 6
    UNION ALL
    SELECT t.name, 'table ' || i.inhrelid::regclass::text || ', which inherits it' FROM unnest($1::text[]) AS t (name)
    JOIN pg_catalog.pg_inherits AS i ON i.inhparent = to_regclass(t.name)
    ORDER BY 1, 2"""
# Roles of PostgreSQL's own that write whatever there is, or reach its files.
POWERS: Final = ("pg_write_all_data", "pg_write_server_files", "pg_execute_server_program")
LOGINS: Final = """
    WITH RECURSIVE reach (login, role) AS (
        SELECT oid, oid FROM pg_catalog.pg_roles WHERE rolcanlogin AND NOT rolcreaterole
        UNION SELECT r.login, m.roleid FROM reach AS r JOIN pg_catalog.pg_auth_members AS m ON m.member = r.role)
    SELECT DISTINCT s.login::regrole::text AS login,
        CASE WHEN p.rolsuper THEN 'a superuser' ELSE 'one who may act as ' || p.rolname END AS found
    FROM reach AS s JOIN pg_catalog.pg_roles AS g ON g.oid = s.role AND g.rolname = ANY ($1)
    JOIN reach AS o ON o.login = s.login JOIN pg_catalog.pg_roles AS p ON p.oid = o.role
    WHERE p.rolsuper OR p.rolname = ANY ($2) ORDER BY 1, 2"""
PRIVILEGES: Final = """
    SELECT t.name, CASE g.grantee WHEN 0 THEN 'everybody' ELSE g.grantee::regrole::text END AS grantee, g.privilege_type
    FROM unnest($1::text[]) AS t (name)
    JOIN pg_catalog.pg_class AS c ON c.oid = to_regclass(t.name),
    LATERAL (
        SELECT grantee, privilege_type FROM aclexplode(c.relacl)
        UNION SELECT a.grantee, a.privilege_type
        FROM pg_catalog.pg_attribute AS r, LATERAL aclexplode(r.attacl) AS a WHERE r.attrelid = c.oid) AS g
    WHERE g.grantee <> c.relowner AND g.privilege_type IN ('UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER')
    ORDER BY t.name, grantee, g.privilege_type"""


async def check_guards(conn: Connection, checked: Checked) -> AsyncIterator[Deviation]:
    """Yield every guard that is missing, in both schemas."""
    checked.add("guarded tables", len(TABLES))
    for row in await conn.fetch(MISSING_TRIGGERS, list(TABLES)):
        expected = f"a trigger that refuses {row['event']}, always enabled"
        yield Deviation(DeviationCode.GUARD_MISSING, row["name"], expected, "none")
    for row in await conn.fetch(PRIVILEGES, list(TABLES)):
        found = f"{row['grantee']} may {row['privilege_type']}"
        yield Deviation(DeviationCode.GUARD_MISSING, row["name"], "nobody but the owner may change a row", found)
    for row in await conn.fetch(OTHER_OWNERS, list(TABLES)):
        yield Deviation(DeviationCode.GUARD_MISSING, row["name"], "an owner of its own", f"{row['owner']} owns it")
    for row in await conn.fetch(IN_BETWEEN, list(TABLES)):
        expected = "no rule or trigger before and no table below it"
        yield Deviation(DeviationCode.GUARD_MISSING, row["name"], expected, row["found"])
    services = [f"{schema}_{role}" for schema in APPEND_ONLY for role in ("writer", "reader")]
    owners = [f"{schema}_owner" for schema in APPEND_ONLY]
    for row in await conn.fetch(LOGINS, services, [*owners, *POWERS]):
        yield Deviation(DeviationCode.GUARD_MISSING, row["login"], "a login that only writes or reads", row["found"])
