-- Locks nothing that is in use: both tables are new. Derived from sale.outcomes.v1: delete their rows, and those of the topic in
-- ledger.consumer_offset, and they are built again.

SET LOCAL ROLE ledger_owner;

-- Settled numbers of a refiner's sequence; ranges of one refiner neither overlap nor touch.
CREATE TABLE ledger.sequence_range (
    refiner_id text COLLATE "C" NOT NULL,
    first bigint NOT NULL CHECK (first >= 0),
    last bigint NOT NULL CHECK (last >= first),
    began_at timestamptz NOT NULL,
    PRIMARY KEY (refiner_id, first)
);

-- Numbers that arrived and were rejected, until they are mended.
CREATE TABLE ledger.sequence_rejection (
    refiner_id text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL CHECK (sequence >= 0),
    lot_id text COLLATE "C",
    revision bigint,
    origin text COLLATE "C" NOT NULL,
    code text NOT NULL,
    rejected_at timestamptz NOT NULL,
    PRIMARY KEY (refiner_id, sequence)
);
CREATE INDEX sequence_rejection_lot ON ledger.sequence_rejection (refiner_id, lot_id);

GRANT SELECT ON ledger.sequence_range, ledger.sequence_rejection TO ledger_writer, ledger_reader;
GRANT INSERT, UPDATE, DELETE ON ledger.sequence_range, ledger.sequence_rejection TO ledger_writer;

RESET ROLE;
