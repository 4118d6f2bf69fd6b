"""Ways to have PostgreSQL take what it must refuse, each with the code that fsck must find and the place that it must name."""

from __future__ import annotations

from typing import Final

AMOUNT: Final = "ledger.transfer: constraint transfer_amount_check"
CHECK_TRANSFERS: Final = "ledger.transfer: trigger check_transfers"

CONSTRAINT_DAMAGES: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "a check is gone": (
        "ALTER TABLE ledger.transfer DROP CONSTRAINT transfer_amount_check",
        {"CONSTRAINT_MISSING": AMOUNT},
    ),
    "a check spares the rows that are there": (
        "ALTER TABLE ledger.transfer DROP CONSTRAINT transfer_amount_check,"
        " ADD CONSTRAINT transfer_amount_check CHECK (amount BETWEEN 1 AND 9007199254740991) NOT VALID",
        {"CONSTRAINT_MISSING": AMOUNT},
    ),
    "a check lets more pass": (
        "ALTER TABLE ledger.transfer DROP CONSTRAINT transfer_amount_check,"
        " ADD CONSTRAINT transfer_amount_check CHECK (amount BETWEEN 0 AND 9007199254740991)",
        {"CONSTRAINT_MISSING": AMOUNT},
    ),
    "a check of a derived table is gone": (
        "ALTER TABLE ledger.balance DROP CONSTRAINT balance_debits_check",
        {"CONSTRAINT_MISSING": "ledger.balance: constraint balance_debits_check"},
    ),
    "a primary key is gone": (
        "ALTER TABLE ledger.account DROP CONSTRAINT account_pkey",
        {"CONSTRAINT_MISSING": "ledger.account: constraint account_pkey"},
    ),
    "a unique constraint is gone": (
        "ALTER TABLE ledger.journal DROP CONSTRAINT journal_transaction_id_key",
        {"CONSTRAINT_MISSING": "ledger.journal: constraint journal_transaction_id_key"},
    ),
    "a column may be null": (
        "ALTER TABLE ledger.journal ALTER COLUMN leaf DROP NOT NULL",
        {"CONSTRAINT_MISSING": "ledger.journal: column leaf"},
    ),
    "a reference is gone": (
        "ALTER TABLE ledger.booking DROP CONSTRAINT booking_command_id_fkey",
        {"CONSTRAINT_MISSING": "ledger.booking: constraint booking_command_id_fkey"},
    ),
    "a reference spares the rows that are there": (
        "ALTER TABLE ledger.booking DROP CONSTRAINT booking_command_id_fkey,"
        " ADD CONSTRAINT booking_command_id_fkey FOREIGN KEY (command_id) REFERENCES ledger.command NOT VALID",
        {"CONSTRAINT_MISSING": "ledger.booking: constraint booking_command_id_fkey"},
    ),
    # As whoever loads rows by hand does it, and mends only the half that fsck always saw.
    "a reference is not looked at": (
        "ALTER TABLE ledger.booking DISABLE TRIGGER ALL;"
        " ALTER TABLE ledger.booking ENABLE ALWAYS TRIGGER append_only_rows;"
        " ALTER TABLE ledger.booking ENABLE ALWAYS TRIGGER append_only_table",
        {"CONSTRAINT_MISSING": "ledger.booking: constraint booking_command_id_fkey"},
    ),
    "a unique index is gone": (
        "DROP INDEX ledger.entitlement_sale",
        {"CONSTRAINT_MISSING": "ledger.entitlement: unique index entitlement_sale"},
    ),
    "an index is no longer unique": (
        "DROP INDEX ledger.entitlement_sale; CREATE INDEX entitlement_sale ON ledger.entitlement (sale_source, sale_id)"
        " WHERE cause = 'sale'",
        {"CONSTRAINT_MISSING": "ledger.entitlement: unique index entitlement_sale"},
    ),
    # As CREATE UNIQUE INDEX CONCURRENTLY leaves it when it meets two rows that are alike.
    "a unique index was never finished": (
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ledger.entitlement_sale'::regclass",
        {"CONSTRAINT_MISSING": "ledger.entitlement: unique index entitlement_sale"},
    ),
    "what comes in is not looked at": (
        "ALTER TABLE ledger.transfer DISABLE TRIGGER check_transfers",
        {"CONSTRAINT_MISSING": CHECK_TRANSFERS},
    ),
    "what comes in is not looked at in replica mode": (
        "ALTER TABLE ledger.transfer ENABLE TRIGGER check_transfers",
        {"CONSTRAINT_MISSING": CHECK_TRANSFERS},
    ),
    "what comes in is let pass": (
        "CREATE OR REPLACE FUNCTION ledger.check_transfers() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        {"CONSTRAINT_MISSING": CHECK_TRANSFERS},
    ),
    "a constraint of payout is gone": (
        "DROP INDEX payout.account_payable",
        {"CONSTRAINT_MISSING": "payout.account: unique index account_payable"},
    ),
    "a trigger swallows what is inserted": (
        "CREATE FUNCTION ledger.quiet() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        " CREATE TRIGGER quiet BEFORE INSERT ON ledger.journal FOR EACH ROW EXECUTE FUNCTION ledger.quiet()",
        {"GUARD_MISSING": "ledger.journal"},
    ),
}
