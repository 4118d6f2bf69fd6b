-- What the ledger can post beside premiums and payments: clearings, exchanges, openings, corrections.
-- Locks payout.ledger_transaction while the new column of the rows of payments is filled from their own bytes (a few rows for each
-- payout order: milliseconds to seconds), and payout.open_item for an instant.

SET LOCAL ROLE payout_owner;

-- The reservation that a transaction is a step of: whoever asked for the step, it is found by that.
ALTER TABLE payout.ledger_transaction ADD COLUMN reservation_id uuid;
ALTER TABLE payout.ledger_transaction DISABLE TRIGGER append_only;
UPDATE payout.ledger_transaction
SET reservation_id = (convert_from(leaf, 'UTF8')::jsonb #>> '{cause,reservation_id}')::uuid
WHERE kind IN ('reserved', 'settled', 'voided', 'returned');
ALTER TABLE payout.ledger_transaction ENABLE ALWAYS TRIGGER append_only;
CREATE INDEX ledger_transaction_of_reservation ON payout.ledger_transaction (reservation_id) WHERE reservation_id IS NOT NULL;

-- What was opened, corrected or exchanged is some payer's under some scheme, and of no lot.
ALTER TABLE payout.open_item
    ALTER COLUMN role DROP NOT NULL,
    ALTER COLUMN refiner_id DROP NOT NULL,
    ALTER COLUMN lot_id DROP NOT NULL,
    ALTER COLUMN revision DROP NOT NULL,
    ALTER COLUMN stage DROP NOT NULL;

-- By how much less a booking in suspense was open after a transaction; below zero where a clearing was taken back.
CREATE TABLE payout.booking_clearing (
    leaf_index bigint NOT NULL REFERENCES payout.ledger_transaction,
    booking_key text COLLATE "C" NOT NULL,
    amount_minor bigint NOT NULL,
    PRIMARY KEY (booking_key, leaf_index));
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payout.booking_clearing
    FOR EACH STATEMENT EXECUTE FUNCTION payout.refuse_change();
ALTER TABLE payout.booking_clearing ENABLE ALWAYS TRIGGER append_only;
GRANT SELECT ON payout.booking_clearing TO payout_reader;
GRANT INSERT, SELECT ON payout.booking_clearing TO payout_writer;

RESET ROLE;
