"""Ledger, invariants 1 and 2: units sum to zero, balances are the sums of transfers, transfers are what the leaves say.

Goal: whatever was changed behind the ledger's back, in whichever of the tables, shows as a difference to another.
Method: the leaves are the bytes that were published, so they are what everything else is held against. Leaves and transfers
are read side by side in order of leaf index; sums are made by PostgreSQL and only what differs comes back. All in one
snapshot and in memory for a few thousand rows, however large the ledger is.
Source: design, sections 6 and 9.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from premia.fsck.deviation import Checked, Deviation

if TYPE_CHECKING:
    from asyncpg import Record

    from services.runtime.database import Connection

FETCH_ROWS: Final = 1_000  # leaves have 2 KB on average and 60 KB at most: 2 MB in memory, 60 MB at worst.

LEAVES: Final = """
    SELECT leaf_index, transaction_id::text, subject_kind, subject_id, subject_number, kind, part, parts,
        effective_on::text, recorded_at, cause_id::text, leaf
    FROM ledger.journal ORDER BY leaf_index"""
TRANSFERS: Final = """
    SELECT t.leaf_index, t.number, t.amount, t.unit,
        d.owner_kind AS debit_kind, d.owner_id AS debit_id, d.purpose AS debit_purpose, d.unit AS debit_unit,
        c.owner_kind AS credit_kind, c.owner_id AS credit_id, c.purpose AS credit_purpose, c.unit AS credit_unit,
        t.refiner_id, t.lot_id, t.revision, t.stage, t.scheme_id, t.payer_id, t.role
    FROM ledger.transfer AS t
    LEFT JOIN ledger.account AS d ON d.account_id = t.debit_account_id
    LEFT JOIN ledger.account AS c ON c.account_id = t.credit_account_id
    ORDER BY t.leaf_index, t.number"""
UNITS: Final = """
    SELECT a.unit, sum(b.debits)::text AS debits, sum(b.credits)::text AS credits
    FROM ledger.balance AS b JOIN ledger.account AS a USING (account_id) GROUP BY a.unit ORDER BY a.unit"""
WRONG_BALANCES: Final = """
    WITH side AS (
        SELECT debit_account_id AS account_id, amount AS debit, 0::bigint AS credit FROM ledger.transfer
        UNION ALL SELECT credit_account_id, 0, amount FROM ledger.transfer),
    total AS (SELECT account_id, sum(debit) AS debits, sum(credit) AS credits FROM side GROUP BY account_id)
    SELECT account_id, a.owner_kind, a.owner_id, a.purpose, a.unit, coalesce(total.debits, 0)::text AS debits,
        coalesce(total.credits, 0)::text AS credits, b.debits::text AS kept_debits, b.credits::text AS kept_credits
    FROM total FULL JOIN ledger.balance AS b USING (account_id) LEFT JOIN ledger.account AS a USING (account_id)
    WHERE b.debits IS DISTINCT FROM coalesce(total.debits, 0) OR b.credits IS DISTINCT FROM coalesce(total.credits, 0)
        OR a.account_id IS NULL
    ORDER BY account_id"""
WRONG_SUBJECTS: Final = """
    WITH told AS (
        SELECT subject_kind AS kind, subject_id AS id, count(*) AS numbers, min(subject_number) AS first_number,
            max(subject_number) AS last_number FROM ledger.journal GROUP BY subject_kind, subject_id)
    SELECT kind, id, told.numbers, told.first_number, told.last_number, s.last_number AS kept_number
    FROM told FULL JOIN ledger.subject AS s USING (kind, id)
    WHERE told.first_number IS DISTINCT FROM 1 OR told.last_number <> told.numbers
        OR s.last_number IS DISTINCT FROM told.last_number
    ORDER BY kind, id"""
HEAD: Final = "SELECT tree_size, recorded_at FROM ledger.log_head"
SCOPE: Final = ("refiner_id", "lot_id", "revision", "stage", "scheme_id", "payer_id", "role")


async def check_journal(conn: Connection, checked: Checked) -> AsyncIterator[Deviation]:
    """Yield what is wrong with units, balances, subjects, transfers and leaves."""
    for row in await conn.fetch(UNITS):
        checked.add("units")
        if row["debits"] != row["credits"]:
            yield Deviation(
                1, "UNIT_NOT_ZERO", row["unit"], f"debits are {row['debits']}, credits {row['credits']} minor units"
            )
    async for row in conn.cursor(WRONG_BALANCES, prefetch=FETCH_ROWS):
        yield _wrong_balance(row)
    async for row in conn.cursor(WRONG_SUBJECTS, prefetch=FETCH_ROWS):
        yield _wrong_subject(row)
    async for deviation in _leaves_against_transfers(conn, checked):
        yield deviation


def _wrong_balance(row: Record) -> Deviation:
    if row["owner_kind"] is None:
        return Deviation(2, "ACCOUNT_MISSING", f"account {row['account_id']}", "has transfers or a balance, but no row")
    place = f"{row['owner_kind']}:{row['owner_id']}:{row['purpose']}:{row['unit']}"
    if row["kept_debits"] is None:
        return Deviation(2, "BALANCE_MISSING", place, "has transfers, but no balance")
    return Deviation(
        2,
        "BALANCE_WRONG",
        place,
        f"kept: debits {row['kept_debits']}, credits {row['kept_credits']};"
        f" sums of transfers: debits {row['debits']}, credits {row['credits']}",
    )


def _wrong_subject(row: Record) -> Deviation:
    place = f"{row['kind']}:{row['id']}"
    if row["numbers"] is None:
        return Deviation(2, "SUBJECT_WRONG", place, f"is counted to {row['kept_number']}, but has no transaction")
    if row["first_number"] != 1 or row["last_number"] != row["numbers"]:
        return Deviation(
            2,
            "SUBJECT_NUMBER_SKIPPED",
            place,
            f"has {row['numbers']} transactions, numbered from {row['first_number']} to {row['last_number']}",
        )
    return Deviation(2, "SUBJECT_WRONG", place, f"is counted to {row['kept_number']}, has {row['last_number']} transactions")


async def _leaves_against_transfers(conn: Connection, checked: Checked) -> AsyncIterator[Deviation]:
    transfers = aiter(conn.cursor(TRANSFERS, prefetch=FETCH_ROWS))
    transfer = await anext(transfers, None)
    expected_index = 0
    recorded_at: datetime | None = None
    async for row in conn.cursor(LEAVES, prefetch=FETCH_ROWS):
        checked.add("leaves")
        index = row["leaf_index"]
        if index != expected_index:
            yield Deviation(2, "LEAF_MISSING", f"leaf {expected_index}", f"the next one that is there is {index}")
        expected_index = index + 1
        if recorded_at is not None and row["recorded_at"] < recorded_at:
            yield Deviation(2, "LEAF_OUT_OF_TIME", f"leaf {index}", "was recorded before the one before it")
        recorded_at = row["recorded_at"]
        stored: list[dict[str, Any]] = []
        while transfer is not None and transfer["leaf_index"] <= index:
            checked.add("transfers")
            if transfer["leaf_index"] < index:
                yield _orphan(transfer)
            else:
                if transfer["debit_unit"] != transfer["unit"] or transfer["credit_unit"] != transfer["unit"]:
                    place = f"leaf {index}, transfer {transfer['number']}"
                    yield Deviation(1, "TRANSFER_UNIT", place, f"is in {transfer['unit']}, its accounts are not")
                stored.append(_as_in_leaf(transfer))
            transfer = await anext(transfers, None)
        for deviation in _leaf_against_rows(row, stored):
            yield deviation
    while transfer is not None:
        checked.add("transfers")
        yield _orphan(transfer)
        transfer = await anext(transfers, None)
    head = await conn.fetchrow(HEAD)
    if head is None or head["tree_size"] != expected_index:
        kept = "no row" if head is None else str(head["tree_size"])
        yield Deviation(2, "TREE_SIZE_WRONG", "log head", f"kept: {kept}; leaves run to {expected_index}")


def _orphan(transfer: Record) -> Deviation:
    place = f"leaf {transfer['leaf_index']}, transfer {transfer['number']}"
    return Deviation(2, "TRANSFER_WITHOUT_LEAF", place, "belongs to no leaf")


def _leaf_against_rows(row: Record, stored: list[dict[str, Any]]) -> list[Deviation]:
    place = f"leaf {row['leaf_index']}"
    try:
        leaf = orjson.loads(row["leaf"])
        told = {
            "leaf_index": leaf["leaf_index"],
            "transaction_id": leaf["transaction_id"],
            "subject_kind": leaf["subject"]["kind"],
            "subject_id": leaf["subject"]["id"],
            "subject_number": leaf["subject_number"],
            "kind": leaf["kind"],
            "part": leaf["part"],
            "parts": leaf["parts"],
            "effective_on": leaf["effective_on"],
            "recorded_at": datetime.fromisoformat(leaf["recorded_at"]),
            "cause_id": leaf["cause"]["entitlement_id" if leaf["cause"]["kind"] == "entitlement" else "command_id"],
        }
        transfers = leaf.get("transfers", [])
    except (ValueError, KeyError, TypeError) as error:
        return [Deviation(2, "LEAF_UNREADABLE", place, f"cannot be read: {error!r}")]
    deviations = [
        Deviation(2, "LEAF_NOT_ITS_ROW", place, f"says {name} is {value}, its row says {row[name]}")
        for name, value in told.items()
        if value != row[name]
    ]
    if len(transfers) != len(stored):
        message = f"says {len(transfers)} transfers, {len(stored)} are stored"
        deviations.append(
            Deviation(2, "TRANSFER_MISSING" if len(transfers) > len(stored) else "TRANSFER_ADDED", place, message)
        )
    elif transfers != stored:
        number = next(number for number, (a, b) in enumerate(zip(transfers, stored, strict=True), start=1) if a != b)
        said, found = _text(transfers[number - 1]), _text(stored[number - 1])
        deviations.append(
            Deviation(2, "TRANSFER_CHANGED", f"{place}, transfer {number}", f"the leaf says {said}, the table {found}")
        )
    return deviations


def _as_in_leaf(transfer: Record) -> dict[str, Any]:
    told: dict[str, Any] = {
        side: {
            "owner_kind": transfer[f"{side}_kind"],
            "owner_id": transfer[f"{side}_id"],
            "purpose": transfer[f"{side}_purpose"],
        }
        for side in ("debit", "credit")
    }
    told |= {"amount_minor": transfer["amount"], "unit": transfer["unit"]}
    if scope := {name: transfer[name] for name in SCOPE if transfer[name] is not None}:
        told["scope"] = scope
    return told


def _text(transfer: dict[str, Any]) -> str:
    sides = [
        ":".join(str(transfer[side][name]) for name in ("owner_kind", "owner_id", "purpose")) for side in ("debit", "credit")
    ]
    scope = ", ".join(f"{name} {value}" for name, value in sorted(transfer.get("scope", {}).items()))
    return f"{transfer['amount_minor']} {transfer['unit']} {' to '.join(sides)} ({scope})"
