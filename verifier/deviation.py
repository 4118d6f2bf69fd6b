"""What a check finds.

Goal: one line names what deviates so precisely that a person can look at it: which leaf, which hash, which sum.
Method: a check stops at the first deviation, by raising it; after one nothing that follows can be believed.
"""

from __future__ import annotations

from enum import StrEnum


class DeviationCode(StrEnum):
    """The kinds of deviation. A code is never renamed or reused; docs/errors.md says what each means."""

    # checkpoints
    NOTE_MALFORMED = "NOTE_MALFORMED"
    CHECKPOINT_MALFORMED = "CHECKPOINT_MALFORMED"
    KEY_UNKNOWN = "KEY_UNKNOWN"
    SIGNATURE_WRONG = "SIGNATURE_WRONG"
    ORIGIN_WRONG = "ORIGIN_WRONG"
    WITNESSES_MISSING = "WITNESSES_MISSING"
    NOT_AN_EXTENSION = "NOT_AN_EXTENSION"
    # the tree
    TILE_MISSING = "TILE_MISSING"
    TILE_WRONG = "TILE_WRONG"
    ROOT_WRONG = "ROOT_WRONG"
    LEAF_NOT_INCLUDED = "LEAF_NOT_INCLUDED"
    # leaves
    LEAF_MALFORMED = "LEAF_MALFORMED"
    LEAF_MISPLACED = "LEAF_MISPLACED"
    NUMBER_SKIPPED = "NUMBER_SKIPPED"
    TIME_BACKWARDS = "TIME_BACKWARDS"
    NONCE_REPEATED = "NONCE_REPEATED"
    TRANSFER_WRONG = "TRANSFER_WRONG"
    PART_MISSING = "PART_MISSING"
    LINES_WRONG = "LINES_WRONG"
    RESERVED_TOO_MUCH = "RESERVED_TOO_MUCH"
    # bundles
    BUNDLE_MALFORMED = "BUNDLE_MALFORMED"
    STATEMENT_MALFORMED = "STATEMENT_MALFORMED"
    STATEMENT_NOT_ATTESTED = "STATEMENT_NOT_ATTESTED"
    STATEMENT_LINE_WRONG = "STATEMENT_LINE_WRONG"
    STATEMENT_SUM_WRONG = "STATEMENT_SUM_WRONG"
    POSTING_LEFT_OUT = "POSTING_LEFT_OUT"
    LOT_WRONG = "LOT_WRONG"
    PAYOUT_WRONG = "PAYOUT_WRONG"


class Deviation(Exception):  # noqa: N818  it is what was looked for, not an error of the program
    """Something is not what it claims to be. `place` names where, `message` what stands there and what should."""

    def __init__(self, code: DeviationCode, place: str, message: str) -> None:
        super().__init__(f"{code} at {place}: {message}")
        self.code = code
        self.place = place
        self.message = message
