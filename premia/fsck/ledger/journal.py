"""The journal, leaf by leaf: transfers, causes, numbers, accounts, balances and the moment of every reservation.

Goal: whatever was changed behind the ledger's back, in whichever of the tables, shows as a difference to another.
Method: the leaves are the bytes that were published, so they are what everything else is held against. Leaves, transfers and
causes are read side by side in the order of the log, once, in one snapshot; in memory are a few thousand rows, the accounts
and the subjects, however many leaves there are.
Source: design, sections 6 and 9.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from premia.fsck.deviation import Checked, Deviation, DeviationCode
from premia.fsck.ledger.accounts import Account, Accounts, check_balances, read_accounts
from premia.fsck.ledger.causes import Cause, Causes, check_cause, open_causes
from premia.fsck.ledger.leaf import Leaf, check_leaf, read_leaf
from premia.fsck.ledger.subjects import Subjects, check_subjects
from premia.fsck.ledger.suspense import Suspense, check_suspense
from premia.fsck.ledger.transaction import Transaction, check_transaction
from premia.fsck.ledger.tree import SealedLog, Tree
from premia.fsck.streams import Connection, Row, Stream, open_stream

LEAF_PAGE_ROWS: Final = 1_000  # leaves have 2 KB on average and 60 KB at most: 2 MB in memory, 60 MB at worst.
TRANSFER_PAGE_ROWS: Final = 5_000

LEAVES: Final = """
    SELECT leaf_index, transaction_id::text, subject_kind, subject_id, subject_number, kind, part, parts,
        effective_on::text, recorded_at, cause_id::text, leaf
    FROM ledger.journal ORDER BY leaf_index"""
TRANSFERS: Final = """
    SELECT leaf_index, number, debit_account_id, credit_account_id, amount, unit, refiner_id, lot_id, revision, stage,
        scheme_id, payer_id, role
    FROM ledger.transfer ORDER BY leaf_index, number"""
HEAD: Final = "SELECT tree_size, recorded_at, last_account_id FROM ledger.log_head"
# What bytes that are no transaction of ours lead to, wherever they are first looked into.
UNREADABLE: Final = (ValueError, ArithmeticError, KeyError, TypeError, AttributeError)
SCOPE: Final = ("refiner_id", "lot_id", "revision", "stage", "scheme_id", "payer_id", "role")


@dataclass(slots=True)
class _Walk:
    """What a walk through the journal carries along."""

    accounts: Accounts
    causes: Causes
    transfers: Stream
    checked: Checked
    tree: Tree
    subjects: Subjects = field(default_factory=Subjects)
    suspense: Suspense = field(default_factory=Suspense)
    next_leaf: int = 0
    recorded_at: datetime | None = None
    # The transaction whose last part is still to come.
    unfinished: Transaction | None = None
    last_part: Row | None = None


async def check_journal(conn: Connection, checked: Checked, log: SealedLog) -> AsyncIterator[Deviation]:
    """Yield what is wrong with leaves, transfers, causes, subjects, balances, the log head and what was sealed."""
    accounts = await read_accounts(conn, checked)
    transfers = await open_stream(conn, TRANSFERS, page_rows=TRANSFER_PAGE_ROWS)
    walk = _Walk(accounts, await open_causes(conn), transfers, checked, Tree(log))
    leaves = await open_stream(conn, LEAVES, page_rows=LEAF_PAGE_ROWS)
    while (row := leaves.row) is not None:
        checked.add("leaves")
        for deviation in await _leaf(walk, row):
            yield deviation
        await leaves.advance()
    for deviation in [
        *_end_of_parts(walk, None),
        *await _transfers_before(walk, None),
        *await walk.causes.rest(),
        *walk.tree.end(),
    ]:
        yield deviation
    checked.root = walk.tree.root()
    async for deviation in check_balances(conn, accounts):
        yield deviation
    async for deviation in check_subjects(conn, walk.subjects):
        yield deviation
    async for deviation in check_suspense(conn, walk.suspense):
        yield deviation
    for deviation in await _check_head(conn, walk):
        yield deviation


async def _leaf(walk: _Walk, row: Row) -> list[Deviation]:
    index = row["leaf_index"]
    found = await _transfers_before(walk, index)
    if index != walk.next_leaf:
        found.append(Deviation(DeviationCode.LEAF_MISSING, f"leaf {walk.next_leaf}", "a leaf", f"the next one is leaf {index}"))
    walk.next_leaf = index + 1
    if walk.recorded_at is not None and row["recorded_at"] < walk.recorded_at:
        expected = f"{walk.recorded_at} or later"
        found.append(Deviation(DeviationCode.LEAF_OUT_OF_TIME, f"leaf {index}", expected, f"{row['recorded_at']}"))
    walk.recorded_at = row["recorded_at"]
    found += walk.tree.append(row["leaf"])
    found += _end_of_parts(walk, row)
    stored = await _transfers_of(walk, index, found)
    cause = await walk.causes.of_leaf(index, found)
    found += walk.subjects.count(row)
    try:
        leaf = read_leaf(row["leaf"])
        found += check_leaf(row, leaf)
        found += _check_transfers(index, leaf, stored)
        found += _check_cause(leaf, row, cause)
        found += walk.suspense.follow(leaf)
        found += _transaction(walk, row, leaf, cause)
    except UNREADABLE as error:
        walk.unfinished = None
        found.append(Deviation(DeviationCode.LEAF_UNREADABLE, f"leaf {index}", "a transaction", repr(error)))
    return found


def _check_cause(leaf: Leaf, row: Row, cause: Cause | None) -> list[Deviation]:
    if cause is None:
        return [Deviation(DeviationCode.LEAF_WITHOUT_CAUSE, f"leaf {row['leaf_index']}", f"cause {row['cause_id']}", "none")]
    return check_cause(leaf, row, cause)


def _end_of_parts(walk: _Walk, row: Row | None) -> list[Deviation]:
    """Whether the next leaf, or the end of the journal, goes on with the parts of the one before."""
    last, following = walk.last_part, None if row is None else row["part"]
    walk.last_part = row
    expected = 1
    if last is not None and last["part"] < last["parts"]:
        expected = last["part"] + 1
        names = ("parts", "subject_kind", "subject_id", "kind", "cause_id", "effective_on", "recorded_at")
        if row is not None and following == expected and any(row[name] != last[name] for name in names):
            following = 0
    if following == expected or (row is None and expected == 1):
        return []
    walk.unfinished = None
    where = f"leaf {walk.next_leaf - 1 if row is not None else walk.next_leaf}"
    found = (
        "the end of the journal" if row is None else f"part {row['part']} of {row['parts']} of transaction {row['cause_id']}"
    )
    return [Deviation(DeviationCode.PART_MISSING, where, f"part {expected} of the transaction", found)]


def _transaction(walk: _Walk, row: Row, leaf: Leaf, cause: Cause | None) -> list[Deviation]:
    """Put the parts together; once the last one is here, check the whole and what it did to its subject."""
    index, subject = row["leaf_index"], (row["subject_kind"], row["subject_id"])
    if row["part"] == 1:
        walk.unfinished = Transaction(index, index, subject, row["kind"])
    transaction = walk.unfinished
    if transaction is None:  # a part is missing, which was told
        return []
    transaction.add(leaf)
    transaction.last_leaf = index
    if row["part"] < row["parts"]:
        return []
    walk.unfinished = None
    if transaction.takes_back():
        walk.subjects.took_back(row)
    found = check_transaction(transaction, None if cause is None else cause.entitlement)
    found += walk.suspense.check_moved(transaction)
    return found + _check_reserved(walk.accounts, transaction)


def _check_reserved(accounts: Accounts, transaction: Transaction) -> list[Deviation]:
    """Invariant 6, at its moment: the balances are those right after this transaction."""
    if not transaction.spends():
        return []
    units = sorted({transfer["unit"] for transfer in transaction.transfers if transfer["debit"]["purpose"] == "payable"})
    balances = {unit: accounts.credit_balance(*transaction.subject, "payable", unit) for unit in units}
    return [
        Deviation(
            DeviationCode.PAYABLE_OVERDRAWN,
            f"{transaction.where}: {':'.join(transaction.subject)}",
            f"payable of 0 {unit} or more after it",
            f"{balance} minor units",
        )
        for unit, balance in balances.items()
        if balance < 0
    ]


async def _transfers_before(walk: _Walk, index: int | None) -> list[Deviation]:
    """Transfers whose leaf was passed over, or with None all that are left: they belong to no leaf."""
    found = []
    while (row := walk.transfers.row) is not None and (index is None or row["leaf_index"] < index):
        where = f"leaf {row['leaf_index']}, transfer {row['number']}"
        found.append(Deviation(DeviationCode.TRANSFER_WITHOUT_LEAF, where, "a leaf", "none"))
        _enter(walk, row, found)
        await walk.transfers.advance()
    return found


async def _transfers_of(walk: _Walk, index: int, found: list[Deviation]) -> list[dict[str, Any]]:
    """The stored transfers of a leaf, as it should tell them. They are entered into the accounts."""
    stored: list[dict[str, Any]] = []
    while (row := walk.transfers.row) is not None and row["leaf_index"] == index:
        debit, credit = _enter(walk, row, found)
        if row["number"] != len(stored) + 1:
            where = f"leaf {index}, transfer {row['number']}"
            found.append(Deviation(DeviationCode.TRANSFER_CHANGED, where, f"number {len(stored) + 1}", f"{row['number']}"))
        told: dict[str, Any] = {
            "debit": {} if debit is None else debit.told,
            "credit": {} if credit is None else credit.told,
            "amount_minor": row["amount"],
            "unit": row["unit"],
        }
        if scope := {name: row[name] for name in SCOPE if row[name] is not None}:
            told["scope"] = scope
        stored.append(told)
        await walk.transfers.advance()
    return stored


def _enter(walk: _Walk, row: Row, found: list[Deviation]) -> tuple[Account | None, Account | None]:
    walk.checked.add("transfers")
    where = f"leaf {row['leaf_index']}, transfer {row['number']}"
    debit = walk.accounts.by_id.get(row["debit_account_id"])
    credit = walk.accounts.by_id.get(row["credit_account_id"])
    for side, account in (("debit", debit), ("credit", credit)):
        if account is None:
            expected = f"account {row[f'{side}_account_id']}"
            found.append(Deviation(DeviationCode.ACCOUNT_MISSING, where, expected, "no row in ledger.account"))
        elif account.unit != row["unit"]:
            found.append(Deviation(DeviationCode.TRANSFER_UNIT, where, f"{account}", f"{row['unit']}"))
    if debit is not None:
        debit.debits += row["amount"]
        debit.moved = True
    if credit is not None:
        credit.credits += row["amount"]
        credit.moved = True
    return debit, credit


def _check_transfers(index: int, leaf: Leaf, stored: list[dict[str, Any]]) -> list[Deviation]:
    told = leaf.get("transfers", [])
    if told == stored:
        return []
    if len(told) != len(stored):
        code = DeviationCode.TRANSFER_MISSING if len(told) > len(stored) else DeviationCode.TRANSFER_ADDED
        return [Deviation(code, f"leaf {index}", f"{len(told)} transfers", f"{len(stored)}")]
    return [
        Deviation(DeviationCode.TRANSFER_CHANGED, f"leaf {index}, transfer {number}", _text(expected), _text(found))
        for number, (expected, found) in enumerate(zip(told, stored, strict=True), start=1)
        if expected != found
    ]


def _text(transfer: dict[str, Any]) -> str:
    sides = [":".join(str(value) for value in transfer[side].values()) for side in ("debit", "credit")]
    scope = ", ".join(f"{name} {value}" for name, value in sorted(transfer.get("scope", {}).items()))
    return f"{transfer['amount_minor']} {transfer['unit']} {' to '.join(sides)} ({scope})"


async def _check_head(conn: Connection, walk: _Walk) -> list[Deviation]:
    head = await conn.fetchrow(HEAD)
    if head is None:
        return [Deviation(DeviationCode.TREE_SIZE_WRONG, "log head", f"{walk.next_leaf}", "no row in ledger.log_head")]
    found = []
    if head["tree_size"] != walk.next_leaf:
        found.append(Deviation(DeviationCode.TREE_SIZE_WRONG, "log head", f"{walk.next_leaf}", f"{head['tree_size']}"))
    if walk.recorded_at is not None and head["recorded_at"] < walk.recorded_at:
        expected = f"{walk.recorded_at} or later"
        found.append(Deviation(DeviationCode.LOG_HEAD_WRONG, "log head: recorded_at", expected, f"{head['recorded_at']}"))
    last_account_id = max(walk.accounts.by_id, default=0)
    if head["last_account_id"] < last_account_id:
        found.append(
            Deviation(
                DeviationCode.LOG_HEAD_WRONG,
                "log head: last_account_id",
                f"{last_account_id} or more",
                f"{head['last_account_id']}",
            )
        )
    return found
