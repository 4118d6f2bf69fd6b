"""The ledger's HTTP API: what may be asked, and what is answered.

Goal: one table of endpoints, which the service routes by and the published OpenAPI document is made from.
Method: pydantic models of paths, queries, bodies and answers. Amounts are whole minor units (milligrams of fine gold for
AU-MG), debit positive. Reading is as of a tree size: what an answer says it was made at gives the same answer whenever it is
asked for again. Long lists come in pages; a cursor goes on with the same question at the same tree size.
Refuses: unknown parameters. Every refusal is {code, message}; codes are explained in docs/errors.md.
Source: design, section 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Final
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from schemas.contract import Contract
from schemas.decimals import Amount
from schemas.identifiers import Id, IsoDate, Text
from schemas.ledger_command import Direction, Subject
from schemas.ledger_correction import CorrectionProposal, Corrections, CorrectionState, ShownCorrection, Unit
from schemas.ledger_transaction import Account, LedgerTransaction
from schemas.ledger_words import OutcomeCode, OwnerKind, Purpose, TransactionKind

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


# --- the table --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation. `refusals`: codes by status, beside those that every endpoint has (400, 401)."""

    name: str
    method: str
    path: str
    summary: str
    answer: type[BaseModel]
    in_path: type[Contract] | None = None
    in_query: type[Contract] | None = None
    body: type[Contract] | None = None
    refusals: tuple[tuple[int, tuple[str, ...]], ...] = ()
    # Whether 201 is answered where something is new.
    created: bool = False


_NO_SUCH_SIZE: Final = "TREE_SIZE_UNKNOWN"
_ACCOUNT: Final = "/v1/accounts/{owner_kind}/{owner_id}/{purpose}/{unit}"
_CORRECTION: Final = "/v1/corrections/{correction_id}"
_POSTING_CODES: Final = tuple(
    code.value for code in OutcomeCode if code not in {OutcomeCode.POSTED, OutcomeCode.SCHEMA_INVALID}
)
_PERSONS: Final[tuple[tuple[int, tuple[str, ...]], ...]] = (
    (403, ("ROLE_MISSING", "SAME_ACTOR")),
    (409, ("CORRECTION_CLOSED", *_POSTING_CODES)),
    (422, _POSTING_CODES),
    (503, ("REGISTRY_MISSING",)),
)

ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    Endpoint(
        "list_accounts",
        "GET",
        "/v1/accounts",
        "Accounts with their balances.",
        Balances,
        in_query=AccountsQuery,
        refusals=((404, (_NO_SUCH_SIZE,)),),
    ),
    Endpoint(
        "read_account",
        "GET",
        _ACCOUNT,
        "One account with its balance.",
        AccountAsOf,
        in_path=AccountPath,
        in_query=AsOfQuery,
        refusals=((404, ("UNKNOWN_ACCOUNT", _NO_SUCH_SIZE)),),
    ),
    Endpoint(
        "read_account_statement",
        "GET",
        f"{_ACCOUNT}/postings",
        "The postings of one account between its opening and its closing balance.",
        AccountStatement,
        in_path=AccountPath,
        in_query=PostingsQuery,
        refusals=((404, ("UNKNOWN_ACCOUNT", _NO_SUCH_SIZE)),),
    ),
    Endpoint(
        "list_transactions_of_account",
        "GET",
        f"{_ACCOUNT}/transactions",
        "Transactions with a posting on one account.",
        Transactions,
        in_path=AccountPath,
        in_query=TransactionsQuery,
        refusals=((404, ("UNKNOWN_ACCOUNT", _NO_SUCH_SIZE)),),
    ),
    Endpoint(
        "list_transactions_of_lot",
        "GET",
        "/v1/lots/{refiner_id}/{lot_id}/transactions",
        "Transactions of one lot: of every revision, for every party.",
        Transactions,
        in_path=LotPath,
        in_query=TransactionsQuery,
        refusals=((404, ("LOT_UNKNOWN", _NO_SUCH_SIZE)),),
    ),
    Endpoint(
        "list_transactions_of_payout",
        "GET",
        "/v1/payouts/{reservation_id}/transactions",
        "Transactions of one attempt of a payout: reserved, settled, voided, returned.",
        Transactions,
        in_path=ReservationPath,
        in_query=TransactionsQuery,
        refusals=((404, ("UNKNOWN_RESERVATION", _NO_SUCH_SIZE)),),
    ),
    Endpoint(
        "read_transaction",
        "GET",
        "/v1/transactions/{transaction_id}",
        "One transaction with its leaf.",
        TransactionWithLeaf,
        in_path=TransactionPath,
        refusals=((404, ("UNKNOWN_TRANSACTION",)),),
    ),
    Endpoint(
        "read_trial_balance",
        "GET",
        "/v1/trial-balance",
        "Debits and credits of all accounts.",
        TrialBalance,
        in_query=AsOfQuery,
        refusals=((404, (_NO_SUCH_SIZE,)),),
    ),
    Endpoint("list_suspense", "GET", "/v1/suspense", "Bookings in suspense that are still open.", Suspense, in_query=PageQuery),
    Endpoint(
        "propose_correction",
        "POST",
        "/v1/corrections",
        "Propose an opening balance or a correction. Answers what would be posted.",
        ShownCorrection,
        body=CorrectionProposal,
        refusals=_PERSONS,
        created=True,
    ),
    Endpoint("list_corrections", "GET", "/v1/corrections", "Proposals, newest first.", Corrections, in_query=CorrectionsQuery),
    Endpoint(
        "read_correction",
        "GET",
        _CORRECTION,
        "One proposal, with what would be posted now.",
        ShownCorrection,
        in_path=CorrectionPath,
        refusals=((404, ("CORRECTION_UNKNOWN",)),),
    ),
    Endpoint(
        "approve_correction",
        "POST",
        f"{_CORRECTION}/approve",
        "Post a proposal, as another person than the one who proposed it. A repeat posts nothing.",
        ShownCorrection,
        in_path=CorrectionPath,
        refusals=(*_PERSONS, (404, ("CORRECTION_UNKNOWN",))),
    ),
    Endpoint(
        "withdraw_correction",
        "POST",
        f"{_CORRECTION}/withdraw",
        "Give up a proposal that was not approved.",
        ShownCorrection,
        in_path=CorrectionPath,
        refusals=(
            (403, ("ROLE_MISSING",)),
            (404, ("CORRECTION_UNKNOWN",)),
            (409, ("CORRECTION_CLOSED",)),
            (503, ("REGISTRY_MISSING",)),
        ),
    ),
)
ENDPOINT_BY_NAME: Final[dict[str, Endpoint]] = {endpoint.name: endpoint for endpoint in ENDPOINTS}
assert len(ENDPOINT_BY_NAME) == len(ENDPOINTS), "a name means one endpoint"
