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
from services.ledger.use_cases.programme_totals import programme_totals
from services.ledger.use_cases.trial_balance import trial_balance

if TYPE_CHECKING:
    from premia.demo.drive import Outcomes
    from services.runtime.database import Connection

MONEY: Final = """
    SELECT coalesce(sum(t.amount) FILTER (WHERE j.kind = 'settled'), 0)::bigint AS settled_minor,
           coalesce(sum(t.amount) FILTER (WHERE j.kind = 'returned'), 0)::bigint AS returned_minor,
           count(DISTINCT j.leaf_index) FILTER (WHERE j.kind = 'returned') AS returned
    FROM ledger.transfer AS t JOIN ledger.journal AS j USING (leaf_index) WHERE t.unit = 'USD'"""
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
    returned: Decimal
    payments_returned: int
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
    totals = await programme_totals(conn)
    moved = await conn.fetchrow(MONEY)
    assert moved is not None, "sums over no rows are a row"
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
        lots=totals.lots,
        fine_weight_g=Decimal(totals.fine_gold_mg) / 1000,
        provisional_g=Decimal(totals.provisional_gold_mg) / 1000,
        accrued=Decimal(totals.premiums_minor_by_currency.get("USD", 0)) / 100,
        transferred=Decimal(moved["settled_minor"] - moved["returned_minor"]) / 100,
        returned=Decimal(moved["returned_minor"]) / 100,
        payments_returned=moved["returned"],
        in_transit=Decimal(money.get("in_transit", "0")),
        carried_over={code: Decimal(amount) for code, amount in money.get("carried_over", {}).items()},
        held={code: Decimal(amount) for code, amount in money.get("held", {}).items()},
        producers_supported=len(supported),
        producers_exported=totals.organizations_with_gold,
        beneficiaries=sum(organization.beneficiaries or 0 for organization in supported),
        countries=tuple(sorted({organization.country for organization in supported})),
        unbalanced={unit: difference for unit, difference in (await trial_balance(conn)).items() if difference},
        transactions=await conn.fetchval(TRANSACTIONS),
        statements=summary["statements"],
    )
