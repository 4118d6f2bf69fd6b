"""What the demo shows at its end, computed from what the services hold.

Goal: no figure of the summary stands in the code; each is a query that can be repeated.
Method: weights, premiums and transfers from the ledger by the reader's login; what waits or is held from payout; what the
programme declares (mines, beneficiaries) from the registry that was applied.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from schemas.registry_snapshot import LoadedRegistry

if TYPE_CHECKING:
    from premia.demo.drive import Outcomes
    from services.runtime.database import Connection

GOLD: Final = """
    SELECT count(*) AS lots, coalesce(sum(fine_weight_mg) FILTER (WHERE stage IN ('final', 'umpire')), 0)::bigint AS fine_mg,
        coalesce(sum(fine_weight_mg) FILTER (WHERE stage = 'provisional'), 0)::bigint AS provisional_mg
    FROM ledger.lot_head"""
EXPORTED: Final = "SELECT count(DISTINCT organization_id) FROM ledger.lot_line WHERE role = 'source'"
MONEY: Final = """
    SELECT coalesce(sum(t.amount) FILTER (WHERE j.kind = 'settled'), 0)::bigint
         - coalesce(sum(t.amount) FILTER (WHERE j.kind = 'returned'), 0)::bigint AS transferred_minor
    FROM ledger.transfer AS t JOIN ledger.journal AS j USING (leaf_index) WHERE t.unit = 'USD'"""
ACCRUED: Final = "SELECT coalesce(sum(amount), 0)::bigint FROM ledger.lot_line WHERE unit = 'USD'"
TRIAL_BALANCE: Final = """
    SELECT a.unit, sum(b.debits - b.credits)::bigint AS difference FROM ledger.balance AS b JOIN ledger.account AS a
    USING (account_id) GROUP BY a.unit ORDER BY a.unit"""
TRANSACTIONS: Final = "SELECT tree_size FROM ledger.log_head"


@dataclass(frozen=True, slots=True)
class Facts:
    """Figures of a settled programme. Money in USD, weights in grams."""

    events: int
    duplicates: int
    rejected: Counter[str]
    lots: int
    fine_weight_g: Decimal
    provisional_g: Decimal
    accrued: Decimal
    transferred: Decimal
    in_transit: Decimal
    carried_over: Mapping[str, Decimal]
    held: Mapping[str, Decimal]
    producers_supported: int
    producers_exported: int
    beneficiaries: int
    countries: tuple[str, ...]
    unbalanced: Mapping[str, int]
    transactions: int
    statements: int


async def read_facts(conn: Connection, outcomes: Outcomes, summary: Mapping[str, Any], registry: LoadedRegistry) -> Facts:
    """Gather all figures; `summary` is payout's own."""
    gold = await conn.fetchrow(GOLD)
    assert gold is not None, "an aggregate always has a row"
    money = summary["currencies"].get("USD", {})
    supported = [
        organization
        for organization in registry.snapshot.organizations.values()
        if organization.kind == "producer" and organization.support_periods
    ]
    return Facts(
        events=len(outcomes.by_origin),
        duplicates=outcomes.count("duplicate"),
        rejected=Counter(outcomes.rejected.values()),
        lots=gold["lots"],
        fine_weight_g=Decimal(gold["fine_mg"]) / 1000,
        provisional_g=Decimal(gold["provisional_mg"]) / 1000,
        accrued=Decimal(await conn.fetchval(ACCRUED)) / 100,
        transferred=Decimal(await conn.fetchval(MONEY)) / 100,
        in_transit=Decimal(money.get("in_transit", "0")),
        carried_over={code: Decimal(amount) for code, amount in money.get("carried_over", {}).items()},
        held={code: Decimal(amount) for code, amount in money.get("held", {}).items()},
        producers_supported=len(supported),
        producers_exported=await conn.fetchval(EXPORTED),
        beneficiaries=sum(organization.beneficiaries or 0 for organization in supported),
        countries=tuple(sorted({organization.country for organization in supported})),
        unbalanced={row["unit"]: row["difference"] for row in await conn.fetch(TRIAL_BALANCE) if row["difference"]},
        transactions=await conn.fetchval(TRANSACTIONS),
        statements=summary["statements"],
    )
