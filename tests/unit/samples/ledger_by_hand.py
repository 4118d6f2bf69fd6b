"""What the ledger would make of the sample's entitlements, without a database: inbox, heads, differences.

Goal: totals and settlement of the committed sample by the real engine, in seconds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

import orjson

from samples.reader import PublishedSale
from schemas.cloudevents import CloudEventAttributes, from_headers
from schemas.gold_sale import ParsedSale, parse_sale
from services.payout.domain.settlement import OpenItem, Payee
from services.premium_calculator.adapters.sale_decision import Rejected, SaleRecord, decide
from services.premium_calculator.domain.registry import Registry

Line = tuple[str, str, str]  # organization, scheme, payer
K = TypeVar("K")


@dataclass(slots=True)
class Head:
    """The latest entitlement of a lot."""

    revision: int
    entitlement: dict[str, Any]
    money: dict[Line, int]
    gold: dict[str, int]


@dataclass(slots=True)
class LedgerByHand:
    """Everything that came of the events so far."""

    registry: Registry
    rejected: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    heads: dict[str, Head] = field(default_factory=dict)
    items: list[OpenItem] = field(default_factory=list)
    _by_id: dict[tuple[str, str], str] = field(default_factory=dict)
    _by_revision: dict[tuple[str, int], str] = field(default_factory=dict)

    def take_all(self, sales: Iterable[PublishedSale]) -> list[dict[str, Any] | Rejected]:
        """Take events in their order; returns what the engine said to each."""
        return [self.take(sale) for sale in sales]

    def take(self, sale: PublishedSale) -> dict[str, Any] | Rejected:
        """Take one event."""
        message = sale.message
        result = decide(SaleRecord(message.key, message.value, message.headers), self.registry)
        if isinstance(result, Rejected):
            self.rejected[result.code.value] += 1
            return result
        parsed, attributes = parse_sale(message.value), from_headers(message.headers)
        assert isinstance(parsed, ParsedSale)
        assert isinstance(attributes, CloudEventAttributes)
        entitlement: dict[str, Any] = orjson.loads(result.value)
        assert message.key is not None
        key, revision = message.key.decode(), parsed.sale.revision
        known = {
            found
            for found in (
                self._by_id.get((attributes.source, attributes.id)),
                self._by_revision.get((key, revision)),
            )
            if found is not None
        }
        if known:
            self.outcomes["duplicate" if known == {parsed.sale_hash} else "conflict"] += 1
            return entitlement
        self._by_id[attributes.source, attributes.id] = parsed.sale_hash
        self._by_revision[key, revision] = parsed.sale_hash
        self.outcomes["accepted"] += 1
        self._post(key, revision, entitlement, sale.at.date())
        return entitlement

    def _post(self, key: str, revision: int, entitlement: dict[str, Any], on: date) -> None:
        head = self.heads.get(key)
        if head is not None and revision <= head.revision:
            self.outcomes["superseded"] += 1
            return
        new = Head(revision, entitlement, money_minor(entitlement), gold_mg(entitlement))
        changes = _difference(new.money, head.money if head else {})
        moved = _difference(new.gold, head.gold if head else {})
        self.outcomes["posted" if changes or moved else "unchanged"] += 1
        self.heads[key] = new
        for (organization, scheme, payer), minor in sorted(changes.items()):
            payee = Payee("org", organization, "USD")
            self.items.append(OpenItem((len(self.items), 0), payee, scheme, payer, minor, on))


def money_minor(entitlement: dict[str, Any]) -> dict[Line, int]:
    """Amounts of an entitlement in minor units, by organization, scheme and payer."""
    amounts: dict[Line, int] = defaultdict(int)
    for premium in entitlement["premiums"]:
        for line in premium["lines"]:
            minor = int(line["amount"].replace(".", ""))
            amounts[line["organization_id"], premium["scheme_id"], entitlement["payer_id"]] += minor
    return {line: minor for line, minor in amounts.items() if minor}


def gold_mg(entitlement: dict[str, Any]) -> dict[str, int]:
    """Fine weight of an entitlement in milligrams, by organization."""
    return {row["organization_id"]: int(row["fine_weight_g"].replace(".", "")) for row in entitlement["sources"]}


def _difference(new: dict[K, int], old: dict[K, int]) -> dict[K, int]:
    return {key: change for key in new | old if (change := new.get(key, 0) - old.get(key, 0))}
