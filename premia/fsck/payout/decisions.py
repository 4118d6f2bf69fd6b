"""Approvals of settlement cycles: each rests on two persons, and what they decided is what the ledger attests.

Goal: nobody pays alone, and nobody else's name stands below an approval than the one who gave it, nor another account.
Method: who approves writes down the decision, with both persons and every order; its hash is a leaf of the log. Cycles are few:
each decision is read beside its cycle and orders. Amounts are those of the reservations, which check_money looks at.
Source: design, section 7.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final

import orjson

from premia.fsck.deviation import Checked, Deviation, DeviationCode
from premia.fsck.queries import Comparison, differences
from premia.fsck.streams import Connection, Row

APPROVALS: Final = """
    SELECT e.cycle_id::text, e.actor AS approved_by, e.at AS approved_at, e.decision, c.settles_on::text, c.prepared_by,
        c.prepared_at
    FROM payout.cycle_event AS e LEFT JOIN payout.cycle AS c USING (cycle_id)
    WHERE e.state = 'approved' ORDER BY e.cycle_id"""
ORDERS: Final = """
    SELECT order_id::text, subject_id AS organization_id, currency, account_id::text FROM payout.payout_order
    WHERE cycle_id = $1::text::uuid"""
TEXTS: Final = ("cycle_id", "settles_on", "prepared_by", "approved_by")
TIMES: Final = ("prepared_at", "approved_at")
OF_AN_ORDER: Final = ("organization_id", "currency", "account_id")

COMPARISONS: Final = (
    # By payout's own commands and not by leaves: after a restore the log may know of approvals that an old backup does not.
    Comparison(
        DeviationCode.DECISION_WRONG,
        """
        SELECT 'command ' || c.command_id AS place, 'an approval whose decision has the hash to attest' AS expected,
            'none' AS found
        FROM payout.ledger_command AS c
        WHERE c.kind = 'attest' AND position('"cycle.approved"'::bytea IN c.body) > 0
            AND NOT EXISTS (SELECT FROM payout.cycle_event AS e WHERE e.state = 'approved'
                AND position(convert_to(encode(sha256(e.decision), 'hex'), 'UTF8') IN c.body) > 0)
        ORDER BY 1""",
    ),
    Comparison(
        DeviationCode.DECISION_WRONG,
        """
        SELECT concat('cycle ', e.cycle_id, ': approval') AS place,
            concat('a leaf that attests ', encode(sha256(e.decision), 'hex')) AS expected, 'none' AS found
        FROM payout.cycle_event AS e
        WHERE e.state = 'approved'
            AND NOT EXISTS (SELECT FROM ledger.journal AS j WHERE j.kind = 'attested'
                AND position(convert_to(encode(sha256(e.decision), 'hex'), 'UTF8') IN j.leaf) > 0)
            AND NOT EXISTS (SELECT FROM payout.ledger_command AS c WHERE c.kind = 'attest'
                AND position(convert_to(encode(sha256(e.decision), 'hex'), 'UTF8') IN c.body) > 0
                AND NOT EXISTS (SELECT FROM ledger.command AS l WHERE l.command_id = c.command_id))
        ORDER BY 1""",
    ),
)


async def check_decisions(conn: Connection, checked: Checked) -> AsyncIterator[Deviation]:
    """Yield what is wrong with approvals."""
    async for deviation in differences(conn, COMPARISONS):
        yield deviation
    for row in await conn.fetch(APPROVALS):
        checked.add("approvals")
        for deviation in _check_approval(row, await conn.fetch(ORDERS, row["cycle_id"])):
            yield deviation


def _check_approval(row: Row, orders: Sequence[Row]) -> list[Deviation]:
    where = f"cycle {row['cycle_id']}"
    try:
        decision = orjson.loads(row["decision"] or b"")
        decided: dict[str, object] = {f"{where}: {name}": decision[name] for name in TEXTS}
        decided |= {f"{where}: {name}": datetime.fromisoformat(decision[name]) for name in TIMES}
        decided |= {f"order {order['order_id']}: {name}": order[name] for order in decision["orders"] for name in OF_AN_ORDER}
    except (ValueError, KeyError, TypeError) as error:
        return [Deviation(DeviationCode.DECISION_WRONG, where, "a decision that can be read", repr(error))]
    kept: dict[str, object] = {f"{where}: {name}": row[name] for name in (*TEXTS, *TIMES)}
    kept |= {f"order {order['order_id']}: {name}": order[name] for order in orders for name in OF_AN_ORDER}
    deviations = [
        Deviation(DeviationCode.DECISION_WRONG, place, f"{value}", f"{kept.get(place)}")
        for place, value in decided.items()
        if kept.get(place) != value
    ]
    if decision["prepared_by"] == decision["approved_by"]:
        deviations.append(Deviation(DeviationCode.DECISION_WRONG, where, "two persons", f"{decision['prepared_by']} alone"))
    return deviations
