"""What payout holds of the ledger's journal is what the journal has: its leaves, postings and open items, commands, answers.

Goal: statements and payment orders rest on the journal, not on a copy that drifted from it.
Method: PostgreSQL compares both schemas in one snapshot, column by column. Payout may be behind; what it has must be right.
Source: design, sections 3, 6 and 7.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from premia.fsck.deviation import Checked, Deviation, DeviationCode
from premia.fsck.queries import Comparison, differences
from premia.fsck.streams import Connection

# What a transfer moves on accounts of organizations and funds: credits raise what they are owed.
_OWED: Final = """
    WITH owed AS (
        SELECT t.leaf_index, a.owner_kind AS subject_kind, a.owner_id AS subject_id, a.purpose, t.unit AS currency,
            t.scheme_id, t.payer_id, t.role, t.amount
        FROM ledger.transfer AS t JOIN ledger.account AS a ON a.account_id = t.credit_account_id
        WHERE a.owner_kind IN ('org', 'fund') AND a.purpose IN ('payable', 'in_transit')
        UNION ALL
        SELECT t.leaf_index, a.owner_kind, a.owner_id, a.purpose, t.unit, t.scheme_id, t.payer_id, t.role, -t.amount
        FROM ledger.transfer AS t JOIN ledger.account AS a ON a.account_id = t.debit_account_id
        WHERE a.owner_kind IN ('org', 'fund') AND a.purpose IN ('payable', 'in_transit'))"""

COMPARISONS: Final = (
    Comparison(
        DeviationCode.VIEW_NOT_THE_JOURNAL,
        """
        SELECT 'leaf ' || p.leaf_index AS place, coalesce('a leaf of ' || length(j.leaf) || ' bytes', 'no leaf') AS expected,
            'another one, of ' || length(p.leaf) || ' bytes' AS found
        FROM payout.ledger_transaction AS p LEFT JOIN ledger.journal AS j USING (leaf_index)
        WHERE j.leaf IS DISTINCT FROM p.leaf ORDER BY p.leaf_index""",
    ),
    Comparison(
        DeviationCode.VIEW_NOT_THE_JOURNAL,
        """
        SELECT 'payout''s tree size' AS place, h.tree_size || ' at most, with as many leaves below it' AS expected,
            concat(v.tree_size, ', with ', v.leaves) AS found
        FROM ledger.log_head AS h, (SELECT tree_size, (SELECT count(*) FROM payout.ledger_transaction AS t
            WHERE t.leaf_index < w.tree_size) AS leaves FROM payout.ledger_view AS w) AS v
        WHERE v.tree_size > h.tree_size OR v.leaves <> v.tree_size""",
    ),
    Comparison(
        DeviationCode.VIEW_NOT_THE_JOURNAL,
        """
        SELECT concat('leaf ', t.leaf_index, ': ', c.name) AS place, coalesce(c.expected, 'none') AS expected,
            coalesce(c.found, 'none') AS found
        FROM payout.ledger_transaction AS t JOIN ledger.journal AS j USING (leaf_index)
        LEFT JOIN (
            SELECT DISTINCT ON (leaf_index) leaf_index, refiner_id, lot_id, revision, stage FROM ledger.transfer
            WHERE lot_id IS NOT NULL ORDER BY leaf_index) AS l ON l.leaf_index = t.leaf_index AND j.kind = 'premium'
        LEFT JOIN (
            SELECT r.leaf_index, sum(CASE WHEN r.credit_account_id = a.account_id THEN r.amount ELSE -r.amount END) AS gold_mg
            FROM ledger.account AS a JOIN ledger.transfer AS r ON a.account_id IN (r.credit_account_id, r.debit_account_id)
            WHERE a.owner_kind = 'org' AND a.purpose = 'gold' GROUP BY r.leaf_index) AS g ON g.leaf_index = t.leaf_index,
        LATERAL (VALUES
            ('transaction_id', j.transaction_id::text, t.transaction_id::text),
            ('subject_kind', j.subject_kind, t.subject_kind),
            ('subject_id', j.subject_id, t.subject_id),
            ('subject_number', j.subject_number::text, t.subject_number::text),
            ('kind', j.kind, t.kind),
            ('effective_on', j.effective_on::text, t.effective_on::text),
            ('command_id', CASE WHEN j.kind <> 'premium' THEN j.cause_id::text END, t.command_id::text),
            ('refiner_id', l.refiner_id, t.refiner_id),
            ('lot_id', l.lot_id, t.lot_id),
            ('revision', l.revision::text, t.revision::text),
            ('stage', l.stage, t.stage),
            ('gold_mg', coalesce(g.gold_mg, 0)::text, coalesce(t.gold_mg, 0)::text)) AS c (name, expected, found)
        WHERE c.expected IS DISTINCT FROM c.found ORDER BY t.leaf_index, 1""",
    ),
    Comparison(
        DeviationCode.VIEW_NOT_THE_JOURNAL,
        """
        SELECT concat('leaf ', leaf_index, ': reservation_id') AS place, 'that of the leaf' AS expected,
            coalesce(reservation_id::text, 'none') AS found
        FROM payout.ledger_transaction
        WHERE (reservation_id IS NOT NULL) <> (kind IN ('reserved', 'settled', 'voided', 'returned'))
            OR position(convert_to('"reservation_id":"' || reservation_id || '"', 'UTF8') IN leaf) = 0
        ORDER BY leaf_index""",
    ),
    Comparison(
        DeviationCode.VIEW_POSTING_WRONG,
        """
        SELECT concat('leaf ', leaf_index, ', posting ', p.position) AS place,
            concat(j.kind, ' on ', j.effective_on) AS expected, concat(p.kind, ' on ', p.effective_on) AS found
        FROM payout.posting AS p JOIN ledger.journal AS j USING (leaf_index)
        WHERE (p.kind, p.effective_on) IS DISTINCT FROM (j.kind, j.effective_on) ORDER BY leaf_index, p.position""",
    ),
    Comparison(
        DeviationCode.VIEW_POSTING_WRONG,
        """
        SELECT concat('open item of leaf ', leaf_index, ', ', i.position) AS place,
            concat_ws(', ', t.effective_on, t.refiner_id, t.lot_id, t.revision, t.stage) AS expected,
            concat_ws(', ', i.effective_on, i.refiner_id, i.lot_id, i.revision, i.stage) AS found
        FROM payout.open_item AS i JOIN payout.ledger_transaction AS t USING (leaf_index)
        WHERE (i.effective_on, i.refiner_id, i.lot_id, i.revision, i.stage)
            IS DISTINCT FROM (t.effective_on, t.refiner_id, t.lot_id, t.revision, t.stage) ORDER BY leaf_index, i.position""",
    ),
    Comparison(
        DeviationCode.VIEW_POSTING_WRONG,
        """
        , journal AS (
            SELECT leaf_index, subject_kind, subject_id, purpose, currency, sum(amount) AS amount
            FROM owed JOIN payout.ledger_transaction AS t USING (leaf_index, subject_kind, subject_id)
            GROUP BY leaf_index, subject_kind, subject_id, purpose, currency),
        kept AS (
            SELECT leaf_index, subject_kind, subject_id, purpose, currency, sum(amount_minor) AS amount
            FROM payout.posting GROUP BY leaf_index, subject_kind, subject_id, purpose, currency)
        SELECT concat('leaf ', leaf_index, ': ', subject_kind, ':', subject_id, ':', purpose, ':', currency) AS place,
            coalesce(journal.amount, 0)::text AS expected, coalesce(kept.amount, 0)::text AS found
        FROM journal FULL JOIN kept USING (leaf_index, subject_kind, subject_id, purpose, currency)
        WHERE coalesce(journal.amount, 0) <> coalesce(kept.amount, 0) ORDER BY leaf_index, 1""",
        _OWED,
    ),
    Comparison(
        DeviationCode.VIEW_POSTING_WRONG,
        """
        , journal AS (
            SELECT leaf_index, scheme_id, payer_id, coalesce(role, '') AS role, currency, sum(amount) AS amount
            FROM owed JOIN payout.ledger_transaction AS t USING (leaf_index, subject_kind, subject_id)
            WHERE owed.purpose = 'payable' AND t.kind IN ('premium', 'opened', 'corrected', 'exchanged')
            GROUP BY leaf_index, scheme_id, payer_id, role, currency),
        kept AS (
            SELECT leaf_index, scheme_id, payer_id, coalesce(role, '') AS role, currency, sum(amount_minor) AS amount
            FROM payout.open_item GROUP BY leaf_index, scheme_id, payer_id, role, currency)
        SELECT concat('open item of leaf ', leaf_index, ': ',
                concat_ws(', ', nullif(role, ''), currency, scheme_id, payer_id)) AS place,
            coalesce(journal.amount, 0)::text AS expected, coalesce(kept.amount, 0)::text AS found
        FROM journal FULL JOIN kept USING (leaf_index, scheme_id, payer_id, role, currency)
        WHERE coalesce(journal.amount, 0) <> coalesce(kept.amount, 0) ORDER BY leaf_index, 1""",
        _OWED,
    ),
    Comparison(
        DeviationCode.VIEW_POSTING_WRONG,
        """
        SELECT 'cleared of booking ' || s.booking_key AS place, (s.amount - s.open_amount)::text AS expected,
            coalesce(sum(c.amount_minor), 0)::text AS found
        FROM ledger.suspense AS s LEFT JOIN payout.booking_clearing AS c USING (booking_key)
        WHERE (SELECT tree_size FROM payout.ledger_view) = (SELECT tree_size FROM ledger.log_head)
        GROUP BY s.booking_key HAVING s.amount - s.open_amount <> coalesce(sum(c.amount_minor), 0) ORDER BY 1""",
    ),
    Comparison(
        DeviationCode.COMMAND_NOT_AS_SENT,
        """
        SELECT 'command ' || p.command_id AS place, 'sha256:' || encode(sha256(p.body), 'hex') AS expected,
            l.command_hash AS found
        FROM payout.ledger_command AS p JOIN ledger.command AS l USING (command_id)
        WHERE l.command_hash <> 'sha256:' || encode(sha256(p.body), 'hex') ORDER BY 1""",
    ),
    Comparison(
        DeviationCode.ANSWER_NOT_THE_LEDGERS,
        """
        SELECT 'command ' || p.command_id AS place,
            concat_ws(', ', coalesce(l.code, 'no answer'), l.transaction_id) AS expected,
            concat_ws(', ', p.code, p.transaction_id) AS found
        FROM payout.command_outcome AS p LEFT JOIN ledger.command AS l USING (command_id)
        WHERE p.code NOT IN ('SCHEMA_INVALID', 'CONFLICTING_PAYLOAD')
            AND (l.code, l.transaction_id) IS DISTINCT FROM (p.code, p.transaction_id) ORDER BY 1""",
    ),
)


async def check_view(conn: Connection, checked: Checked) -> AsyncIterator[Deviation]:
    """Yield where payout's copy differs from the journal."""
    async for deviation in differences(conn, COMPARISONS):
        yield deviation
    checked.add("leaves seen by payout", await conn.fetchval("SELECT count(*) FROM payout.ledger_transaction"))
