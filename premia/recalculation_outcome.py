"""What the ledger made of a recalculation: lot by lot, and in money.

Method: by the ids of the entitlements that were agreed to, read by the reader's login. What a lot got is the entitlement of
that id, what it had the one that it replaced: both as the ledger stores them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from premia.party_outcome import PartyOutcome, changed_parts, parts_of, party_outcomes

if TYPE_CHECKING:
    from services.runtime.database import Connection

FETCH_ROWS: Final = 200
# A refused entitlement may have been delivered, and refused, more than once.
STATES: Final = """
    SELECT coalesce(e.detail, q.code) AS state
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::uuid[])
        AS lot (refiner_id, lot_id, revision, replaced, entitlement_id)
    LEFT JOIN ledger.entitlement AS e USING (refiner_id, lot_id, revision, entitlement_id)
    LEFT JOIN (SELECT entitlement_id, min(code) AS code FROM ledger.quarantine GROUP BY entitlement_id) AS q
        USING (entitlement_id)"""
POSTED: Final = """
    SELECT old.value AS replaced, e.value
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::uuid[])
        AS lot (refiner_id, lot_id, revision, replaced, entitlement_id)
    JOIN ledger.entitlement AS e USING (refiner_id, lot_id, revision, entitlement_id)
    JOIN ledger.entitlement AS old
        ON (old.refiner_id, old.lot_id, old.revision, old.calculation) = (e.refiner_id, e.lot_id, e.revision, lot.replaced)"""
ACCEPTED: Final = ("posted", "unchanged")


@dataclass(frozen=True, slots=True)
class LedgerStates:
    """How many lots the ledger accepted, refused (by code) and has not seen yet."""

    accepted: int
    refused: Mapping[str, int]
    waiting: int

    def in_words(self, *, left_out: int) -> str:
        """In a sentence. `left_out`: lots that were never published, of those that the ledger has not seen."""
        refused = "".join(f", refused {count:,} ({code})" for code, count in self.refused.items())
        on_their_way = self.waiting - left_out
        return f"The ledger accepted {self.accepted:,}{refused}" + (
            f", {on_their_way:,} on their way." if on_their_way else "."
        )

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {"accepted": self.accepted, "refused": self.refused}


async def ledger_states(conn: Connection, lots: Sequence[Mapping[str, Any]]) -> LedgerStates:
    """What became of these lots, which are as the calculator tells them."""
    states = Counter([row["state"] for row in await conn.fetch(STATES, *_columns(lots))])
    waiting = states.pop(None, 0)
    accepted = sum(states.pop(detail, 0) for detail in ACCEPTED)
    return LedgerStates(accepted, dict(sorted(states.items())), waiting)


async def posted_outcomes(conn: Connection, lots: Sequence[Mapping[str, Any]]) -> tuple[PartyOutcome, ...]:
    """What each organization had, and got, of the accepted lots in which its part changed. Needs an open SQL transaction."""
    return party_outcomes(
        [
            changed_parts(parts_of(orjson.loads(row["replaced"])), parts_of(orjson.loads(row["value"])))
            async for row in conn.cursor(POSTED, *_columns(lots), prefetch=FETCH_ROWS)
        ]
    )


def _columns(lots: Sequence[Mapping[str, Any]]) -> tuple[list[Any], ...]:
    return (
        [lot["refiner_id"] for lot in lots],
        [lot["lot_id"] for lot in lots],
        [lot["replaces"]["revision"] for lot in lots],
        [lot["replaces"]["calculation"] for lot in lots],
        [lot["entitlement_id"] for lot in lots],
    )
