"""Trial balance: debits less credits of all accounts, by unit. Anything but zero is a defect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from services.runtime.database import Connection

TRIAL_BALANCE: Final = """
    SELECT a.unit, sum(b.debits) - sum(b.credits) AS difference
    FROM ledger.balance AS b JOIN ledger.account AS a USING (account_id) GROUP BY a.unit ORDER BY a.unit"""


async def trial_balance(conn: Connection) -> dict[str, int]:
    """The difference in minor units (milligrams of fine gold) for each unit that has an account."""
    return {row["unit"]: int(row["difference"]) for row in await conn.fetch(TRIAL_BALANCE)}
