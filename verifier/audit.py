"""Whether the leaves of a whole log tell one consistent story.

Goal: no leaf is out of place, no number of a subject is missing, no money appears from nowhere, nobody's account is moved
behind their back, and nothing is set aside for payment that was not owed.
Method: leaves are taken in order; what is kept is a number for each subject and account, and eight bytes for each leaf.
Refuses: LEAF_MALFORMED, LEAF_MISPLACED, NUMBER_SKIPPED, TIME_BACKWARDS, TRANSFER_WRONG, PART_MISSING, LINES_WRONG,
RESERVED_TOO_MUCH; at the end NONCE_REPEATED.
Limits: that the amounts are right is not a matter of the log alone; a lot's leaves say how each was computed.
Source: design, sections 6 and 9.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from typing import Final

from verifier.deviation import Deviation, DeviationCode
from verifier.leaf import Account, Leaf, LinesAgainstTransfers, Subject, read_leaf, require_own_accounts
from verifier.units import amount_text

NONCE_PREFIX_BYTES: Final = 8


class Audit:
    """Takes the leaves of a log in order."""

    def __init__(self) -> None:
        self.leaves = 0
        self.recorded_at: datetime | None = None
        self.numbers: dict[Subject, int] = {}
        self.debits: defaultdict[str, int] = defaultdict(int)
        self._balances: defaultdict[tuple[Account, str], int] = defaultdict(int)
        self._lines = LinesAgainstTransfers()
        self._nonces = array("Q")

    def take(self, content: bytes) -> None:
        """Check the next leaf. Raises Deviation."""
        leaf = read_leaf(content, f"leaf {self.leaves}")
        if leaf.index != self.leaves:
            raise Deviation(DeviationCode.LEAF_MISPLACED, f"leaf {self.leaves}", f"says that it is leaf {leaf.index}")
        expected = self.numbers.get(leaf.subject, 0) + 1
        if leaf.number != expected:
            message = f"is number {leaf.number} of {leaf.subject}, where number {expected} is expected"
            raise Deviation(DeviationCode.NUMBER_SKIPPED, leaf.place, message)
        if self.recorded_at is not None and leaf.recorded_at < self.recorded_at:
            message = f"was recorded at {leaf.recorded_at.isoformat()}, before the leaf that precedes it"
            raise Deviation(DeviationCode.TIME_BACKWARDS, leaf.place, message)
        require_own_accounts(leaf)
        self._lines.take(leaf)
        self._post(leaf)
        self.leaves += 1
        self.numbers[leaf.subject] = leaf.number
        self.recorded_at = leaf.recorded_at
        self._nonces.append(int.from_bytes(leaf.nonce[:NONCE_PREFIX_BYTES], "big"))

    def finish(self) -> None:
        """The log ends here: a checkpoint stands for all parts of a cause, or for none. Raises Deviation."""
        self._lines.finish()

    def repeated_nonces(self) -> frozenset[int]:
        """Beginnings of nonces that several leaves share: none in a log whose nonces are random."""
        ordered = sorted(self._nonces)
        return frozenset(a for a, b in pairwise(ordered) if a == b)

    def totals(self) -> list[str]:
        """What was moved, in each unit."""
        return [amount_text(amount, unit) for unit, amount in sorted(self.debits.items())]

    def _post(self, leaf: Leaf) -> None:
        for account, part, amount in leaf.moved():
            self._balances[account, part.unit] += amount
            if amount < 0:
                self.debits[part.unit] -= amount
        if leaf.kind == "reserved":
            for transfer in leaf.transfers:
                left = self._balances[transfer.debit, transfer.part.unit]
                if left < 0:
                    unit = transfer.part.unit
                    message = f"sets aside {amount_text(-left, unit)} more than {transfer.debit} had"
                    raise Deviation(DeviationCode.RESERVED_TOO_MUCH, leaf.place, message)


def refuse_repeated_nonce(leaves: Iterable[bytes], repeated: frozenset[int]) -> None:
    """Name the leaf that repeats a nonce, in a second reading. Raises Deviation: NONCE_REPEATED."""
    first: dict[bytes, int] = {}
    for index, content in enumerate(leaves):
        nonce = read_leaf(content, f"leaf {index}").nonce
        if int.from_bytes(nonce[:NONCE_PREFIX_BYTES], "big") in repeated:
            if nonce in first:
                message = f"has the nonce of leaf {first[nonce]}: who knows one can guess the other from its public hash"
                raise Deviation(DeviationCode.NONCE_REPEATED, f"leaf {index}", message)
            first[nonce] = index
