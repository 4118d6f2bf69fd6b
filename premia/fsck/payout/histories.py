"""Histories of accounts, orders and cycles: without a gap, begun by whom it says, ended in the state that each is in.

Goal: no step of who decided what is taken away, and no state is there that nobody brought about.
Method: the tables of events only grow and number their rows from 1; the tables of states are compared with them. That a step
was taken by who it says is what Kafka bears out (premia.fsck.kafka.payout_events).
Source: design, section 7.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from premia.fsck.deviation import Checked, Deviation, DeviationCode
from premia.fsck.queries import Comparison, differences
from premia.fsck.streams import Connection

COMPARISONS: Final = (
    Comparison(
        DeviationCode.HISTORY_WRONG,
        """
        WITH present (kind, id, state, begun_by) AS (
            SELECT 'account', account_id, state, proposed_by FROM payout.account
            UNION ALL SELECT 'cycle', cycle_id, state, prepared_by FROM payout.cycle
            UNION ALL SELECT 'order', o.order_id, o.state, c.prepared_by
                FROM payout.payout_order AS o LEFT JOIN payout.cycle AS c USING (cycle_id)),
        event (kind, id, number, state, actor) AS (
            SELECT 'account', account_id, number, state, actor FROM payout.account_event
            UNION ALL SELECT 'cycle', cycle_id, number, state, actor FROM payout.cycle_event
            UNION ALL SELECT 'order', order_id, number, state, actor FROM payout.order_event),
        history AS (
            SELECT kind, id, count(*) AS events, max(number) AS last, (array_agg(state ORDER BY number DESC))[1] AS state,
                (array_agg(actor ORDER BY number))[1] AS begun_by
            FROM event GROUP BY kind, id)
        SELECT concat(kind, ' ', id) AS place,
            concat(h.last, ' events, begun by ', p.begun_by, ', then ', p.state) AS expected,
            concat(coalesce(h.events, 0), ' events, begun by ', h.begun_by, ', then ', h.state) AS found
        FROM present AS p FULL JOIN history AS h USING (kind, id)
        WHERE (h.last, p.state, p.begun_by) IS DISTINCT FROM (h.events, h.state, h.begun_by) ORDER BY 1""",
    ),
    Comparison(
        DeviationCode.HISTORY_WRONG,
        """
        SELECT 'account ' || e.account_id AS place, 'two persons' AS expected, e.actor || ' alone' AS found
        FROM payout.account_event AS e JOIN payout.account AS a USING (account_id)
        WHERE e.state = 'verified' AND e.actor = a.proposed_by ORDER BY 1""",
    ),
)


async def check_histories(conn: Connection, checked: Checked) -> AsyncIterator[Deviation]:
    """Yield what is wrong with histories."""
    async for deviation in differences(conn, COMPARISONS):
        yield deviation
    checked.add("payment accounts", await conn.fetchval("SELECT count(*) FROM payout.account"))
