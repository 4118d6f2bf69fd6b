"""What organizations and funds get now and would get: summed up over lots, as figures of a table and as JSON.

Goal: a simulation and a recalculation tell who gets more or less in the same way, to the last minor unit.
Method: amounts are read from entitlements' bytes, whole minor units by organization and currency.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from premia.amounts import grouped, plain

Parts: TypeAlias = Mapping[tuple[str, str], int]  # (organization, currency) -> minor units


@dataclass(frozen=True, slots=True)
class PartyOutcome:
    """What one organization or fund gets in one currency, in minor units; `lots` it has a part in, now or then."""

    organization_id: str
    currency: str
    lots: int
    now_minor: int
    proposed_minor: int

    @property
    def difference_minor(self) -> int:
        """Above zero: it would get more."""
        return self.proposed_minor - self.now_minor

    def figures(self) -> list[str]:
        """Currency, now, proposed and signed difference, as a table has them."""
        difference = grouped(self.difference_minor, self.currency)
        return [
            self.currency,
            grouped(self.now_minor, self.currency),
            grouped(self.proposed_minor, self.currency),
            f"+{difference}" if self.difference_minor > 0 else difference,
        ]

    @property
    def percent(self) -> str:
        """The difference in percent of what it gets now; empty where that is nothing."""
        if not self.now_minor:
            return ""
        percent = (Decimal(self.difference_minor) * 100 / Decimal(self.now_minor)).quantize(Decimal("0.1"))
        return f"+{percent:,}" if self.difference_minor > 0 else f"{percent:,}"

    def as_json(self) -> dict[str, object]:
        """The figures alone, amounts as texts."""
        return {
            "currency": self.currency,
            "lots": self.lots,
            "now": plain(self.now_minor, self.currency),
            "proposed": plain(self.proposed_minor, self.currency),
            "difference": plain(self.difference_minor, self.currency),
        }


def parts_of(entitlement: Mapping[str, Any]) -> Parts:
    """What each organization gets of one lot."""
    parts: dict[tuple[str, str], int] = {}
    for premium in entitlement["premiums"]:
        for line in premium["lines"]:
            key = (line["organization_id"], premium["currency"])
            # An amount has exactly the currency's digits, so without its point it is in minor units.
            parts[key] = parts.get(key, 0) + int(line["amount"].replace(".", ""))
    return parts


def changed_parts(now: Parts, proposed: Parts) -> tuple[Parts, Parts]:
    """The parts of one lot that become others: whoever keeps what it has is not concerned."""
    changed = [key for key in now.keys() | proposed.keys() if now.get(key, 0) != proposed.get(key, 0)]
    return {key: now.get(key, 0) for key in changed}, {key: proposed.get(key, 0) for key in changed}


def party_outcomes(lots: Iterable[tuple[Parts, Parts]]) -> tuple[PartyOutcome, ...]:
    """Sums over lots, each as (now, proposed); who gets most more first."""
    sums: dict[tuple[str, str], list[int]] = {}
    for now, proposed in lots:
        for key in now.keys() | proposed.keys():
            outcome = sums.setdefault(key, [0, 0, 0])
            outcome[0] += 1
            outcome[1] += now.get(key, 0)
            outcome[2] += proposed.get(key, 0)
    parties = [PartyOutcome(*key, *outcome) for key, outcome in sums.items()]
    return tuple(sorted(parties, key=lambda party: (-party.difference_minor, party.organization_id, party.currency)))


def totals_of(parties: Sequence[PartyOutcome], lots: int) -> tuple[PartyOutcome, ...]:
    """One sum a currency, without an organization; `lots` is the number of all."""
    return tuple(
        PartyOutcome(
            "",
            currency,
            lots,
            sum(party.now_minor for party in parties if party.currency == currency),
            sum(party.proposed_minor for party in parties if party.currency == currency),
        )
        for currency in sorted({party.currency for party in parties})
    )
