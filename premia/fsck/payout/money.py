"""Orders, bookings and the bank, against the ledger: invariants 5 and 10.

Goal: no payment is at the bank twice, what counts as paid was booked and posted with the same amount, and an order pays what
its items add up to, scheme by scheme and payer by payer.
Method: PostgreSQL compares both schemas in one snapshot. A command that the ledger has not answered yet is on its way.
Source: design, section 7.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from premia.fsck.deviation import Checked, Deviation, DeviationCode
from premia.fsck.queries import Comparison, differences
from premia.fsck.streams import Connection

# What a bank's booking moved on the programme's bank account in the ledger. A booking whose amount is not the order's is posted
# in two parts, the second one under the same key with this ending.
_MOVED: Final = """
    WITH moved AS (
        SELECT regexp_replace(b.booking_key, ':difference$', '') AS booking_key, t.unit AS currency,
            sum(CASE WHEN d.purpose = 'bank' THEN t.amount ELSE 0 END
                - CASE WHEN c.purpose = 'bank' THEN t.amount ELSE 0 END) AS amount,
            min(m.first_leaf) AS first_leaf
        FROM ledger.booking AS b
        JOIN ledger.command AS m USING (command_id)
        JOIN ledger.transfer AS t ON t.leaf_index >= m.first_leaf AND t.leaf_index < m.first_leaf + m.leaves
        JOIN ledger.account AS d ON d.account_id = t.debit_account_id
        JOIN ledger.account AS c ON c.account_id = t.credit_account_id
        GROUP BY 1, 2)"""
# States of an order, and the states of its reservation that go with it once payout has seen every leaf. '': there is none.
_STATES: Final = """
    WITH s (state, fitting) AS (VALUES
        ('reserving', '{reserved,""}'), ('reserved', '{reserved}'), ('approved', '{reserved}'), ('sending', '{reserved}'),
        ('sent', '{reserved}'), ('accepted', '{reserved}'), ('booked', '{reserved,settled}'), ('settled', '{settled}'),
        ('rejected', '{reserved,voided}'), ('voiding', '{reserved,voided,""}'), ('voided', '{voided,""}'),
        ('returning', '{reserved,settled,returned}'), ('returned', '{returned}')),
    -- Where the ledger may have got to while payout was not looking.
    later (state, later) AS (VALUES ('reserved', '{reserved,settled,voided,returned}'), ('settled', '{settled,returned}'))"""

COMPARISONS: Final = (
    Comparison(
        DeviationCode.PAID_TWICE,
        """
        SELECT 'payment ' || end_to_end_id AS place, '1 debit' AS expected,
            concat(count(*), ': ', string_agg(booking_key, ', ' ORDER BY booking_key)) AS found
        FROM payout.booking WHERE direction = 'DBIT' AND disposition <> 'known' AND end_to_end_id IS NOT NULL
        GROUP BY end_to_end_id HAVING count(*) > 1 ORDER BY 1""",
    ),
    Comparison(
        DeviationCode.PAID_NOT_BOOKED,
        """
        SELECT 'order ' || o.order_id AS place, '1 debit of it, booked' AS expected, count(b.booking_key)::text AS found
        FROM payout.payout_order AS o LEFT JOIN payout.booking AS b ON b.order_id = o.order_id AND b.disposition = 'settle'
        WHERE o.state IN ('booked', 'settled', 'returning', 'returned') AND NOT EXISTS (
            SELECT FROM payout.attempt AS a JOIN payout.ledger_transaction AS t ON t.reservation_id = a.attempt_id
            JOIN ledger.command AS c USING (command_id)
            WHERE a.order_id = o.order_id AND t.kind = 'settled' AND c.kind = 'clear')
        GROUP BY o.order_id HAVING count(b.booking_key) <> 1 ORDER BY 1""",
    ),
    Comparison(
        DeviationCode.BOOKING_NOT_THE_BANKS,
        """
        , booked AS (
            SELECT booking_key, currency, CASE WHEN direction = 'DBIT' THEN -amount_minor ELSE amount_minor END AS amount
            FROM payout.booking WHERE disposition <> 'known')
        SELECT 'booking ' || booking_key AS place, concat(coalesce(booked.amount, 0), ' ', currency) AS expected,
            concat(coalesce(moved.amount, 0), ' ', currency) AS found
        FROM moved FULL JOIN booked USING (booking_key, currency)
        WHERE coalesce(moved.amount, 0) <> coalesce(booked.amount, 0)
            AND (booked.amount IS NOT NULL OR moved.first_leaf < (SELECT tree_size FROM payout.ledger_view))
            AND NOT EXISTS (SELECT FROM payout.ledger_command AS c
                WHERE c.booking_key IN (booking_key, booking_key || ':difference')
                AND NOT EXISTS (SELECT FROM ledger.command AS l WHERE l.command_id = c.command_id))
        ORDER BY 1""",
        _MOVED,
    ),
    Comparison(
        DeviationCode.ORDER_NOT_ITS_ITEMS,
        """
        WITH items AS (
            SELECT i.order_id, o.scheme_id, o.payer_id, sum(o.amount_minor) AS amount
            FROM payout.order_item AS i JOIN payout.open_item AS o USING (leaf_index, position)
            JOIN payout.payout_order AS p ON p.order_id = i.order_id AND p.subject_kind = o.subject_kind
                AND p.subject_id = o.subject_id AND p.currency = o.currency
            GROUP BY i.order_id, o.scheme_id, o.payer_id)
        SELECT concat('order ', order_id, ': ', scheme_id, ', ', payer_id) AS place,
            coalesce(items.amount, 0)::text AS expected, coalesce(p.amount_minor, 0)::text AS found
        FROM items FULL JOIN payout.order_part AS p USING (order_id, scheme_id, payer_id)
        WHERE coalesce(items.amount, 0) <> coalesce(p.amount_minor, 0) ORDER BY 1""",
    ),
    Comparison(
        DeviationCode.ORDER_NOT_ITS_ITEMS,
        """
        SELECT 'order ' || o.order_id AS place, coalesce(sum(p.amount_minor), 0)::text AS expected,
            o.amount_minor::text AS found
        FROM payout.payout_order AS o LEFT JOIN payout.order_part AS p USING (order_id)
        GROUP BY o.order_id HAVING o.amount_minor IS DISTINCT FROM sum(p.amount_minor) ORDER BY 1""",
    ),
    Comparison(
        DeviationCode.ITEM_TAKEN_WRONG,
        """
        SELECT concat('open item of leaf ', i.leaf_index, ', ', i.position) AS place,
            coalesce('order ' || string_agg(t.order_id::text, ' and ' ORDER BY t.order_id), 'no order') AS expected,
            coalesce('order ' || i.order_id, 'no order') AS found
        FROM payout.open_item AS i
        LEFT JOIN (SELECT n.leaf_index, n.position, n.order_id FROM payout.order_item AS n
            JOIN payout.payout_order AS o ON o.order_id = n.order_id AND o.state NOT IN ('voided', 'returned')) AS t
            USING (leaf_index, position)
        GROUP BY i.leaf_index, i.position
        HAVING count(t.order_id) > 1 OR min(t.order_id::text) IS DISTINCT FROM i.order_id::text
        ORDER BY i.leaf_index, i.position""",
    ),
    Comparison(
        DeviationCode.ORDER_NOT_ITS_RESERVATION,
        """
        WITH reserved AS (
            SELECT a.order_id, p.scheme_id, p.payer_id, p.amount
            FROM ledger.reservation AS r JOIN payout.attempt AS a ON a.attempt_id = r.reservation_id,
            LATERAL unnest(r.scheme_ids, r.payer_ids, r.amounts) AS p (scheme_id, payer_id, amount))
        SELECT concat('order ', order_id, ': ', scheme_id, ', ', payer_id) AS place,
            coalesce(p.amount_minor, 0)::text AS expected, coalesce(reserved.amount, 0)::text AS found
        FROM reserved FULL JOIN (
            SELECT p.* FROM payout.order_part AS p WHERE p.order_id IN (SELECT order_id FROM reserved)) AS p
            USING (order_id, scheme_id, payer_id)
        WHERE reserved.amount IS DISTINCT FROM p.amount_minor ORDER BY 1""",
    ),
    Comparison(
        DeviationCode.ORDER_NOT_ITS_RESERVATION,
        """
        SELECT 'order ' || o.order_id || ': ' || o.state AS place,
            'a reservation that is ' || array_to_string(array_replace(s.fitting::text[], '', 'not there'), ' or ') AS expected,
            coalesce(r.state, 'not there') AS found
        FROM payout.payout_order AS o
        JOIN payout.attempt AS a ON a.order_id = o.order_id
            AND a.number = (SELECT max(number) FROM payout.attempt AS n WHERE n.order_id = o.order_id)
        LEFT JOIN ledger.reservation AS r ON r.reservation_id = a.attempt_id
        LEFT JOIN s ON s.state = o.state
        WHERE s.state IS NULL OR NOT (coalesce(r.state, '') = ANY (s.fitting::text[])
            OR ((SELECT tree_size FROM payout.ledger_view) < (SELECT tree_size FROM ledger.log_head)
                AND EXISTS (SELECT FROM later
                    WHERE later.state = ANY (s.fitting::text[]) AND r.state = ANY (later.later::text[]))))
        ORDER BY 1""",
        _STATES,
    ),
)
COUNTS: Final = """
    SELECT (SELECT count(*) FROM payout.payout_order) AS orders, (SELECT count(*) FROM payout.booking) AS bookings"""


async def check_money(conn: Connection, checked: Checked) -> AsyncIterator[Deviation]:
    """Yield what is wrong between orders, bookings and the ledger."""
    async for deviation in differences(conn, COMPARISONS):
        yield deviation
    counts = await conn.fetchrow(COUNTS)
    assert counts is not None, "counting gives a row"
    checked.add("payment orders", counts["orders"])
    checked.add("bookings of the bank", counts["bookings"])
