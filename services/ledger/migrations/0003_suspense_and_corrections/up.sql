-- Locks ledger.account while its rows, a few thousand, are checked against the new list of purposes: milliseconds, but it waits
-- for a posting batch to end, and the next one waits for it. Everything else is new.

SET LOCAL ROLE ledger_owner;

ALTER TABLE ledger.account
    DROP CONSTRAINT account_purpose_check,
    ADD CONSTRAINT account_purpose_check
        CHECK (purpose IN ('payable', 'in_transit', 'receivable', 'gold', 'bank', 'charges', 'suspense', 'fx'));

----------------------------------------------------------------------------------------------------------------------
-- The journal: what two persons decided, and what was taken back.
----------------------------------------------------------------------------------------------------------------------

-- A transaction is taken back once.
CREATE TABLE ledger.reversal (
    transaction_id uuid PRIMARY KEY,
    command_id uuid NOT NULL REFERENCES ledger.command
);

-- An opening balance or a correction as one person proposed it. When another approves it, it is posted as the command of this
-- id. `content` is canonical JSON of what was proposed, and holds the reason in words, which no leaf does.
CREATE TABLE ledger.correction (
    correction_id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('open', 'correct')),
    subject_kind text NOT NULL,
    subject_id text COLLATE "C" NOT NULL,
    content bytea NOT NULL,
    proposed_by text COLLATE "C" NOT NULL,
    proposed_at timestamptz NOT NULL
);
CREATE INDEX correction_by_time ON ledger.correction (proposed_at, correction_id);

-- What became of it, once. Without a row it waits.
CREATE TABLE ledger.correction_decision (
    correction_id uuid PRIMARY KEY REFERENCES ledger.correction,
    decision text NOT NULL CHECK (decision IN ('approved', 'withdrawn')),
    decided_by text COLLATE "C" NOT NULL,
    decided_at timestamptz NOT NULL
);

DO $triggers$
DECLARE
    table_name text;
BEGIN
    FOREACH table_name IN ARRAY ARRAY['reversal', 'correction', 'correction_decision'] LOOP
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

----------------------------------------------------------------------------------------------------------------------
-- Derived: what is still open of each booking in suspense. Suspended less what the causes of leaves say they clear.
----------------------------------------------------------------------------------------------------------------------

CREATE TABLE ledger.suspense (
    booking_key text COLLATE "C" PRIMARY KEY,
    unit text COLLATE "C" NOT NULL,
    -- Money that came in, or money that went out.
    arrived boolean NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    open_amount bigint NOT NULL CHECK (open_amount BETWEEN 0 AND amount),
    booked_on date NOT NULL
);
CREATE INDEX suspense_open ON ledger.suspense (booked_on, booking_key) WHERE open_amount > 0;

INSERT INTO ledger.suspense (booking_key, unit, arrived, amount, open_amount, booked_on)
SELECT b.booking_key, t.unit, d.purpose = 'bank', t.amount, t.amount, j.effective_on
FROM ledger.booking AS b
JOIN ledger.command AS c USING (command_id)
JOIN ledger.journal AS j ON j.leaf_index = c.first_leaf
JOIN ledger.transfer AS t ON t.leaf_index = c.first_leaf
JOIN ledger.account AS d ON d.account_id = t.debit_account_id
WHERE b.kind = 'suspend';

GRANT SELECT ON ledger.reversal, ledger.correction, ledger.correction_decision, ledger.suspense TO ledger_writer, ledger_reader;
GRANT INSERT, UPDATE ON ledger.suspense TO ledger_writer;

RESET ROLE;
