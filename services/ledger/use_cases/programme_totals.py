"""What the programme did so far, counted from the ledger: the figures that summaries and reports show.

Goal: every published figure is a query that can be repeated. Nothing is added up anywhere else.
Method: lot heads tell each lot's latest stage, lot lines what is posted for it; `premia fsck` proves both from the bytes of
the entitlements.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from services.runtime.database import Connection

GOLD: Final = """
    SELECT count(*) AS lots,
        coalesce(sum(fine_weight_mg) FILTER (WHERE stage IN ('final', 'umpire')), 0)::bigint AS fine_gold_mg,
        coalesce(sum(fine_weight_mg) FILTER (WHERE stage = 'provisional'), 0)::bigint AS provisional_gold_mg,
        coalesce(sum(fine_weight_mg) FILTER (WHERE status = 'ineligible'), 0)::bigint AS ineligible_gold_mg,
        coalesce(sum(fine_weight_mg) FILTER (WHERE status = 'umpire_pending'), 0)::bigint AS umpire_pending_gold_mg
    FROM ledger.lot_head"""
STAGES: Final = "SELECT stage, count(*) AS lots FROM ledger.lot_head GROUP BY stage ORDER BY stage"
PREMIUMS: Final = """
    SELECT scheme_id, unit, sum(amount)::bigint AS amount FROM ledger.lot_line
    WHERE role <> 'source' GROUP BY scheme_id, unit ORDER BY scheme_id, unit"""
ORGANIZATIONS: Final = "SELECT count(DISTINCT organization_id) FROM ledger.lot_line WHERE role = 'source'"


@dataclass(frozen=True, slots=True)
class ProgrammeTotals:
    """Weights in milligrams of fine gold, premiums in minor units. Every lot counts by its latest revision."""

    lots: int
    lots_by_stage: Mapping[str, int]
    # Lots whose latest stage is final or umpire, eligible or not; provisional ones apart.
    fine_gold_mg: int
    provisional_gold_mg: int
    # Of all lots, whatever their stage.
    ineligible_gold_mg: int
    umpire_pending_gold_mg: int
    premiums_minor_by_currency: Mapping[str, int]
    premiums_minor_by_scheme: Mapping[tuple[str, str], int]
    organizations_with_gold: int


async def programme_totals(conn: Connection) -> ProgrammeTotals:
    """Count. Needs the reader's role only; use one snapshot to have all figures as of one moment."""
    gold = await conn.fetchrow(GOLD)
    assert gold is not None, "an aggregate always has a row"
    by_scheme = {(row["scheme_id"], row["unit"]): row["amount"] for row in await conn.fetch(PREMIUMS)}
    by_currency: dict[str, int] = {}
    for (_, unit), amount in by_scheme.items():
        by_currency[unit] = by_currency.get(unit, 0) + amount
    return ProgrammeTotals(
        lots=gold["lots"],
        lots_by_stage={row["stage"]: row["lots"] for row in await conn.fetch(STAGES)},
        fine_gold_mg=gold["fine_gold_mg"],
        provisional_gold_mg=gold["provisional_gold_mg"],
        ineligible_gold_mg=gold["ineligible_gold_mg"],
        umpire_pending_gold_mg=gold["umpire_pending_gold_mg"],
        premiums_minor_by_currency=by_currency,
        premiums_minor_by_scheme=by_scheme,
        organizations_with_gold=await conn.fetchval(ORGANIZATIONS),
    )
