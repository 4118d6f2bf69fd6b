-- Locks nothing that is in use: everything in here is new, except the three roles, which are the cluster's.

DO $roles$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['ledger_owner', 'ledger_writer', 'ledger_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
        END IF;
    END LOOP;
END
$roles$;
-- An administrator who is no superuser hands objects over as a member of the role that gets them.
GRANT ledger_owner TO CURRENT_USER;

CREATE SCHEMA ledger AUTHORIZATION ledger_owner;
SET LOCAL ROLE ledger_owner;

-- The one row that every posting batch locks first. Under it leaf indices, account ids and recorded_at are taken, so that
-- commit order is leaf order is publication order.
CREATE TABLE ledger.log_head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    tree_size bigint NOT NULL CHECK (tree_size >= 0),
    recorded_at timestamptz NOT NULL,
    last_account_id bigint NOT NULL
);
INSERT INTO ledger.log_head (tree_size, recorded_at, last_account_id) VALUES (0, 'epoch', 0);

----------------------------------------------------------------------------------------------------------------------
-- The journal: written once, never changed (triggers and grants below).
----------------------------------------------------------------------------------------------------------------------

CREATE TABLE ledger.account (
    account_id bigint PRIMARY KEY,
    owner_kind text NOT NULL CHECK (owner_kind IN ('org', 'fund', 'payer', 'refiner', 'programme')),
    owner_id text COLLATE "C" NOT NULL CHECK (owner_id <> ''),
    purpose text NOT NULL
        CHECK (purpose IN ('payable', 'in_transit', 'receivable', 'gold', 'bank', 'charges', 'suspense')),
    -- An ISO 4217 currency in its minor unit, or fine gold in milligrams.
    unit text COLLATE "C" NOT NULL CHECK (unit = 'AU-MG' OR unit ~ '^[A-Z]{3}$'),
    UNIQUE (owner_kind, owner_id, purpose, unit)
);

-- One row is one transaction is one leaf of the log. `leaf` is the message that is published, byte for byte.
CREATE TABLE ledger.journal (
    leaf_index bigint PRIMARY KEY CHECK (leaf_index >= 0),
    transaction_id uuid NOT NULL UNIQUE,
    subject_kind text NOT NULL,
    subject_id text COLLATE "C" NOT NULL,
    subject_number bigint NOT NULL CHECK (subject_number >= 1),
    kind text NOT NULL,
    part int NOT NULL CHECK (part >= 1),
    parts int NOT NULL CHECK (parts >= part),
    effective_on date NOT NULL,
    recorded_at timestamptz NOT NULL,
    -- The entitlement or command that caused it.
    cause_id uuid NOT NULL,
    leaf bytea NOT NULL,
    UNIQUE (subject_kind, subject_id, subject_number)
);
-- A leaf carries a nonce and hashes; trying to compress it costs more than it saves.
ALTER TABLE ledger.journal ALTER COLUMN leaf SET STORAGE EXTERNAL;

CREATE TABLE ledger.transfer (
    leaf_index bigint NOT NULL,
    number int NOT NULL CHECK (number >= 1),
    debit_account_id bigint NOT NULL,
    credit_account_id bigint NOT NULL,
    -- 2^53 - 1: the largest integer that survives canonical JSON (RFC 8785).
    amount bigint NOT NULL CHECK (amount BETWEEN 1 AND 9007199254740991),
    unit text COLLATE "C" NOT NULL,
    refiner_id text COLLATE "C",
    lot_id text COLLATE "C",
    revision bigint,
    stage text,
    scheme_id text COLLATE "C",
    payer_id text COLLATE "C",
    role text,
    PRIMARY KEY (leaf_index, number),
    CHECK (debit_account_id <> credit_account_id)
);

-- Every transfer belongs to a leaf, and both of its accounts are there and in its unit. One check for each statement:
-- three foreign keys, which check row by row, cost 13 µs a transfer (measured; the transfer itself 3 µs). Nothing is lost
-- against foreign keys, because the tables they would point to are append-only. It also fires where foreign keys do not
-- (session_replication_role).
CREATE FUNCTION ledger.check_transfers() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong text;
BEGIN
    -- EXECUTE, so that it is planned anew: a plan that was made for an empty journal would read all of a full one.
    EXECUTE $query$
        SELECT format('transfer %s of leaf %s', t.number, t.leaf_index) FROM added AS t
        LEFT JOIN ledger.account AS d ON d.account_id = t.debit_account_id AND d.unit = t.unit
        LEFT JOIN ledger.account AS c ON c.account_id = t.credit_account_id AND c.unit = t.unit
        LEFT JOIN ledger.journal AS j ON j.leaf_index = t.leaf_index
        WHERE d.account_id IS NULL OR c.account_id IS NULL OR j.leaf_index IS NULL LIMIT 1
        $query$ INTO wrong;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION '%: no such leaf, or an account that is not there or not in its unit', wrong
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER check_transfers AFTER INSERT ON ledger.transfer
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger.check_transfers();
ALTER TABLE ledger.transfer ENABLE ALWAYS TRIGGER check_transfers;

-- Every accepted entitlement with its bytes. For those with cause sale this is also the inbox: only accepted sales are
-- remembered, so that a redrive or a mended resend of a refused one works.
CREATE TABLE ledger.entitlement (
    refiner_id text COLLATE "C" NOT NULL,
    lot_id text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    calculation bigint NOT NULL,
    entitlement_id uuid NOT NULL,
    cause text NOT NULL CHECK (cause IN ('sale', 'recalculation')),
    sale_source text COLLATE "C" NOT NULL,
    sale_id text COLLATE "C" NOT NULL,
    sale_hash text COLLATE "C" NOT NULL,
    -- topic/partition/offset of the sale's record.
    origin text COLLATE "C" NOT NULL,
    sequence bigint,
    effective_on date NOT NULL,
    recorded_at timestamptz NOT NULL,
    detail text NOT NULL CHECK (detail IN ('posted', 'unchanged', 'superseded')),
    first_leaf bigint,
    leaves int NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (refiner_id, lot_id, revision, calculation),
    CHECK ((detail = 'posted') = (first_leaf IS NOT NULL AND leaves > 0))
);
CREATE UNIQUE INDEX entitlement_sale ON ledger.entitlement (sale_source, sale_id) WHERE cause = 'sale';
-- The relay announces what a posted sale led to when it reaches its first leaf.
CREATE UNIQUE INDEX entitlement_first_leaf ON ledger.entitlement (first_leaf) WHERE first_leaf IS NOT NULL;

-- Every command that was understood, with its one outcome.
CREATE TABLE ledger.command (
    command_id uuid PRIMARY KEY,
    command_hash text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    subject_id text COLLATE "C" NOT NULL,
    recorded_at timestamptz NOT NULL,
    code text NOT NULL,
    message text,
    transaction_id uuid,
    first_leaf bigint,
    leaves int NOT NULL,
    CHECK ((code = 'POSTED') = (first_leaf IS NOT NULL AND leaves > 0 AND transaction_id IS NOT NULL))
);
CREATE UNIQUE INDEX command_first_leaf ON ledger.command (first_leaf) WHERE first_leaf IS NOT NULL;

-- A booking of the bank is posted once, whatever command brings it.
CREATE TABLE ledger.booking (
    booking_key text COLLATE "C" PRIMARY KEY,
    command_id uuid NOT NULL REFERENCES ledger.command,
    kind text NOT NULL
);

-- What was refused and whose bytes must be found again: the record itself and, for a conflict, the one it conflicts with.
CREATE TABLE ledger.quarantine (
    origin text COLLATE "C" PRIMARY KEY,
    code text NOT NULL,
    entitlement_id uuid NOT NULL,
    sale_source text COLLATE "C" NOT NULL,
    sale_id text COLLATE "C" NOT NULL,
    sale_hash text COLLATE "C" NOT NULL,
    refiner_id text COLLATE "C" NOT NULL,
    lot_id text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    calculation bigint NOT NULL,
    known_origin text COLLATE "C",
    recorded_at timestamptz NOT NULL
);

CREATE TABLE ledger.outbox (
    number bigint PRIMARY KEY,
    topic text NOT NULL,
    key bytea,
    value bytea NOT NULL,
    header_names text[] NOT NULL,
    header_values bytea[] NOT NULL
);

----------------------------------------------------------------------------------------------------------------------
-- Derived: can be rebuilt from the journal.
----------------------------------------------------------------------------------------------------------------------

CREATE TABLE ledger.balance (
    account_id bigint PRIMARY KEY,
    debits bigint NOT NULL CHECK (debits >= 0),
    credits bigint NOT NULL CHECK (credits >= 0)
) WITH (fillfactor = 50);

CREATE TABLE ledger.subject (
    kind text NOT NULL,
    id text COLLATE "C" NOT NULL,
    last_number bigint NOT NULL CHECK (last_number >= 0),
    -- Number of the last transaction that took money back from the subject (STALE_VIEW); 0: none ever did.
    last_negative_number bigint NOT NULL CHECK (last_negative_number BETWEEN 0 AND last_number),
    PRIMARY KEY (kind, id)
) WITH (fillfactor = 50);

CREATE TABLE ledger.lot_head (
    refiner_id text COLLATE "C" NOT NULL,
    lot_id text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    calculation bigint NOT NULL,
    entitlement_id uuid NOT NULL,
    registry_version text NOT NULL,
    stage text NOT NULL,
    status text NOT NULL,
    sold_on date NOT NULL,
    fine_weight_mg bigint NOT NULL CHECK (fine_weight_mg >= 0),
    PRIMARY KEY (refiner_id, lot_id)
) WITH (fillfactor = 80);

-- Cumulative, as posted; a line of nothing has no row. Fine gold is a line of role "source", without scheme and payer.
CREATE TABLE ledger.lot_line (
    refiner_id text COLLATE "C" NOT NULL,
    lot_id text COLLATE "C" NOT NULL,
    scheme_id text COLLATE "C" NOT NULL,
    payer_id text COLLATE "C" NOT NULL,
    organization_id text COLLATE "C" NOT NULL,
    role text NOT NULL CHECK (role IN ('producer', 'community_fund', 'source')),
    unit text COLLATE "C" NOT NULL,
    amount bigint NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (refiner_id, lot_id, organization_id, role, unit, scheme_id, payer_id),
    CHECK ((role = 'source') = (unit = 'AU-MG' AND scheme_id = '' AND payer_id = ''))
) WITH (fillfactor = 80);

CREATE TABLE ledger.reservation (
    reservation_id uuid PRIMARY KEY,
    subject_kind text NOT NULL,
    subject_id text COLLATE "C" NOT NULL,
    unit text COLLATE "C" NOT NULL,
    state text NOT NULL CHECK (state IN ('reserved', 'settled', 'voided', 'returned')),
    -- Parts of equal place: what each payer owes under each scheme.
    scheme_ids text[] COLLATE "C" NOT NULL,
    payer_ids text[] COLLATE "C" NOT NULL,
    amounts bigint[] NOT NULL,
    CHECK (cardinality(scheme_ids) = cardinality(amounts) AND cardinality(payer_ids) = cardinality(amounts))
);

----------------------------------------------------------------------------------------------------------------------
-- Where reading and publishing stand.
----------------------------------------------------------------------------------------------------------------------

CREATE TABLE ledger.consumer_offset (
    topic text NOT NULL,
    partition int NOT NULL,
    next_offset bigint NOT NULL,
    cluster_id text NOT NULL,
    last_record_sha256 bytea,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition)
);

CREATE TABLE ledger.outbox_head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    last_number bigint NOT NULL DEFAULT 0
);
INSERT INTO ledger.outbox_head DEFAULT VALUES;

CREATE TABLE ledger.relay_cursor (
    source text PRIMARY KEY,
    position bigint NOT NULL
);

----------------------------------------------------------------------------------------------------------------------
-- Append-only, enforced twice: by grants, and by triggers that also fire for the owner and in replica mode.
----------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger.% is append-only: correct it by a new transaction', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END
$$;

DO $triggers$
DECLARE
    table_name text;
BEGIN
    FOREACH table_name IN ARRAY
        ARRAY['account', 'journal', 'transfer', 'entitlement', 'command', 'booking', 'quarantine', 'outbox']
    LOOP
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

GRANT USAGE ON SCHEMA ledger TO ledger_writer, ledger_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO ledger_writer, ledger_reader;
GRANT UPDATE ON ledger.log_head, ledger.outbox_head TO ledger_writer;
GRANT INSERT, UPDATE ON
    ledger.balance, ledger.subject, ledger.lot_head, ledger.reservation, ledger.consumer_offset, ledger.relay_cursor
    TO ledger_writer;
GRANT INSERT, UPDATE, DELETE ON ledger.lot_line TO ledger_writer;
REVOKE ALL ON FUNCTION ledger.refuse_change(), ledger.check_transfers() FROM PUBLIC;

RESET ROLE;
