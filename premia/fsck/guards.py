"""Whether the tables that only grow are guarded: triggers on, and nobody but their owner allowed to change a row.

Goal: whoever switched a guard off and forgot it, or hoped that nobody looks, is found out before anything is changed.
Method: PostgreSQL's own catalogs. Each table needs a trigger that also fires in replica mode (ENABLE ALWAYS) before every
UPDATE, DELETE and TRUNCATE; no role but the owner may have a privilege to do one of them.
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

# tgtype, as PostgreSQL's catalog documents it: 2 before, 8 delete, 16 update, 32 truncate; tgenabled A: always.
MISSING_TRIGGERS: Final = """
    SELECT t.name, e.event FROM unnest($1::text[]) AS t (name),
        (VALUES ('UPDATE', 16), ('DELETE', 8), ('TRUNCATE', 32)) AS e (event, bit)
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_trigger AS g JOIN pg_catalog.pg_proc AS p ON p.oid = g.tgfoid
        WHERE g.tgrelid = to_regclass(t.name) AND g.tgenabled = 'A' AND g.tgtype & 2 <> 0 AND g.tgtype & e.bit <> 0
            AND p.proname = 'refuse_change')
    ORDER BY t.name, e.event"""
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
