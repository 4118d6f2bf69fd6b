"""The table of the ledger's HTTP endpoints.

Goal: one table that the service routes by and that the published OpenAPI document is made from.
Method: each endpoint names the models of its path, query, body and answer, and the codes that it refuses with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel

from schemas.contract import Contract
from schemas.ledger_api import (
    AccountAsOf,
    AccountPath,
    AccountsQuery,
    AccountStatement,
    AsOfQuery,
    Balances,
    CorrectionPath,
    CorrectionsQuery,
    LeafProof,
    LotPath,
    PageQuery,
    PostingsQuery,
    ProofQuery,
    ReservationPath,
    SubjectLeaves,
    SubjectLeavesQuery,
    SubjectPath,
    Suspense,
    TransactionPath,
    Transactions,
    TransactionsQuery,
    TransactionWithLeaf,
    TrialBalance,
)
from schemas.ledger_correction import CorrectionProposal, Corrections, ShownCorrection
from schemas.ledger_words import OutcomeCode


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
# Of the log, beside its files, whose names and forms are those of C2SP tlog-tiles (docs/log.md).
LOG_ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    Endpoint(
        "prove_leaf",
        "GET",
        "/v1/proofs",
        "One leaf with the proof that it is in the log.",
        LeafProof,
        in_query=ProofQuery,
        refusals=((404, ("LEAF_UNKNOWN", _NO_SUCH_SIZE)),),
    ),
    Endpoint(
        "list_leaves_of_subject",
        "GET",
        "/v1/subjects/{kind}/{id}/leaves",
        "The leaves of one subject that are under the newest checkpoint, with their proofs.",
        SubjectLeaves,
        in_path=SubjectPath,
        in_query=SubjectLeavesQuery,
    ),
)
ENDPOINT_BY_NAME: Final[dict[str, Endpoint]] = {endpoint.name: endpoint for endpoint in ENDPOINTS}
assert len(ENDPOINT_BY_NAME) == len(ENDPOINTS), "a name means one endpoint"
