"""Accounts, and what their transfers add up to: invariants 1 and 2.

Goal: a balance that was changed, lost or added is named.
Method: accounts are few (thousands, where transfers are millions), so all are in memory, 300 bytes each. Sums are made while
the journal is read in order, so that a balance is known as of every leaf.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

from premia.fsck.deviation import Checked, Deviation, DeviationCode
from premia.fsck.streams import Connection, open_stream

PAGE_ROWS: Final = 5_000  # small rows: half a megabyte
ACCOUNTS: Final = "SELECT account_id, owner_kind, owner_id, purpose, unit FROM ledger.account ORDER BY account_id"
BALANCES: Final = "SELECT account_id, debits, credits FROM ledger.balance ORDER BY account_id"


@dataclass(slots=True)
class Account:
    """One account with the sums of the transfers read so far. `told` is how leaves name it."""

    unit: str
    told: dict[str, str]
    debits: int = 0
    credits: int = 0
    moved: bool = False

    def __str__(self) -> str:
        return f"{self.told['owner_kind']}:{self.told['owner_id']}:{self.told['purpose']}:{self.unit}"


@dataclass(slots=True)
class Accounts:
    """All accounts, by id and by what they are."""

    by_id: dict[int, Account] = field(default_factory=dict)
    by_name: dict[tuple[str, str, str, str], Account] = field(default_factory=dict)

    def credit_balance(self, owner_kind: str, owner_id: str, purpose: str, unit: str) -> int:
        """Credits less debits of the transfers read so far; 0 where there is no such account."""
        account = self.by_name.get((owner_kind, owner_id, purpose, unit))
        return 0 if account is None else account.credits - account.debits


async def read_accounts(conn: Connection, checked: Checked) -> Accounts:
    """All accounts, with nothing on them yet."""
    accounts = Accounts()
    rows = await open_stream(conn, ACCOUNTS, page_rows=PAGE_ROWS)
    while (row := rows.row) is not None:
        key = (row["owner_kind"], row["owner_id"], row["purpose"])
        account = Account(row["unit"], dict(zip(("owner_kind", "owner_id", "purpose"), key, strict=True)))
        accounts.by_id[row["account_id"]] = accounts.by_name[*key, row["unit"]] = account
        checked.add("accounts")
        await rows.advance()
    return accounts


async def check_balances(conn: Connection, accounts: Accounts) -> AsyncIterator[Deviation]:
    """Yield where the kept balances differ from the sums, once all transfers were read."""
    by_unit: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    kept: set[int] = set()
    rows = await open_stream(conn, BALANCES, page_rows=PAGE_ROWS)
    while (row := rows.row) is not None:
        account = accounts.by_id.get(row["account_id"])
        kept.add(row["account_id"])
        if account is None:
            where = f"account {row['account_id']}"
            yield Deviation(DeviationCode.ACCOUNT_MISSING, where, "a row in ledger.account", "a balance only")
        else:
            by_unit[account.unit][0] += row["debits"]
            by_unit[account.unit][1] += row["credits"]
            if (row["debits"], row["credits"]) != (account.debits, account.credits):
                yield Deviation(
                    DeviationCode.BALANCE_WRONG,
                    str(account),
                    _sides(account),
                    f"{row['debits']} debit, {row['credits']} credit",
                )
        await rows.advance()
    for account_id, account in accounts.by_id.items():
        if account_id not in kept and account.moved:
            yield Deviation(DeviationCode.BALANCE_MISSING, str(account), _sides(account), "no row in ledger.balance")
    for unit, (debits, credits_) in sorted(by_unit.items()):
        if debits != credits_:
            yield Deviation(DeviationCode.UNIT_NOT_ZERO, unit, f"credits as debits: {debits}", f"{credits_}")


def _sides(account: Account) -> str:
    return f"{account.debits} debit, {account.credits} credit"
