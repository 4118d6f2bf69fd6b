-- Locks nothing that is in use: everything in here is new. Both tables are empty unless an old backup was restored, and the leaves
-- that it did not have were taken back from the log (docs/adr/0014).

SET LOCAL ROLE ledger_owner;

-- Entitlements whose leaves are in the journal again and that have not come again yet: when they do, they are entered and post
-- nothing.
CREATE TABLE ledger.recovered_posting (
    entitlement_id uuid PRIMARY KEY,
    first_leaf bigint NOT NULL,
    leaves int NOT NULL CHECK (leaves > 0),
    recorded_at timestamptz NOT NULL
);

-- Outcomes without a leaf that were told, by the id under which they were: it derives from the command's id and hash. When the
-- command comes again it is answered so again.
CREATE TABLE ledger.recovered_outcome (
    outcome_id uuid PRIMARY KEY,
    command_id uuid NOT NULL,
    code text NOT NULL,
    message text,
    recorded_at timestamptz NOT NULL
);

DO $triggers$
DECLARE
    table_name text;
BEGIN
    FOREACH table_name IN ARRAY ARRAY['recovered_posting', 'recovered_outcome'] LOOP
        EXECUTE format(
            'CREATE TRIGGER append_only_rows BEFORE UPDATE OR DELETE ON ledger.%I'
            ' FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change()', table_name);
        EXECUTE format(
            'CREATE TRIGGER append_only_table BEFORE TRUNCATE ON ledger.%I'
            ' FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', table_name);
        EXECUTE format('ALTER TABLE ledger.%I ENABLE ALWAYS TRIGGER append_only_rows', table_name);
        EXECUTE format('ALTER TABLE ledger.%I ENABLE ALWAYS TRIGGER append_only_table', table_name);
        EXECUTE format('GRANT INSERT ON ledger.%I TO ledger_writer', table_name);
    END LOOP;
END
$triggers$;

GRANT SELECT ON ledger.recovered_posting, ledger.recovered_outcome TO ledger_writer, ledger_reader;

RESET ROLE;
