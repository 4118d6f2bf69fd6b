"""What a registry would change in the past: every lot whose latest entitlement it would calculate otherwise.

Goal: `premia recalculate`, `premia registry apply` and `diff` tell the same lots, by the very calculation that pays.
Method: each lot head of the ledger that is of another registry version is calculated again from its sale's own record (by
origin) and compared with its stored entitlement. It changes if anything that the entitlement says would be otherwise, but for
its own name and the explanation. A head that would come out the same stays as it is, on the older version (docs/adr/0011).
Refuses: nothing; a lot that cannot be calculated again is named with its code and left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import orjson

from premia.party_outcome import Parts, PartyOutcome, changed_parts, parts_of, party_outcomes, totals_of
from schemas.canonical_json import payload_hash_of_checked
from schemas.dead_letter import Origin
from schemas.entitlement import Replaced
from schemas.recalculation import LotToRecalculate
from schemas.topics import SALES
from services.premium_calculator.adapters.sale_decision import Rejected, SaleRecord, recalculate
from services.premium_calculator.domain.registry import Registry
from services.premium_calculator.errors import LotRefusal

if TYPE_CHECKING:
    from asyncpg import Record

    from services.runtime.database import Connection

FETCH_ROWS: Final = 500  # an entitlement of 200 sources has 100 KB: 50 MB in memory at worst.
HEADS: Final = """
    SELECT refiner_id, lot_id, revision, calculation, e.origin, e.effective_on, e.value
    FROM ledger.lot_head AS h JOIN ledger.entitlement AS e USING (refiner_id, lot_id, revision, calculation)
    WHERE h.registry_version <> $1"""
# Every calculation has another name; the explanation is told of, and pays nothing.
UNCOMPARED: Final = frozenset({"entitlement_id", "calculation", "cause", "replaces", "registry_version", "explanation"})


@dataclass(frozen=True, slots=True)
class LotHead:
    """What counts of a lot now. `said`: a hash of all that is compared; `sale`: which sale it is from, with its day."""

    refiner_id: str
    lot_id: str
    replaces: Replaced
    origin: Origin
    sale: tuple[str, str, str, date]
    said: str
    parts: Parts

    @property
    def name(self) -> str:
        """refiner/lot."""
        return f"{self.refiner_id}/{self.lot_id}"


@dataclass(frozen=True, slots=True)
class LotChange:
    """A lot that would be calculated otherwise."""

    head: LotHead
    entitlement_id: UUID
    said: str
    parts: Parts

    @property
    def outcomes(self) -> tuple[PartyOutcome, ...]:
        """What each organization whose part changes gets of this lot now and would get."""
        return party_outcomes([changed_parts(self.head.parts, self.parts)])

    @property
    def totals(self) -> tuple[PartyOutcome, ...]:
        """The whole lot, one sum a currency."""
        return totals_of(party_outcomes([(self.head.parts, self.parts)]), 1)

    def to_recalculate(self) -> LotToRecalculate:
        """As a recalculation names it."""
        head = self.head
        return LotToRecalculate(
            refiner_id=head.refiner_id,
            lot_id=head.lot_id,
            replaces=head.replaces,
            origin=str(head.origin),
            entitlement_id=self.entitlement_id,
        )


@dataclass(frozen=True, slots=True)
class LotRejected:
    """A lot that cannot be calculated again: why, and which field."""

    head: LotHead
    code: str
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class PastChanges:
    """What one registry would change. `compared`: lots that are of another version."""

    registry_version: str
    compared: int
    changes: tuple[LotChange, ...] = ()
    rejected: tuple[LotRejected, ...] = ()

    def __bool__(self) -> bool:
        """Whether any lot is concerned."""
        return bool(self.changes or self.rejected)

    def parties(self) -> tuple[PartyOutcome, ...]:
        """What each organization gets now and would get of the lots in which its part changes."""
        return party_outcomes(changed_parts(change.head.parts, change.parts) for change in self.changes)

    def totals(self) -> tuple[PartyOutcome, ...]:
        """The sum of these, one a currency."""
        return totals_of(self.parties(), len(self.changes))

    def without(self, other: PastChanges) -> PastChanges:
        """Those that `other` does not change in the same way."""
        said = {change.head.name: change.said for change in other.changes}
        codes = {lot.head.name: lot.code for lot in other.rejected}
        return PastChanges(
            self.registry_version,
            self.compared,
            tuple(change for change in self.changes if said.get(change.head.name) != change.said),
            tuple(lot for lot in self.rejected if codes.get(lot.head.name) != lot.code),
        )


async def past_changes(conn: Connection, servers: str, registry: Registry) -> PastChanges:
    """Compare all lots; in the order of refiner and lot. Raises services.runtime.topic_log.TopicMissingError."""
    heads: dict[Origin, LotHead] = {}
    async for row in conn.cursor(HEADS, registry.version, prefetch=FETCH_ROWS):
        head = head_of(row)
        heads[head.origin] = head
    compared = len(heads)
    changes: list[LotChange] = []
    rejected: list[LotRejected] = []
    if heads:
        from services.premium_calculator.header_names import mend_header_names  # noqa: PLC0415  takes longer to import than a command's help may
        from services.runtime.topic_log import open_log  # noqa: PLC0415

        mend_header_names()  # refiners write this topic
        async with open_log(SALES, servers=servers) as sales:
            async for records in sales.at(heads):
                for record in records:
                    head = heads.pop(Origin(record.topic, record.partition, record.offset))
                    changed = change_of(head, SaleRecord(record.key, record.value, record.headers), registry)
                    if isinstance(changed, LotChange):
                        changes.append(changed)
                    elif isinstance(changed, LotRejected):
                        rejected.append(changed)
    rejected += [_sale_missing(head) for head in heads.values()]
    return PastChanges(
        registry.version,
        compared,
        tuple(sorted(changes, key=lambda change: (change.head.refiner_id, change.head.lot_id))),
        tuple(sorted(rejected, key=lambda lot: (lot.head.refiner_id, lot.head.lot_id))),
    )


def change_of(head: LotHead, record: SaleRecord, registry: Registry) -> LotChange | LotRejected | None:
    """What the registry would change of one lot, or None. Pure."""
    calculated = recalculate(record, registry, head.replaces)
    if isinstance(calculated, Rejected):
        return LotRejected(head, calculated.code.value, calculated.field, calculated.message)
    entitlement = orjson.loads(calculated.value)
    if _sale(entitlement, calculated.sale.time.date()) != head.sale:
        return _sale_missing(head)
    said = _said(entitlement)
    if said == head.said:
        return None
    return LotChange(head, calculated.entitlement_id, said, parts_of(entitlement))


def head_of(row: Record | Mapping[str, Any]) -> LotHead:
    """A row of HEADS."""
    entitlement = orjson.loads(row["value"])
    return LotHead(
        row["refiner_id"],
        row["lot_id"],
        Replaced(revision=row["revision"], calculation=row["calculation"]),
        Origin.parse(row["origin"]),
        _sale(entitlement, row["effective_on"]),
        _said(entitlement),
        parts_of(entitlement),
    )


def _sale(entitlement: Mapping[str, Any], day: date) -> tuple[str, str, str, date]:
    sale = entitlement["sale"]
    return sale["source"], sale["id"], sale["hash"], day


def _said(entitlement: Mapping[str, Any]) -> str:
    return payload_hash_of_checked({name: value for name, value in entitlement.items() if name not in UNCOMPARED})


def _sale_missing(head: LotHead) -> LotRejected:
    message = f"its sale {head.sale[1]} is not the record at {head.origin}"
    return LotRejected(head, LotRefusal.SALE_MISSING.value, "origin", message)
