"""The ledger's HTTP API: what may be asked, and what is answered.

Goal: what the service reads and answers with is what the published OpenAPI document is made from (schemas/ledger_endpoints.py).
Method: pydantic models of paths, queries, bodies and answers. Amounts are whole minor units (milligrams of fine gold for
AU-MG), debit positive. Reading is as of a tree size: what an answer says it was made at gives the same answer whenever it is
asked for again. Long lists come in pages; a cursor goes on with the same question at the same tree size.
Refuses: unknown parameters. Every refusal is {code, message}; codes are explained in docs/errors.md.
Source: design, section 6.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Final
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints

from schemas.contract import Contract
from schemas.decimals import Amount
from schemas.identifiers import Id, IsoDate, Text
from schemas.ledger_command import Direction, Subject
from schemas.ledger_correction import CorrectionState, Unit
from schemas.ledger_transaction import Account, LedgerTransaction
from schemas.ledger_words import OwnerKind, Purpose, TransactionKind

PAGE_ROWS_DEFAULT: Final = 100
PAGE_ROWS_MAX: Final = 1_000  # at 300 bytes a row 300 KB.
PAGE_LEAVES_MAX: Final = 200  # a leaf has 2 KB on average and 60 KB at most: 400 KB, 12 MB at worst.

# It holds an account's name, whose owner's id may be 256 characters of 4 bytes: 1,500 characters; twice that.
Cursor = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,3000}$")]
TreeSize = Annotated[int, Field(ge=0, le=2**53 - 1)]
Sha256Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Base64 = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]*={0,2}$")]

# --- what is asked ----------------------------------------------------------------------------------------------------


class AccountPath(Contract):
    """One account."""

    owner_kind: OwnerKind
    owner_id: Id
    purpose: Purpose
    unit: Unit


class LotPath(Contract):
    """One lot."""

    refiner_id: Id
    lot_id: Id


class ReservationPath(Contract):
    """One attempt of a payout."""

    reservation_id: UUID


class TransactionPath(Contract):
    """One transaction."""

    transaction_id: UUID


class CorrectionPath(Contract):
    """One proposal."""

    correction_id: UUID


class Recorded(Contract):
    """As recorded when: the first `tree_size` leaves, or those recorded by a moment; left out: all of now."""

    tree_size: TreeSize | None = None
    recorded_by: AwareDatetime | None = None


class AsOfQuery(Recorded):
    """As recorded when, and with effect by which day."""

    effective_on: IsoDate | None = None


class AccountsQuery(AsOfQuery):
    """Which accounts."""

    owner_kind: OwnerKind | None = None
    owner_id: Id | None = None
    purpose: Purpose | None = None
    unit: Unit | None = None
    limit: Annotated[int, Field(ge=1, le=PAGE_ROWS_MAX)] = PAGE_ROWS_DEFAULT
    cursor: Cursor | None = None


class PostingsQuery(Recorded):
    """Which postings: by the days on which they took effect, both included."""

    first: IsoDate | None = Field(default=None, alias="from")
    last: IsoDate | None = Field(default=None, alias="to")
    limit: Annotated[int, Field(ge=1, le=PAGE_ROWS_MAX)] = PAGE_ROWS_DEFAULT
    cursor: Cursor | None = None


class TransactionsQuery(Recorded):
    """Which page of transactions."""

    limit: Annotated[int, Field(ge=1, le=PAGE_LEAVES_MAX)] = PAGE_ROWS_DEFAULT
    cursor: Cursor | None = None


class PageQuery(Contract):
    """Which page."""

    limit: Annotated[int, Field(ge=1, le=PAGE_ROWS_MAX)] = PAGE_ROWS_DEFAULT
    cursor: Cursor | None = None


class CorrectionsQuery(Contract):
    """Which proposals."""

    state: CorrectionState | None = None


class SubjectPath(Contract):
    """Whose leaves."""

    kind: OwnerKind
    id: Id


class ProofQuery(Contract):
    """Which leaf, and in the tree of which size; left out: of the newest checkpoint."""

    leaf: TreeSize
    tree_size: TreeSize | None = None


class SubjectLeavesQuery(Contract):
    """Which page of a subject's leaves."""

    after: TreeSize = 0
    limit: Annotated[int, Field(ge=1, le=2**53 - 1)] = PAGE_ROWS_DEFAULT


# --- what is answered -------------------------------------------------------------------------------------------------


class Refusal(Contract):
    """Why it was not done; nothing was changed."""

    code: str
    message: str


class AccountBalance(Contract):
    """One account. `account` is its text form, for display."""

    account: str
    owner_kind: OwnerKind
    owner_id: Id
    purpose: Purpose
    unit: Unit
    debits_minor: int
    credits_minor: int
    balance_minor: int
    balance: Amount


class AccountAsOf(AccountBalance):
    """One account, and as of when."""

    tree_size: TreeSize
    effective_on: date | None


class Balances(Contract):
    """Accounts in the order of their names. One is there from its first posting on."""

    tree_size: TreeSize
    effective_on: date | None
    accounts: tuple[AccountBalance, ...]
    next_cursor: Cursor | None


class UnitTotal(Contract):
    """All accounts of one unit. Debits equal credits, or the ledger is damaged."""

    unit: Unit
    debits_minor: int
    credits_minor: int


class TrialBalance(Contract):
    """Debits and credits of all accounts, unit by unit."""

    tree_size: TreeSize
    effective_on: date | None
    units: tuple[UnitTotal, ...]


class Posting(Contract):
    """One transfer as its account sees it: `amount_minor` is debit positive, `balance_minor` the balance after it."""

    leaf_index: int
    number: int
    transaction_id: UUID
    kind: TransactionKind
    subject: Subject
    effective_on: date
    recorded_at: datetime
    against: Account
    amount_minor: int
    balance_minor: int
    refiner_id: Id | None
    lot_id: Id | None
    scheme_id: Id | None
    payer_id: Id | None


class AccountStatement(Contract):
    """An account over some days: opening + postings = closing. Opening and closing are the whole period's, on every page."""

    account: str
    tree_size: TreeSize
    first: date | None = Field(alias="from")
    last: date | None = Field(alias="to")
    opening_minor: int
    closing_minor: int
    postings: tuple[Posting, ...]
    next_cursor: Cursor | None


class Transactions(Contract):
    """Transactions in the order of the log."""

    tree_size: TreeSize
    transactions: tuple[LedgerTransaction, ...]
    next_cursor: Cursor | None


class TransactionWithLeaf(Contract):
    """A transaction, the bytes of its leaf, and the leaf's hash in the tree (RFC 6962: SHA-256 of a zero byte and the leaf)."""

    transaction: LedgerTransaction
    leaf: Base64
    leaf_hash: Sha256Hex


class SuspendedBooking(Contract):
    """A booking that nobody could name, and what is still open of it."""

    booking_key: Text
    unit: Unit
    direction: Direction
    booked_on: date
    amount_minor: int
    open_minor: int


class Suspense(Contract):
    """Bookings in suspense with something open, oldest first."""

    bookings: tuple[SuspendedBooking, ...]
    next_cursor: Cursor | None


class LeafProof(Contract):
    """One leaf, and the proof that it stands in a tree."""

    tree_size: TreeSize
    root_hash: Base64
    checkpoint: str | None
    leaf_index: int
    leaf: str
    inclusion_proof: tuple[Base64, ...]


class SubjectLeaf(Contract):
    """One leaf of a subject with its proof."""

    leaf_index: int
    subject_number: int
    leaf: str
    inclusion_proof: tuple[Base64, ...]


class SubjectLeaves(Contract):
    """A page of a subject's leaves, all in the newest tree."""

    subject: Subject
    tree_size: TreeSize
    root_hash: Base64
    checkpoint: str | None
    leaves: tuple[SubjectLeaf, ...]
    next_after: int | None
