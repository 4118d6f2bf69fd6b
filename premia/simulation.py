"""What recorded sales would have earned under other terms.

Goal: a committee sees who would get more or less before it agrees to anything, by the very calculation that will pay.
Method: the latest accepted revision of each lot sold in the days asked for is calculated twice by the worker's own function:
under the registry as it is, and under the same registry with the proposed version in the place of every version of its scheme.
Amounts are whole minor units. All schemes of a lot count, because a scheme's limits also rule the lot's fineness.
Refuses: nothing; a lot that the proposed terms would reject is named and left out of both sums.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta

import orjson

from premia.party_outcome import Parts, PartyOutcome, parts_of, party_outcomes, totals_of
from schemas.contract import FieldFault
from schemas.gold_sale import parse_sale
from schemas.registry_snapshot import RegistrySnapshot, registry_snapshot
from schemas.scheme import Scheme
from services.premium_calculator.adapters.calculating_registry import calculating_registry
from services.premium_calculator.adapters.sale_decision import preview
from services.premium_calculator.domain.calculate import Rejection
from services.premium_calculator.domain.registry import Registry


@dataclass(frozen=True, slots=True)
class RecordedSale:
    """A sale as it was published, and the UTC day of its publication."""

    value: bytes
    published_on: date


@dataclass(frozen=True, slots=True)
class NotCalculated:
    """A lot that the proposed terms would reject."""

    refiner_id: str
    lot_id: str
    code: str
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Simulation:
    """The outcome: who gets most more first."""

    lots: int
    parties: tuple[PartyOutcome, ...]
    not_calculated: tuple[NotCalculated, ...]

    def totals(self) -> tuple[PartyOutcome, ...]:
        """One sum a currency. Its `lots` are all that were calculated."""
        return totals_of(self.parties, self.lots)


class LatestSales:
    """The latest accepted revision of each lot: of one revision the first that came stands, as in the ledger."""

    def __init__(self, registry: Registry) -> None:
        """Accept what `registry` accepts."""
        self._registry = registry
        self._latest: dict[tuple[str, str], tuple[int, date, RecordedSale]] = {}

    def take(self, sale: RecordedSale) -> None:
        """Take the next sale, in the order of publication."""
        parsed = parse_sale(sale.value)
        if isinstance(parsed, FieldFault):
            return
        revision = parsed.sale
        key = (revision.refiner_id, revision.lot_id)
        known = self._latest.get(key)
        if known is not None and known[0] >= revision.revision:
            return
        if not isinstance(preview(sale.value, self._registry, sale.published_on), Rejection):
            self._latest[key] = (revision.revision, revision.sold_on, sale)

    def sold_within(self, first: date, last: date) -> list[RecordedSale]:
        """The sales of lots sold from `first` to `last`, both included, in the order of their ids."""
        return [sale for _, (_, sold_on, sale) in sorted(self._latest.items()) if first <= sold_on <= last]


def with_proposed(snapshot: RegistrySnapshot, proposed: Scheme, first: date, last: date) -> Registry:
    """The registry with `proposed` in force from `first` to `last` in the place of all versions of its scheme.

    The days that the proposal itself names do not matter: it is tried on these.
    """
    registry = calculating_registry(snapshot)
    (version,) = calculating_registry(registry_snapshot(None, {}, {proposed.record_id: proposed})).schemes[proposed.id]
    in_force = replace(version, starts_on=first, ends_before=last + timedelta(days=1))
    return replace(registry, schemes={**registry.schemes, proposed.id: (in_force,)})


def simulate(sales: Iterable[RecordedSale], now: Registry, proposed: Registry) -> Simulation:
    """Calculate every sale twice."""
    lots: list[tuple[Parts, Parts]] = []
    not_calculated: list[NotCalculated] = []
    for sale in sales:
        before = preview(sale.value, now, sale.published_on)
        assert not isinstance(before, Rejection), "only accepted sales are simulated"
        after = preview(sale.value, proposed, sale.published_on)
        lot = orjson.loads(before)
        if isinstance(after, Rejection):
            not_calculated.append(NotCalculated(lot["refiner_id"], lot["lot_id"], after.code, after.field, after.message))
        else:
            lots.append((parts_of(lot), parts_of(orjson.loads(after))))
    return Simulation(len(lots), party_outcomes(lots), tuple(not_calculated))
