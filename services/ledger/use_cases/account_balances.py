"""Balances of accounts, debit positive."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from services.runtime.database import Connection

FETCH_ROWS: Final = 1_000  # a programme has some thousand accounts; they pass through, whatever their number
BALANCES: Final = """
    SELECT a.owner_kind, a.owner_id, a.purpose, a.unit, b.debits, b.credits
    FROM ledger.account AS a JOIN ledger.balance AS b USING (account_id)
    WHERE $1::text[] IS NULL OR a.owner_id = ANY ($1)
    ORDER BY a.owner_kind, a.owner_id, a.purpose, a.unit"""


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """One account. `balance` is debits less credits, in minor units or milligrams of fine gold."""

    owner_kind: str
    owner_id: str
    purpose: str
    unit: str
    debits: int
    credits: int

    @property
    def balance(self) -> int:
        """Debit positive."""
        return self.debits - self.credits

    @property
    def name(self) -> str:
        """The text form of the account, for display."""
        return f"{self.owner_kind}:{self.owner_id}:{self.purpose}:{self.unit}"


async def account_balances(conn: Connection, owners: Sequence[str] = ()) -> AsyncIterator[AccountBalance]:
    """All accounts, or those of some owners, in order of their names. Needs an open transaction."""
    async for row in conn.cursor(BALANCES, list(owners) or None, prefetch=FETCH_ROWS):
        yield AccountBalance(*row)
