"""All leaves of one subject, from its first to the last that is given.

Goal: nothing of a subject was left out: its leaves are numbered from 1, and none is missing.
Method: numbers and times in order; each leaf moves no payee's account but the subject's own, and its lines are its transfers.
Refuses: BUNDLE_MALFORMED for a leaf of somebody else, NUMBER_SKIPPED, TIME_BACKWARDS, PART_MISSING, LINES_WRONG,
TRANSFER_WRONG.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from verifier.deviation import Deviation, DeviationCode
from verifier.leaf import Leaf, LinesAgainstTransfers, Subject, require_own_accounts
from verifier.units import FINE_GOLD

OWED_PURPOSES: Final = ("payable", "in_transit")


def require_run(leaves: Sequence[Leaf], subject: Subject) -> None:
    """Raises Deviation unless the leaves are all of the subject's, from number 1 on."""
    lines = LinesAgainstTransfers()
    for number, leaf in enumerate(leaves, start=1):
        if leaf.subject != subject:
            raise Deviation(DeviationCode.BUNDLE_MALFORMED, leaf.place, f"is of {leaf.subject}, where {subject} is expected")
        if leaf.number != number:
            message = f"is number {leaf.number} of {subject}, where number {number} is expected: a leaf was left out"
            raise Deviation(DeviationCode.NUMBER_SKIPPED, leaf.place, message)
        if number > 1 and leaf.recorded_at < leaves[number - 2].recorded_at:
            raise Deviation(DeviationCode.TIME_BACKWARDS, leaf.place, "was recorded before the leaf that precedes it")
        require_own_accounts(leaf)
        lines.take(leaf)
    lines.finish()


def owed(leaves: Iterable[Leaf], purposes: Sequence[str] = OWED_PURPOSES) -> dict[str, int]:
    """By how much the leaves changed what their subject is owed, or what is on its way to it, in each currency."""
    changed: defaultdict[str, int] = defaultdict(int)
    for leaf in leaves:
        for account, part, amount in leaf.moved():
            if account.owner == leaf.subject and account.purpose in purposes and part.unit != FINE_GOLD:
                changed[part.unit] += amount
    return dict(changed)
