-- The schema of payout, complete: what was read (ledger, registry, bank), what was decided, what was sent.
-- Locks nothing: everything is new.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'payout_owner') THEN CREATE ROLE payout_owner NOLOGIN; END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'payout_writer') THEN CREATE ROLE payout_writer NOLOGIN; END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'payout_reader') THEN CREATE ROLE payout_reader NOLOGIN; END IF;
END $$;
GRANT payout_owner TO CURRENT_USER;
CREATE SCHEMA payout AUTHORIZATION payout_owner;
SET LOCAL ROLE payout_owner;

-- Ids are compared by code point everywhere, so no locale may reorder them.
-- Money is in minor units of the currency beside it.

-- --- runtime ----------------------------------------------------------------------------------------------------------
CREATE TABLE payout.consumer_offset (
    topic text COLLATE "C" NOT NULL, partition int NOT NULL, next_offset bigint NOT NULL, cluster_id text NOT NULL,
    last_record_sha256 bytea, updated_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (topic, partition));
CREATE TABLE payout.outbox (
    number bigint PRIMARY KEY, topic text NOT NULL, key bytea, value bytea NOT NULL,
    header_names text[] NOT NULL, header_values bytea[] NOT NULL);
CREATE TABLE payout.outbox_head (last_number bigint NOT NULL DEFAULT 0);
INSERT INTO payout.outbox_head DEFAULT VALUES;
CREATE TABLE payout.relay_cursor (source text COLLATE "C" PRIMARY KEY, position bigint NOT NULL);

-- --- what the ledger said ---------------------------------------------------------------------------------------------
-- The unbroken run of leaves seen: leaves 0 to tree_size - 1 are all here. Derivable; kept because every statement asks.
CREATE TABLE payout.ledger_view (tree_size bigint NOT NULL DEFAULT 0);
INSERT INTO payout.ledger_view DEFAULT VALUES;
-- The unbroken run of a subject's own transactions, likewise.
CREATE TABLE payout.subject_view (
    subject_kind text COLLATE "C" NOT NULL, subject_id text COLLATE "C" NOT NULL, seen_subject_number bigint NOT NULL,
    PRIMARY KEY (subject_kind, subject_id));
CREATE TABLE payout.ledger_transaction (
    leaf_index bigint PRIMARY KEY,
    transaction_id uuid NOT NULL,
    subject_kind text COLLATE "C" NOT NULL,
    subject_id text COLLATE "C" NOT NULL,
    subject_number bigint NOT NULL,
    kind text NOT NULL,
    effective_on date NOT NULL,
    refiner_id text COLLATE "C",
    lot_id text COLLATE "C",
    revision bigint,
    stage text,
    gold_mg bigint,                -- by how much the payee's fine gold of the lot changed
    command_id uuid,
    leaf bytea NOT NULL,
    UNIQUE (subject_kind, subject_id, subject_number));
-- A leaf carries a nonce and hashes; trying to compress it costs more than it saves.
ALTER TABLE payout.ledger_transaction ALTER COLUMN leaf SET STORAGE EXTERNAL;
CREATE INDEX ledger_transaction_by_id ON payout.ledger_transaction (transaction_id);
CREATE INDEX ledger_transaction_of_lot ON payout.ledger_transaction (subject_kind, subject_id, refiner_id, lot_id)
    WHERE lot_id IS NOT NULL;
CREATE INDEX ledger_transaction_of_command ON payout.ledger_transaction (command_id) WHERE command_id IS NOT NULL;
-- What each transaction moved on an account payable or in_transit: positive raises what the organization is owed there.
CREATE TABLE payout.posting (
    leaf_index bigint NOT NULL REFERENCES payout.ledger_transaction,
    position int NOT NULL,
    subject_kind text COLLATE "C" NOT NULL,
    subject_id text COLLATE "C" NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('payable', 'in_transit')),
    currency text NOT NULL,
    amount_minor bigint NOT NULL,
    kind text NOT NULL,
    effective_on date NOT NULL,
    PRIMARY KEY (leaf_index, position));
CREATE INDEX posting_of_subject ON payout.posting (subject_kind, subject_id, currency, leaf_index);
-- Every premium delta posted to an organization or fund. order_id: the order that took it; null: open.
CREATE TABLE payout.open_item (
    leaf_index bigint NOT NULL REFERENCES payout.ledger_transaction,
    position int NOT NULL,
    subject_kind text COLLATE "C" NOT NULL,
    subject_id text COLLATE "C" NOT NULL,
    scheme_id text COLLATE "C" NOT NULL,
    payer_id text COLLATE "C" NOT NULL,
    role text NOT NULL,
    currency text NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor <> 0),
    refiner_id text COLLATE "C" NOT NULL,
    lot_id text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    stage text NOT NULL,
    effective_on date NOT NULL,
    order_id uuid,
    PRIMARY KEY (leaf_index, position));
CREATE INDEX open_item_open ON payout.open_item (subject_kind, subject_id, currency) WHERE order_id IS NULL;
CREATE INDEX open_item_taken ON payout.open_item (order_id) WHERE order_id IS NOT NULL;

-- --- what we told the ledger, and its answers -------------------------------------------------------------------------
CREATE TABLE payout.ledger_command (
    command_id uuid PRIMARY KEY,
    kind text NOT NULL,
    order_id uuid,
    booking_key text COLLATE "C",
    body bytea NOT NULL,
    written_at timestamptz NOT NULL);
CREATE INDEX ledger_command_of_order ON payout.ledger_command (order_id) WHERE order_id IS NOT NULL;
CREATE TABLE payout.command_outcome (
    command_id uuid PRIMARY KEY,
    code text NOT NULL,
    transaction_id uuid,
    message text,
    read_at timestamptz NOT NULL);

-- --- what the registry said -------------------------------------------------------------------------------------------
-- registry.v1 as it was read: a start takes these again, in order, so that only markers ever switch.
CREATE TABLE payout.registry_event (position bigint PRIMARY KEY, type text NOT NULL, value bytea NOT NULL);
CREATE TABLE payout.private_record (organization_id text COLLATE "C" PRIMARY KEY, value bytea NOT NULL);

-- --- accounts ---------------------------------------------------------------------------------------------------------
-- details: what the bank will be told of the payee, as it was verified. Never in logs or events.
CREATE TABLE payout.account (
    account_id uuid PRIMARY KEY,
    organization_id text COLLATE "C" NOT NULL,
    currency text NOT NULL,
    details jsonb NOT NULL,
    last_four text NOT NULL,
    state text NOT NULL CHECK (state IN ('proposed', 'verified', 'replaced', 'withdrawn')),
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL);
CREATE INDEX account_of_organization ON payout.account (organization_id, currency);
CREATE UNIQUE INDEX account_payable ON payout.account (organization_id, currency) WHERE state = 'verified';
CREATE TABLE payout.account_event (
    account_id uuid NOT NULL REFERENCES payout.account,
    number int NOT NULL,
    state text NOT NULL,
    at timestamptz NOT NULL,
    actor text,                    -- null: the bank's answer did it
    method text,
    checked_on date,
    evidence text,                 -- the document's reference, not the document
    reason text,
    PRIMARY KEY (account_id, number));

-- --- cycles, orders, attempts -----------------------------------------------------------------------------------------
CREATE TABLE payout.cycle (
    cycle_id uuid PRIMARY KEY,
    settles_on date NOT NULL,
    number int NOT NULL,           -- of the cycles for this date, from 1; a second one follows only on a cancelled or empty one
    state text NOT NULL CHECK (state IN ('preparing', 'prepared', 'approved', 'cancelled', 'empty')),
    prepared_by text NOT NULL,
    prepared_at timestamptz NOT NULL,
    tree_size bigint NOT NULL,
    registry_version text NOT NULL,
    UNIQUE (settles_on, number));
CREATE UNIQUE INDEX cycle_one_undecided ON payout.cycle ((true)) WHERE state IN ('preparing', 'prepared');
CREATE TABLE payout.cycle_event (
    cycle_id uuid NOT NULL REFERENCES payout.cycle,
    number int NOT NULL,
    state text NOT NULL,
    at timestamptz NOT NULL,
    actor text,                    -- null: it followed from the ledger's answers
    decision bytea,                -- canonical JSON of what was decided; its hash is an attestation in the ledger
    PRIMARY KEY (cycle_id, number));
CREATE TABLE payout.cycle_result (
    cycle_id uuid NOT NULL REFERENCES payout.cycle,
    position int NOT NULL,
    subject_kind text NOT NULL,
    subject_id text COLLATE "C" NOT NULL,
    currency text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('ordered', 'carried_over', 'held')),
    amount_minor bigint NOT NULL,
    code text,
    order_id uuid,
    PRIMARY KEY (cycle_id, position));
CREATE INDEX cycle_result_of_subject ON payout.cycle_result (subject_id);
CREATE TABLE payout.payout_order (
    order_id uuid PRIMARY KEY,
    cycle_id uuid NOT NULL REFERENCES payout.cycle,
    subject_kind text COLLATE "C" NOT NULL,
    subject_id text COLLATE "C" NOT NULL,
    currency text NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    account_id uuid NOT NULL REFERENCES payout.account,
    state text NOT NULL,
    UNIQUE (cycle_id, subject_kind, subject_id, currency));
CREATE INDEX payout_order_of_subject ON payout.payout_order (subject_kind, subject_id, currency);
CREATE INDEX payout_order_by_state ON payout.payout_order (state);
CREATE TABLE payout.order_part (
    order_id uuid NOT NULL REFERENCES payout.payout_order,
    scheme_id text COLLATE "C" NOT NULL,
    payer_id text COLLATE "C" NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    PRIMARY KEY (order_id, scheme_id, payer_id));
CREATE TABLE payout.order_item (
    order_id uuid NOT NULL REFERENCES payout.payout_order,
    leaf_index bigint NOT NULL,
    position int NOT NULL,
    PRIMARY KEY (order_id, leaf_index, position),
    FOREIGN KEY (leaf_index, position) REFERENCES payout.open_item);
CREATE TABLE payout.order_event (
    order_id uuid NOT NULL REFERENCES payout.payout_order,
    number int NOT NULL,
    state text NOT NULL,
    at timestamptz NOT NULL,
    actor text,                    -- null: ledger, bank or service, as the state says
    code text,
    detail text,
    PRIMARY KEY (order_id, number));
CREATE TABLE payout.bank_file (
    file_id uuid PRIMARY KEY,
    cycle_id uuid NOT NULL REFERENCES payout.cycle,
    name text NOT NULL UNIQUE,
    message_id text COLLATE "C" NOT NULL UNIQUE,
    payment_information_id text NOT NULL,
    executes_on date NOT NULL,
    payments int NOT NULL,
    currency text NOT NULL,
    total_minor bigint NOT NULL,
    content bytea NOT NULL,
    state text NOT NULL CHECK (state IN ('SENDING', 'SENT')),
    written_at timestamptz NOT NULL,
    sent_at timestamptz,
    answered_at timestamptz);
-- attempt_id is the reservation's id in the ledger.
CREATE TABLE payout.attempt (
    attempt_id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES payout.payout_order,
    number int NOT NULL,
    end_to_end_id text COLLATE "C" NOT NULL UNIQUE,
    uetr uuid NOT NULL UNIQUE,
    file_id uuid REFERENCES payout.bank_file,
    UNIQUE (order_id, number));
CREATE INDEX attempt_of_file ON payout.attempt (file_id);

-- --- what the bank said -----------------------------------------------------------------------------------------------
CREATE TABLE payout.bank_message (
    sha256 bytea PRIMARY KEY,
    name text NOT NULL,
    kind text NOT NULL,
    bookings int NOT NULL,
    bookings_new int NOT NULL,
    read_at timestamptz NOT NULL);
CREATE TABLE payout.quarantined_file (
    sha256 bytea PRIMARY KEY,
    name text NOT NULL,
    code text NOT NULL,
    message text NOT NULL,
    content bytea,                 -- null where it is empty, or too large to be read: then it lies in the quarantine folder
    read_at timestamptz NOT NULL);
CREATE TABLE payout.payment_status (
    attempt_id uuid NOT NULL REFERENCES payout.attempt,
    message_sha256 bytea NOT NULL REFERENCES payout.bank_message,
    status text NOT NULL,
    outcome text NOT NULL,
    reason text,
    information text,
    PRIMARY KEY (attempt_id, message_sha256));
CREATE TABLE payout.booking (
    booking_key text COLLATE "C" PRIMARY KEY,
    entry_key text COLLATE "C" NOT NULL,
    whole_entry boolean NOT NULL,
    direction text NOT NULL CHECK (direction IN ('CRDT', 'DBIT')),
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    booked_on date NOT NULL,
    end_to_end_id text,
    disposition text NOT NULL CHECK (disposition IN ('settle', 'return', 'receive', 'suspend', 'known')),
    code text,
    order_id uuid REFERENCES payout.payout_order,
    payer_id text,
    return_reason text,
    message_sha256 bytea NOT NULL REFERENCES payout.bank_message);
CREATE INDEX booking_of_entry ON payout.booking (entry_key);
CREATE INDEX booking_of_order ON payout.booking (order_id) WHERE order_id IS NOT NULL;

-- --- statements -------------------------------------------------------------------------------------------------------
CREATE TABLE payout.statement (
    statement_id uuid PRIMARY KEY,
    subject_kind text COLLATE "C" NOT NULL,
    subject_id text COLLATE "C" NOT NULL,
    number int NOT NULL CHECK (number > 0),
    period_from date NOT NULL,
    period_to date NOT NULL CHECK (period_to >= period_from),
    tree_size bigint NOT NULL,
    language text NOT NULL,
    json_sha256 text NOT NULL,
    pdf_sha256 text NOT NULL,
    issued_by text NOT NULL,
    issued_at timestamptz NOT NULL,
    UNIQUE (subject_kind, subject_id, number),
    UNIQUE (subject_kind, subject_id, period_to));
CREATE INDEX statement_of_json ON payout.statement (json_sha256);
CREATE INDEX statement_of_pdf ON payout.statement (pdf_sha256);
CREATE TABLE payout.statement_balance (
    statement_id uuid NOT NULL REFERENCES payout.statement,
    currency text NOT NULL,
    opening_minor bigint NOT NULL,
    closing_minor bigint NOT NULL,
    PRIMARY KEY (statement_id, currency));

-- --- append-only ------------------------------------------------------------------------------------------------------
CREATE FUNCTION payout.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'payout.% is append-only: a correction is a new row', TG_TABLE_NAME USING ERRCODE = '55000';
END $$;
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['ledger_transaction', 'posting', 'ledger_command', 'command_outcome', 'registry_event',
        'account_event', 'cycle_event', 'cycle_result', 'order_part', 'order_item', 'order_event', 'bank_message',
        'quarantined_file', 'payment_status', 'booking', 'statement', 'statement_balance', 'outbox']
    LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payout.%I '
            'FOR EACH STATEMENT EXECUTE FUNCTION payout.refuse_change()', name);
        EXECUTE format('ALTER TABLE payout.%I ENABLE ALWAYS TRIGGER append_only', name);
        EXECUTE format('GRANT INSERT, SELECT ON payout.%I TO payout_writer', name);
    END LOOP;
    -- What is derived, or is the present state of something whose history is append-only.
    FOREACH name IN ARRAY ARRAY['consumer_offset', 'outbox_head', 'relay_cursor', 'ledger_view', 'subject_view', 'open_item',
        'private_record', 'account', 'cycle', 'payout_order', 'bank_file', 'attempt']
    LOOP
        EXECUTE format('GRANT INSERT, SELECT, UPDATE ON payout.%I TO payout_writer', name);
    END LOOP;
END $$;
GRANT USAGE ON SCHEMA payout TO payout_writer, payout_reader;
-- A reader sees neither bank accounts nor addresses, nor what is on its way to other services.
GRANT SELECT ON payout.consumer_offset, payout.ledger_view, payout.subject_view, payout.ledger_transaction, payout.posting,
    payout.open_item, payout.ledger_command, payout.command_outcome, payout.account_event, payout.cycle, payout.cycle_event,
    payout.cycle_result, payout.payout_order, payout.order_part, payout.order_item, payout.order_event, payout.attempt,
    payout.payment_status, payout.booking, payout.statement, payout.statement_balance TO payout_reader;
GRANT SELECT (account_id, organization_id, currency, last_four, state, proposed_by, proposed_at) ON payout.account
    TO payout_reader;
GRANT SELECT (file_id, cycle_id, name, message_id, executes_on, payments, currency, total_minor, state, written_at, sent_at,
    answered_at) ON payout.bank_file TO payout_reader;
GRANT SELECT (sha256, name, kind, bookings, bookings_new, read_at) ON payout.bank_message TO payout_reader;
GRANT SELECT (sha256, name, code, message, read_at) ON payout.quarantined_file TO payout_reader;
RESET ROLE;
