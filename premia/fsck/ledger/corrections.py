"""Opening balances and corrections: each rests on two persons, says who and why, and posts or takes back what they decided.

Goal: nobody corrects the books alone or otherwise than was decided, and nothing is taken back twice or otherwise than posted.
Method: leaves of these kinds are few; each is read with the proposal and decision that its cause names, and the first part of
a transaction with all parts of it and of the one that it reverses. What was proposed is kept in canonical JSON, whose hash is
the command's.
Source: design, section 6.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Any, Final

import orjson

from premia.fsck.deviation import Checked, Deviation, DeviationCode
from premia.fsck.ledger.entitlement import FINE_GOLD, GRAM_DIGITS, digits_of, whole
from premia.fsck.ledger.leaf import Leaf, read_leaf
from premia.fsck.queries import Comparison, differences
from premia.fsck.streams import Connection, Row, open_stream

SUSPENSE: Final = {"owner_kind": "programme", "owner_id": "programme", "purpose": "suspense"}
PAGE_ROWS: Final = 100  # leaves of 2 KB as a rule, with those that they take back
# Corrections have at most 20 lines, and a part has one at least: the limits are for a damaged number of parts.
CORRECTIONS: Final = """
    SELECT j.leaf_index, j.leaf, c.command_hash, p.content, p.kind AS proposed_kind,
        p.subject_kind, p.subject_id, p.proposed_by, d.decision, d.decided_by,
        j.part, r.transaction_id::text AS reversed_id,
        ARRAY(SELECT leaf FROM ledger.journal AS a WHERE a.leaf_index >= j.leaf_index
            AND a.leaf_index < j.leaf_index + j.parts ORDER BY a.leaf_index LIMIT 20) AS leaves,
        ARRAY(SELECT leaf FROM ledger.journal AS a WHERE a.leaf_index >= o.leaf_index
            AND a.leaf_index < o.leaf_index + o.parts ORDER BY a.leaf_index LIMIT 20) AS reversed_leaves
    FROM ledger.journal AS j
    LEFT JOIN ledger.command AS c ON c.command_id = j.cause_id
    LEFT JOIN ledger.correction AS p ON p.correction_id = j.cause_id
    LEFT JOIN ledger.correction_decision AS d ON d.correction_id = j.cause_id
    LEFT JOIN ledger.reversal AS r ON r.command_id = j.cause_id
    LEFT JOIN ledger.journal AS o ON o.transaction_id = r.transaction_id AND o.part = 1
    WHERE j.kind IN ('opened', 'corrected') ORDER BY j.leaf_index"""
COMPARISONS: Final = (
    Comparison(
        DeviationCode.CORRECTION_WRONG,
        """
        SELECT 'correction ' || d.correction_id AS place, 'posted, as it was approved' AS expected,
            coalesce(c.code, 'no command') AS found
        FROM ledger.correction_decision AS d LEFT JOIN ledger.command AS c ON c.command_id = d.correction_id
        WHERE d.decision = 'approved' AND c.first_leaf IS NULL ORDER BY 1""",
    ),
    Comparison(
        DeviationCode.REVERSAL_WRONG,
        """
        SELECT 'reversal of transaction ' || r.transaction_id AS place, 'a correction that it is by' AS expected,
            'command ' || r.command_id || ' has no such leaf' AS found
        FROM ledger.reversal AS r
        WHERE NOT EXISTS (SELECT FROM ledger.command AS c JOIN ledger.journal AS j ON j.leaf_index = c.first_leaf
            WHERE c.command_id = r.command_id AND j.kind = 'corrected') ORDER BY 1""",
    ),
)


async def check_corrections(conn: Connection, checked: Checked) -> AsyncIterator[Deviation]:
    """Yield what is wrong with corrections, their proposals, decisions and reversals."""
    rows = await open_stream(conn, CORRECTIONS, page_rows=PAGE_ROWS)
    while (row := rows.row) is not None:
        checked.add("corrections")
        try:
            leaf = read_leaf(row["leaf"])
            for deviation in [*_check_decision(row, leaf), *_check_reversal(row, leaf)]:
                yield deviation
        except (ValueError, KeyError, TypeError):
            pass  # check_journal names a leaf that cannot be read
        await rows.advance()
    async for deviation in differences(conn, COMPARISONS):
        yield deviation


def _check_decision(row: Row, leaf: Leaf) -> list[Deviation]:
    """Whether two persons decided it, for the reason, the day and the amounts that the leaf tells."""
    where, cause = f"leaf {row['leaf_index']}", leaf["cause"]
    if row["content"] is None:
        return [Deviation(DeviationCode.CORRECTION_WRONG, where, f"proposal {cause['command_id']}", "none")]
    try:
        proposal = orjson.loads(row["content"])
        said = {
            "reason": proposal["reason"]["code"],
            "reason_sha256": hashlib.sha256(proposal["reason"]["text"].encode()).hexdigest(),
            "reverses": proposal["reverses"],
        }
        day, lines = proposal["effective_on"], _lines(proposal)
    except (ValueError, ArithmeticError, KeyError, TypeError, AttributeError) as error:
        return [Deviation(DeviationCode.CORRECTION_WRONG, where, "a proposal that can be read", repr(error))]
    expected = said | {
        "command_hash": f"sha256:{hashlib.sha256(row['content']).hexdigest()}",
        "command": row["proposed_kind"],
        "proposed_by": row["proposed_by"],
        "approved_by": row["decided_by"] if row["decision"] == "approved" else None,
    }
    deviations = [
        Deviation(DeviationCode.CORRECTION_WRONG, f"{where}: {name}", f"{value}", f"{cause.get(name)}")
        for name, value in expected.items()
        if cause.get(name) != value
    ]
    if leaf["effective_on"] != day:
        deviations.append(Deviation(DeviationCode.CORRECTION_WRONG, f"{where}: effective_on", f"{day}", leaf["effective_on"]))
    posted = (_transfers(row["leaves"]), cause.get("clears", []))
    if row["part"] == 1 and proposal["reverses"] is None and posted != lines:
        deviations.append(Deviation(DeviationCode.CORRECTION_WRONG, f"{where}: lines", _posted(*lines), _posted(*posted)))
    subject = {"kind": row["subject_kind"], "id": row["subject_id"]}
    if proposal.get("subject") != subject:
        expected_subject = f"{proposal.get('subject')}"
        deviations.append(Deviation(DeviationCode.CORRECTION_WRONG, f"{where}: subject", expected_subject, f"{subject}"))
    if row["proposed_by"] == row["decided_by"]:
        deviations.append(Deviation(DeviationCode.CORRECTION_WRONG, where, "two persons", f"{row['proposed_by']} alone"))
    return deviations


def _lines(proposal: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What the lines of a proposal post, each an account of the subject against suspense, and what they clear."""
    transfers, clears = [], []
    subject = proposal["subject"]
    owner_id = SUSPENSE["owner_id"] if subject["kind"] == "programme" else subject["id"]
    for line in proposal["lines"]:
        account = {"owner_kind": subject["kind"], "owner_id": owner_id, "purpose": line["purpose"]}
        debit, credit = (account, SUSPENSE) if line["side"] == "debit" else (SUSPENSE, account)
        unit = line["unit"]
        amount = whole(line["amount"], GRAM_DIGITS if unit == FINE_GOLD else digits_of(unit))
        transfer: dict[str, Any] = {"debit": debit, "credit": credit, "amount_minor": amount, "unit": unit}
        if scope := {name: line[name] for name in ("scheme_id", "payer_id") if line[name] is not None}:
            transfer["scope"] = scope
        transfers.append(transfer)
        if line["booking_key"] is not None:
            clears.append({"booking_key": line["booking_key"], "amount_minor": amount})
    return transfers, clears


def _check_reversal(row: Row, leaf: Leaf) -> list[Deviation]:
    """Whether the transaction that is taken back is the one that the table guards, and is taken back exactly."""
    where = f"leaf {row['leaf_index']}"
    reverses = leaf["cause"].get("reverses")
    if reverses != row["reversed_id"]:
        expected = f"of {reverses}" if reverses else "none"
        return [
            Deviation(
                DeviationCode.REVERSAL_WRONG, where, expected, f"of {row['reversed_id']}" if row["reversed_id"] else "none"
            )
        ]
    if reverses is None or row["part"] > 1:
        return []
    if not row["reversed_leaves"]:
        return [Deviation(DeviationCode.REVERSAL_WRONG, where, f"transaction {reverses}", "no such leaf")]
    taken_back = [
        {**transfer, "debit": transfer["credit"], "credit": transfer["debit"]}
        for transfer in _transfers(row["reversed_leaves"])
    ]
    given_back = [
        {**part, "amount_minor": -part["amount_minor"]}
        for part in read_leaf(row["reversed_leaves"][0])["cause"].get("clears", [])
    ]
    posted = (_transfers(row["leaves"]), leaf["cause"].get("clears", []))
    if posted == (taken_back, given_back):
        return []
    return [Deviation(DeviationCode.REVERSAL_WRONG, where, _posted(taken_back, given_back), _posted(*posted))]


def _transfers(leaves: list[bytes]) -> list[dict[str, Any]]:
    return [transfer for leaf in leaves for transfer in read_leaf(leaf).get("transfers", [])]


def _posted(transfers: list[dict[str, Any]], clears: list[dict[str, Any]]) -> str:
    cleared = [f"{part['amount_minor']} of booking {part['booking_key']}" for part in clears]
    return "; ".join([_moved(transfers), *cleared])


def _moved(transfers: list[dict[str, Any]]) -> str:
    return "; ".join(
        f"{transfer['amount_minor']} {transfer['unit']} {transfer['debit']['purpose']} to {transfer['credit']['purpose']}"
        for transfer in transfers
    )
