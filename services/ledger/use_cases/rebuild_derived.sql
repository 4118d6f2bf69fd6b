-- Derives into temporary tables what can be derived by sets. Columns stand in the order of the kept table's.

CREATE TEMP TABLE derived_balance (LIKE ledger.balance) ON COMMIT DROP;
CREATE TEMP TABLE derived_subject (LIKE ledger.subject) ON COMMIT DROP;
CREATE TEMP TABLE derived_lot_head (LIKE ledger.lot_head) ON COMMIT DROP;
CREATE TEMP TABLE derived_lot_line (LIKE ledger.lot_line) ON COMMIT DROP;
CREATE TEMP TABLE derived_reservation (LIKE ledger.reservation) ON COMMIT DROP;
CREATE TEMP TABLE derived_suspense (LIKE ledger.suspense) ON COMMIT DROP;
CREATE TEMP TABLE derived_outbox_head (LIKE ledger.outbox_head) ON COMMIT DROP;
CREATE TEMP TABLE derived_log_head (LIKE ledger.log_head) ON COMMIT DROP;

INSERT INTO derived_balance (account_id, debits, credits)
SELECT account_id, sum(debit), sum(credit)
FROM ledger.transfer
CROSS JOIN LATERAL (VALUES (debit_account_id, amount, 0::bigint), (credit_account_id, 0::bigint, amount))
    AS side (account_id, debit, credit)
GROUP BY account_id;

-- Money that nobody reserved was taken from a payable: views that are older are stale from the last part of that transaction on.
INSERT INTO derived_subject (kind, id, last_number, last_negative_number)
SELECT j.subject_kind, j.subject_id, max(j.subject_number), coalesce(max(n.last_number), 0)
FROM ledger.journal AS j
LEFT JOIN LATERAL (
    SELECT j.subject_number + j.parts - j.part AS last_number
    WHERE j.kind <> 'reserved' AND EXISTS (
        SELECT FROM ledger.transfer AS t JOIN ledger.account AS a ON a.account_id = t.debit_account_id
        WHERE t.leaf_index = j.leaf_index AND a.purpose = 'payable')) AS n ON true
GROUP BY j.subject_kind, j.subject_id;

INSERT INTO derived_reservation (reservation_id, subject_kind, subject_id, unit, state, scheme_ids, payer_ids, amounts)
SELECT s.reservation_id, r.subject_kind, r.subject_id, r.unit, s.state, r.scheme_ids, r.payer_ids, r.amounts
FROM (
    SELECT DISTINCT ON (reservation_id) reservation_id, kind AS state FROM (
        SELECT (convert_from(leaf, 'UTF8')::jsonb #>> '{cause,reservation_id}')::uuid AS reservation_id, kind, leaf_index
        FROM ledger.journal WHERE kind IN ('reserved', 'settled', 'voided', 'returned')) AS step
    ORDER BY reservation_id, leaf_index DESC) AS s
JOIN (
    SELECT (convert_from(j.leaf, 'UTF8')::jsonb #>> '{cause,reservation_id}')::uuid AS reservation_id,
        j.subject_kind, j.subject_id, t.unit, array_agg(t.scheme_id ORDER BY t.leaf_index, t.number) AS scheme_ids,
        array_agg(t.payer_id ORDER BY t.leaf_index, t.number) AS payer_ids,
        array_agg(t.amount ORDER BY t.leaf_index, t.number) AS amounts
    FROM ledger.journal AS j JOIN ledger.transfer AS t USING (leaf_index) WHERE j.kind = 'reserved'
    GROUP BY 1, j.subject_kind, j.subject_id, t.unit) AS r USING (reservation_id);

-- Suspended less what the causes of leaves say they clear; every part of a transaction tells its cause.
INSERT INTO derived_suspense (booking_key, unit, arrived, amount, open_amount, booked_on)
SELECT b.booking_key, t.unit, a.purpose = 'bank', t.amount, t.amount - coalesce(c.cleared, 0), j.effective_on
FROM ledger.journal AS j
JOIN ledger.transfer AS t USING (leaf_index)
JOIN ledger.account AS a ON a.account_id = t.debit_account_id
CROSS JOIN LATERAL (SELECT convert_from(j.leaf, 'UTF8')::jsonb #>> '{cause,booking_key}' AS booking_key) AS b
LEFT JOIN (
    SELECT cleared_part ->> 'booking_key' AS booking_key, sum((cleared_part ->> 'amount_minor')::bigint) AS cleared
    FROM ledger.journal AS p
    CROSS JOIN LATERAL jsonb_array_elements(convert_from(p.leaf, 'UTF8')::jsonb #> '{cause,clears}') AS cleared_part
    WHERE p.kind IN ('cleared', 'received', 'settled', 'returned', 'opened', 'corrected') AND p.part = 1
    GROUP BY 1) AS c ON c.booking_key = b.booking_key
WHERE j.kind = 'suspended';

INSERT INTO derived_outbox_head (only_row, last_number) SELECT true, coalesce(max(number), 0) FROM ledger.outbox;

-- The clock of the log and its account ids may be ahead of what was posted, never behind.
INSERT INTO derived_log_head (only_row, tree_size, recorded_at, last_account_id)
SELECT true, (SELECT coalesce(max(leaf_index) + 1, 0) FROM ledger.journal),
    greatest(h.recorded_at, (SELECT max(recorded_at) FROM ledger.journal)),
    greatest(h.last_account_id, (SELECT max(account_id) FROM ledger.account))
FROM (SELECT max(recorded_at) AS recorded_at, max(last_account_id) AS last_account_id FROM ledger.log_head) AS h;

-- Rows of two tables that differ: `wrong` has what only the first has, `missing` what only the second has. `key`: the columns that
-- name a row; none: there is one row. Gives how many rows differ, and the names of the first of them.
CREATE FUNCTION pg_temp.compare(kept text, derived text, key text[], shown_max int)
RETURNS TABLE (differed bigint, shown text[]) LANGUAGE plpgsql AS $function$
DECLARE
    columns text := coalesce(nullif(array_to_string(key, ', '), ''), '1');
BEGIN
    DROP TABLE IF EXISTS wrong, missing;
    EXECUTE format('CREATE TEMP TABLE wrong ON COMMIT DROP AS TABLE %s EXCEPT ALL TABLE %s', kept, derived);
    EXECUTE format('CREATE TEMP TABLE missing ON COMMIT DROP AS TABLE %s EXCEPT ALL TABLE %s', derived, kept);
    RETURN QUERY EXECUTE format(
        'WITH named AS (SELECT %1$s FROM wrong UNION SELECT %1$s FROM missing)'
        ' SELECT count(*), ARRAY(SELECT concat_ws('' '', %1$s) FROM named ORDER BY %1$s LIMIT $1) FROM named', columns)
        USING shown_max;
END
$function$;

-- Put what `compare` found missing in a table into the place of what is wrong there.
CREATE FUNCTION pg_temp.replace_rows(kept text, key text[]) RETURNS void LANGUAGE plpgsql AS $function$
DECLARE
    same_row text := (SELECT string_agg(format('k.%1$I = w.%1$I', name), ' AND ') FROM unnest(key) AS name);
BEGIN
    EXECUTE format('DELETE FROM %s AS k USING wrong AS w WHERE %s', kept, coalesce(same_row, 'true'));
    EXECUTE format('INSERT INTO %s TABLE missing', kept);
END
$function$;
