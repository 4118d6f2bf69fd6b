"""A ledger in plain Python, written to be obviously right: no differences, no batches, no database.

Method: the balance of a lot is not what was posted for it step by step, but simply its latest entitlement. Payments are
moved one by one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiokafka import ConsumerRecord

from schemas.fixed_point import scaled_e12

CENTS_E12 = 10**10
MILLIGRAMS_E12 = 10**9


@dataclass(slots=True)
class Reference:
    """What should be in the ledger, and what each record should be answered."""

    # By event id and by (lot, revision): hash, origin, outcome.
    by_id: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    by_revision: dict[tuple[str, int], tuple[str, str, str]] = field(default_factory=dict)
    latest: dict[str, dict[str, Any]] = field(default_factory=dict)
    moved: Counter[str] = field(default_factory=Counter)
    reservations: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    bookings: set[str] = field(default_factory=set)

    def entitlement(self, record: ConsumerRecord[Any, Any]) -> str:
        """Take an entitlement; returns its outcome's detail."""
        value = orjson.loads(record.value)
        origin = dict(record.headers)["ce_origin"].decode()
        id_, hash_, lot, revision = value["sale"]["id"], value["sale"]["hash"], value["lot_id"], value["revision"]
        known = self.by_id.get(id_)
        if known is not None and known[0] == hash_ and known[1] == origin:
            return known[2]
        known = known or self.by_revision.get((lot, revision))
        if known is not None:
            return "duplicate" if known[0] == hash_ else "CONFLICTING_PAYLOAD"
        head = self.latest.get(lot)
        if head is not None and head["revision"] >= revision:
            detail = "superseded"
        else:
            detail = "posted" if _lines(value) != _lines(head) else "unchanged"
            self.latest[lot] = value
        self.by_id[id_] = self.by_revision[lot, revision] = (hash_, origin, detail)
        return detail

    def command(self, name: str, value: dict[str, Any]) -> str:
        """Take a command; returns its code."""
        if name not in self.answers:
            self.answers[name] = self._carry_out(value)
        return self.answers[name]

    def balances(self) -> dict[str, int]:
        """Balances other than zero, debit positive."""
        total = Counter(self.moved)
        for value in self.latest.values():
            for (account, against), amount in _lines(value).items():
                total[account] -= amount
                total[against] += amount
        return {account: balance for account, balance in total.items() if balance}

    def _carry_out(self, value: dict[str, Any]) -> str:  # noqa: PLR0911  a table would hide the order of the checks
        organization, reservation = value["subject"]["id"], value["reservation_id"]
        payable, in_transit = f"org:{organization}:payable:USD", f"org:{organization}:in_transit:USD"
        bank = "programme:programme:bank:USD"
        if value["kind"] == "reserve":
            amount = sum(scaled_e12(part["amount"]) // CENTS_E12 for part in value["parts"])
            if reservation in self.reservations:
                return "RESERVATION_EXISTS"
            if amount > -self.balances().get(payable, 0):
                return "INSUFFICIENT_PAYABLE"
            self.reservations[reservation] = (organization, amount, "RESERVED")
            return self._move(payable, in_transit, amount)
        owner, amount, state = self.reservations.get(reservation, ("", 0, ""))
        if owner != organization:
            return "UNKNOWN_RESERVATION"
        wanted = "SETTLED" if value["kind"] == "return" else "RESERVED"
        if state != wanted:
            return "RESERVATION_NOT_SETTLED" if state == "RESERVED" else f"RESERVATION_{state}"
        if value.get("booking_key") in self.bookings:
            return "BOOKING_KNOWN"
        if "booking_key" in value:
            self.bookings.add(value["booking_key"])
        become, debit, credit = {
            "settle": ("SETTLED", in_transit, bank),
            "void": ("VOIDED", in_transit, payable),
            "return": ("RETURNED", bank, payable),
        }[value["kind"]]
        self.reservations[reservation] = (owner, amount, become)
        return self._move(debit, credit, amount)

    def _move(self, debit: str, credit: str, amount: int) -> str:
        self.moved[debit] += amount
        self.moved[credit] -= amount
        return "POSTED"


def _lines(value: dict[str, Any] | None) -> dict[tuple[str, str], int]:
    """Every amount that is owed, by (account it is owed on, account it is owed by)."""
    lines: Counter[tuple[str, str]] = Counter()
    if value is None:
        return lines
    for premium in value["premiums"]:
        for line in premium["lines"]:
            kind = "fund" if line["role"] == "community_fund" else "org"
            accounts = (f"{kind}:{line['organization_id']}:payable:USD", f"payer:{value['payer_id']}:receivable:USD")
            lines[accounts] += scaled_e12(line["amount"]) // CENTS_E12
    for source in value["sources"]:
        accounts = (f"org:{source['organization_id']}:gold:AU-MG", f"refiner:{value['refiner_id']}:gold:AU-MG")
        lines[accounts] += scaled_e12(source["fine_weight_g"]) // MILLIGRAMS_E12
    return {accounts: amount for accounts, amount in lines.items() if amount}
