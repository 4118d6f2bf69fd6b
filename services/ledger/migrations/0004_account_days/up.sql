-- Locks nothing that is in use: both tables are new. They are filled by the ledger's process, a bucket of leaves at a time.

SET LOCAL ROLE ledger_owner;

-- Derived: what each account was debited and credited with effect on each day, by the leaves of each whole bucket of the log.
-- Bucket b is leaves b * 16384 to (b + 1) * 16384 - 1. Balances as of a tree size and a day are sums of these rows and of the
-- transfers after them; the rows also tell in which buckets an account was posted to.
CREATE TABLE ledger.account_day (
    account_id bigint NOT NULL,
    bucket int NOT NULL CHECK (bucket >= 0),
    effective_on date NOT NULL,
    debits bigint NOT NULL CHECK (debits >= 0),
    credits bigint NOT NULL CHECK (credits >= 0),
    PRIMARY KEY (account_id, bucket, effective_on),
    CHECK (debits > 0 OR credits > 0)
);

-- How many buckets, from the first, are summed.
CREATE TABLE ledger.account_day_head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    buckets int NOT NULL CHECK (buckets >= 0)
);
INSERT INTO ledger.account_day_head (buckets) VALUES (0);

GRANT SELECT ON ledger.account_day, ledger.account_day_head TO ledger_writer, ledger_reader;
GRANT INSERT ON ledger.account_day TO ledger_writer;
GRANT UPDATE ON ledger.account_day_head TO ledger_writer;

RESET ROLE;
