"""What a checker finds.

Goal: a person who reads one line knows what is wrong, where, what should stand there and what does.
Method: checkers yield deviations one by one; how many are shown is the command's business. A code never changes its meaning;
docs/errors.md says of each what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

TELL_EVERY: Final = 1_000  # telling of each row would take as long as checking it.


class DeviationCode(StrEnum):
    """What can be wrong. MEANINGS says it in words."""

    GUARD_MISSING = "GUARD_MISSING"
    CONSTRAINT_MISSING = "CONSTRAINT_MISSING"
    LEAF_MISSING = "LEAF_MISSING"
    LEAF_UNREADABLE = "LEAF_UNREADABLE"
    LEAF_NOT_CANONICAL = "LEAF_NOT_CANONICAL"
    LEAF_NOT_ITS_ROW = "LEAF_NOT_ITS_ROW"
    LEAF_NOT_ITS_CAUSE = "LEAF_NOT_ITS_CAUSE"
    LEAF_WITHOUT_CAUSE = "LEAF_WITHOUT_CAUSE"
    LEAF_OUT_OF_TIME = "LEAF_OUT_OF_TIME"
    LEAF_SEALED_OTHERWISE = "LEAF_SEALED_OTHERWISE"
    LOG_FILE_WRONG = "LOG_FILE_WRONG"
    CHECKPOINT_WRONG = "CHECKPOINT_WRONG"
    JOURNAL_BEHIND_LOG = "JOURNAL_BEHIND_LOG"
    NONCE_INVALID = "NONCE_INVALID"
    TRANSACTION_ID_WRONG = "TRANSACTION_ID_WRONG"
    PART_MISSING = "PART_MISSING"
    SUBJECT_NUMBER_SKIPPED = "SUBJECT_NUMBER_SKIPPED"
    SUBJECT_WRONG = "SUBJECT_WRONG"
    TRANSFER_CHANGED = "TRANSFER_CHANGED"
    TRANSFER_MISSING = "TRANSFER_MISSING"
    TRANSFER_ADDED = "TRANSFER_ADDED"
    TRANSFER_WITHOUT_LEAF = "TRANSFER_WITHOUT_LEAF"
    TRANSFER_UNIT = "TRANSFER_UNIT"
    POSTING_FORBIDDEN = "POSTING_FORBIDDEN"
    PREMIUM_NOT_ITS_ENTITLEMENT = "PREMIUM_NOT_ITS_ENTITLEMENT"
    ACCOUNT_MISSING = "ACCOUNT_MISSING"
    UNIT_NOT_ZERO = "UNIT_NOT_ZERO"
    BALANCE_WRONG = "BALANCE_WRONG"
    BALANCE_MISSING = "BALANCE_MISSING"
    DAY_SUM_WRONG = "DAY_SUM_WRONG"
    TREE_SIZE_WRONG = "TREE_SIZE_WRONG"
    LOG_HEAD_WRONG = "LOG_HEAD_WRONG"
    CAUSE_WITHOUT_LEAVES = "CAUSE_WITHOUT_LEAVES"
    ENTITLEMENT_UNREADABLE = "ENTITLEMENT_UNREADABLE"
    ENTITLEMENT_NOT_ITS_ROW = "ENTITLEMENT_NOT_ITS_ROW"
    ENTITLEMENT_OUT_OF_TURN = "ENTITLEMENT_OUT_OF_TURN"
    POSTED_NOT_OWED = "POSTED_NOT_OWED"
    LINE_NOT_OWED = "LINE_NOT_OWED"
    HEAD_MISSING = "HEAD_MISSING"
    HEAD_WRONG = "HEAD_WRONG"
    LOT_WITHOUT_ENTITLEMENT = "LOT_WITHOUT_ENTITLEMENT"
    PAYABLE_OVERDRAWN = "PAYABLE_OVERDRAWN"
    RESERVATION_OUT_OF_TURN = "RESERVATION_OUT_OF_TURN"
    RESERVATION_PARTS_DIFFER = "RESERVATION_PARTS_DIFFER"
    RESERVATION_MISSING = "RESERVATION_MISSING"
    RESERVATION_WRONG = "RESERVATION_WRONG"
    EXCHANGE_WRONG = "EXCHANGE_WRONG"
    BOOKING_WRONG = "BOOKING_WRONG"
    CLEARED_TOO_MUCH = "CLEARED_TOO_MUCH"
    CLEARED_OTHERWISE = "CLEARED_OTHERWISE"
    SUSPENSE_WRONG = "SUSPENSE_WRONG"
    CORRECTION_WRONG = "CORRECTION_WRONG"
    REVERSAL_WRONG = "REVERSAL_WRONG"
    ORIGIN_TWICE = "ORIGIN_TWICE"
    OUTCOME_NOT_TOLD = "OUTCOME_NOT_TOLD"
    OUTCOME_UNFOUNDED = "OUTCOME_UNFOUNDED"
    OUTBOX_NUMBER_SKIPPED = "OUTBOX_NUMBER_SKIPPED"
    MESSAGE_WRONG = "MESSAGE_WRONG"
    QUARANTINE_WRONG = "QUARANTINE_WRONG"
    RELAY_AHEAD = "RELAY_AHEAD"
    SALE_WITHOUT_OUTCOME = "SALE_WITHOUT_OUTCOME"
    SALE_TOLD_TWICE = "SALE_TOLD_TWICE"
    SALE_NOT_AS_TOLD = "SALE_NOT_AS_TOLD"
    ENTITLEMENT_NOT_AS_PUBLISHED = "ENTITLEMENT_NOT_AS_PUBLISHED"
    VIEW_NOT_THE_JOURNAL = "VIEW_NOT_THE_JOURNAL"
    VIEW_POSTING_WRONG = "VIEW_POSTING_WRONG"
    COMMAND_NOT_AS_SENT = "COMMAND_NOT_AS_SENT"
    ANSWER_NOT_THE_LEDGERS = "ANSWER_NOT_THE_LEDGERS"
    PAID_TWICE = "PAID_TWICE"
    PAID_NOT_BOOKED = "PAID_NOT_BOOKED"
    BOOKING_NOT_THE_BANKS = "BOOKING_NOT_THE_BANKS"
    ORDER_NOT_ITS_ITEMS = "ORDER_NOT_ITS_ITEMS"
    ORDER_NOT_ITS_RESERVATION = "ORDER_NOT_ITS_RESERVATION"
    ITEM_TAKEN_WRONG = "ITEM_TAKEN_WRONG"
    HISTORY_WRONG = "HISTORY_WRONG"
    DECISION_WRONG = "DECISION_WRONG"
    PAYOUT_NOT_AS_TOLD = "PAYOUT_NOT_AS_TOLD"
    STATEMENT_NOT_THE_JOURNAL = "STATEMENT_NOT_THE_JOURNAL"
    STATEMENT_NOT_CONTINUED = "STATEMENT_NOT_CONTINUED"
    STATEMENT_NOT_ON_RECORD = "STATEMENT_NOT_ON_RECORD"
    DOCUMENT_WRONG = "DOCUMENT_WRONG"


class Meaning(NamedTuple):
    """`invariant` is its number in section 9 of the design; 0: what all of them rest on."""

    invariant: int
    words: str


_C = DeviationCode
MEANINGS: Final[dict[DeviationCode, Meaning]] = {
    _C.GUARD_MISSING: Meaning(0, "what keeps a table append-only is off or was replaced, or a login may change it"),
    _C.CONSTRAINT_MISSING: Meaning(0, "a constraint of the migrations is gone, another one, off, or unchecked for some rows"),
    _C.LEAF_MISSING: Meaning(7, "a leaf of the log is not there"),
    _C.LEAF_UNREADABLE: Meaning(7, "a leaf is no transaction"),
    _C.LEAF_NOT_CANONICAL: Meaning(7, "a leaf is not canonical JSON (RFC 8785)"),
    _C.LEAF_NOT_ITS_ROW: Meaning(7, "a leaf and the row that it stands in tell different things"),
    _C.LEAF_NOT_ITS_CAUSE: Meaning(3, "a leaf tells its cause otherwise than the entitlement or command that is stored"),
    _C.LEAF_WITHOUT_CAUSE: Meaning(4, "no entitlement and no command caused this leaf"),
    _C.LEAF_OUT_OF_TIME: Meaning(7, "a leaf was recorded before the one before it"),
    _C.LEAF_SEALED_OTHERWISE: Meaning(7, "a leaf is not the one that was sealed"),
    _C.LOG_FILE_WRONG: Meaning(7, "a file of the log is missing, or does not follow from the ones below it"),
    _C.CHECKPOINT_WRONG: Meaning(7, "a checkpoint's root is not that of the journal's first leaves"),
    _C.JOURNAL_BEHIND_LOG: Meaning(7, "a checkpoint stands for more leaves than the journal has"),
    _C.NONCE_INVALID: Meaning(7, "a leaf has no nonce of 128 bits, so its hash could be guessed"),
    _C.TRANSACTION_ID_WRONG: Meaning(7, "a transaction's id does not derive from its cause, subject and part"),
    _C.PART_MISSING: Meaning(7, "the parts of a transaction do not follow one another"),
    _C.SUBJECT_NUMBER_SKIPPED: Meaning(7, "a subject's transactions are not numbered 1, 2, 3 in the order of the log"),
    _C.SUBJECT_WRONG: Meaning(2, "a subject's counters are not those of its transactions"),
    _C.TRANSFER_CHANGED: Meaning(2, "a transfer is not the one that its leaf tells"),
    _C.TRANSFER_MISSING: Meaning(2, "a leaf tells more transfers than are stored"),
    _C.TRANSFER_ADDED: Meaning(2, "more transfers are stored than the leaf tells"),
    _C.TRANSFER_WITHOUT_LEAF: Meaning(2, "a transfer belongs to no leaf"),
    _C.TRANSFER_UNIT: Meaning(1, "a transfer and its accounts are not in one unit"),
    _C.POSTING_FORBIDDEN: Meaning(10, "a transfer moves between accounts that this kind of transaction may not use"),
    _C.PREMIUM_NOT_ITS_ENTITLEMENT: Meaning(3, "a leaf tells premium lines or gold otherwise than its entitlement's bytes"),
    _C.ACCOUNT_MISSING: Meaning(2, "a transfer or balance names an account that is not there"),
    _C.UNIT_NOT_ZERO: Meaning(1, "the balances of a unit do not sum to zero"),
    _C.BALANCE_WRONG: Meaning(2, "a balance is not the sum of the account's transfers"),
    _C.BALANCE_MISSING: Meaning(2, "an account with transfers has no balance"),
    _C.DAY_SUM_WRONG: Meaning(2, "the sum of an account's transfers of one day is not that of the leaves that it counts"),
    _C.TREE_SIZE_WRONG: Meaning(2, "the log head counts another number of leaves than there are"),
    _C.LOG_HEAD_WRONG: Meaning(2, "the log head lies behind the journal, so that a time or an account id would come twice"),
    _C.CAUSE_WITHOUT_LEAVES: Meaning(4, "an entitlement or command names leaves that are not its own"),
    _C.ENTITLEMENT_UNREADABLE: Meaning(3, "the stored bytes of an entitlement are none"),
    _C.ENTITLEMENT_NOT_ITS_ROW: Meaning(3, "the stored bytes of an entitlement and its row tell different things"),
    _C.ENTITLEMENT_OUT_OF_TURN: Meaning(8, "replayed in order, an entitlement would have another fate than it had"),
    _C.POSTED_NOT_OWED: Meaning(3, "what was posted for an entitlement is not what it changed"),
    _C.LINE_NOT_OWED: Meaning(3, "a line kept of a lot is not that of its latest entitlement"),
    _C.HEAD_MISSING: Meaning(8, "a lot with entitlements has no head"),
    _C.HEAD_WRONG: Meaning(8, "a lot's head is not its latest entitlement"),
    _C.LOT_WITHOUT_ENTITLEMENT: Meaning(3, "postings, lines or a head of a lot, but no entitlement"),
    _C.PAYABLE_OVERDRAWN: Meaning(6, "a reservation or an exchange took payable below zero"),
    _C.RESERVATION_OUT_OF_TURN: Meaning(6, "a step of a reservation that cannot follow the one before it"),
    _C.RESERVATION_PARTS_DIFFER: Meaning(10, "settled, voided or returned otherwise than it was reserved"),
    _C.RESERVATION_MISSING: Meaning(6, "the journal has a reservation that the table has not"),
    _C.RESERVATION_WRONG: Meaning(6, "a reservation is not what the journal makes of it"),
    _C.BOOKING_WRONG: Meaning(5, "a booking key and the transaction that posted it do not name each other"),
    _C.EXCHANGE_WRONG: Meaning(1, "what was bought is not what was sold, at the rate that the leaf tells"),
    _C.CLEARED_TOO_MUCH: Meaning(5, "more was cleared of a booking in suspense than was open of it"),
    _C.CLEARED_OTHERWISE: Meaning(5, "a clearing moved another amount in suspense than it took from the bookings"),
    _C.SUSPENSE_WRONG: Meaning(5, "a booking in suspense is not what the journal leaves open of it"),
    _C.CORRECTION_WRONG: Meaning(0, "an opening balance or correction is not what two persons decided"),
    _C.REVERSAL_WRONG: Meaning(0, "what was taken back is not what was posted, or not guarded against being taken back again"),
    _C.ORIGIN_TWICE: Meaning(4, "two sales were accepted from one record of the sales topic"),
    _C.OUTCOME_NOT_TOLD: Meaning(4, "an outcome or a dead letter that must be told was never written to the outbox"),
    _C.OUTCOME_UNFOUNDED: Meaning(4, "the outbox tells an outcome that the tables do not bear out"),
    _C.OUTBOX_NUMBER_SKIPPED: Meaning(4, "messages of the outbox are not numbered without a gap"),
    _C.MESSAGE_WRONG: Meaning(4, "a message of the outbox is not what its own content says it is"),
    _C.QUARANTINE_WRONG: Meaning(4, "a row in quarantine is not the event that its dead letter carries"),
    _C.RELAY_AHEAD: Meaning(4, "a relay's cursor lies beyond what there is to publish, so that it would pass over what comes"),
    _C.SALE_WITHOUT_OUTCOME: Meaning(4, "a sale that was read and answered has no outcome: it is lost"),
    _C.SALE_TOLD_TWICE: Meaning(4, "two outcomes that exclude each other were told of one sale"),
    _C.SALE_NOT_AS_TOLD: Meaning(4, "an accepted sale was told otherwise than it is stored, or not at all"),
    _C.ENTITLEMENT_NOT_AS_PUBLISHED: Meaning(3, "a stored entitlement is not the one that was published"),
    _C.VIEW_NOT_THE_JOURNAL: Meaning(9, "payout's copy of the log is not the ledger's journal"),
    _C.VIEW_POSTING_WRONG: Meaning(9, "what payout made of a transaction is not what its transfers moved"),
    _C.COMMAND_NOT_AS_SENT: Meaning(5, "the ledger carried out another command than payout sent"),
    _C.ANSWER_NOT_THE_LEDGERS: Meaning(5, "payout holds another answer to a command than the ledger gave"),
    _C.PAID_TWICE: Meaning(5, "the bank booked more than one debit for one payment"),
    _C.PAID_NOT_BOOKED: Meaning(5, "an order counts as paid, and no one debit of the bank is booked for it"),
    _C.BOOKING_NOT_THE_BANKS: Meaning(5, "the ledger moved another amount at the bank than the bank booked"),
    _C.ORDER_NOT_ITS_ITEMS: Meaning(10, "an order does not pay what its items of that scheme and payer add up to"),
    _C.ORDER_NOT_ITS_RESERVATION: Meaning(5, "an order and its reservation in the ledger do not fit"),
    _C.ITEM_TAKEN_WRONG: Meaning(10, "an open item counts as taken by another order than the one that pays it"),
    _C.HISTORY_WRONG: Meaning(0, "the history of an account, order or cycle has a gap, or does not lead to what it is"),
    _C.DECISION_WRONG: Meaning(0, "an approval of payments is not what two persons decided and the ledger attests"),
    _C.PAYOUT_NOT_AS_TOLD: Meaning(0, "what payout keeps of an account, order, cycle or statement is not what it published"),
    _C.STATEMENT_NOT_THE_JOURNAL: Meaning(9, "a statement's closing balance is not what the journal has at its tree size"),
    _C.STATEMENT_NOT_CONTINUED: Meaning(9, "a statement does not open with the closing balance of the one before"),
    _C.STATEMENT_NOT_ON_RECORD: Meaning(9, "no leaf attests the hash of an issued statement"),
    _C.DOCUMENT_WRONG: Meaning(9, "a document that was issued is not there, or is not what was issued"),
}
assert set(MEANINGS) == set(DeviationCode), "every code has its words"


@dataclass(frozen=True, slots=True)
class Deviation:
    """`where` names the row; `expected` and `found` are texts for a person."""

    code: DeviationCode
    where: str
    expected: str
    found: str

    @property
    def invariant(self) -> int:
        """The invariant of the design that does not hold."""
        return MEANINGS[self.code].invariant

    @property
    def what(self) -> str:
        """What is wrong, in words."""
        return MEANINGS[self.code].words


@dataclass(slots=True)
class Checked:
    """How much was looked at, by name: a check that looked at nothing must not look like one that found nothing.

    `not_checked`: what could not be looked at, and why. `root`: of the tree over all leaves, in hex. `advance` is told now and
    then how much was counted since.
    """

    counts: dict[str, int] = field(default_factory=dict)
    not_checked: dict[str, str] = field(default_factory=dict)
    root: str | None = None
    advance: Callable[[int], None] | None = None
    _untold: int = 0

    def add(self, what: str, number: int = 1) -> None:
        """Count."""
        self.counts[what] = self.counts.get(what, 0) + number
        self._untold += number
        if self.advance is not None and self._untold >= TELL_EVERY:
            self.advance(self._untold)
            self._untold = 0
