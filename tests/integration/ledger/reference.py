"""A ledger in plain Python, written to be obviously right: no differences, no batches, no database.

Method: the balance of a lot is not what was posted for it step by step, but simply its latest entitlement. Payments are
moved one by one. What a correction takes back is named by the id of its command.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import orjson
from aiokafka import ConsumerRecord

from schemas.fixed_point import scaled_e12

CENTS_E12 = 10**10
MILLIGRAMS_E12 = 10**9


@dataclass(slots=True)
class Suspended:
    """A booking in suspense, in cents."""

    arrived: bool
    still_open: int


@dataclass(slots=True)
class Posted:
    """What one command posted: (debit, credit, cents), and what it took from bookings in suspense."""

    kind: str
    subject: dict[str, str]
    moves: list[tuple[str, str, int]] = field(default_factory=list)
    clears: list[tuple[str, int]] = field(default_factory=list)
    reversed_before: bool = False

    def accounts(self) -> set[str]:
        """All that were touched."""
        return {account for debit, credit, _ in self.moves for account in (debit, credit)}


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
    suspended: dict[str, Suspended] = field(default_factory=dict)
    # What each command posted, by its id.
    posted: dict[str, Posted] = field(default_factory=dict)

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
        """Take a command, or a correction that two persons agreed on; returns its code."""
        if name not in self.answers:
            posted = Posted(value["kind"], value["subject"])
            answered = {
                "reserve": self._reserve,
                "settle": self._settle,
                "void": self._void,
                "return": self._return,
                "suspend": self._suspend,
                "clear": self._clear,
                "exchange": self._exchange,
                "correct": self._correct,
            }[value["kind"]](value, posted)
            self.answers[name] = answered or "POSTED"
            if answered is None:
                self.posted[name] = posted
                for debit, credit, amount in posted.moves:
                    self.moved[debit] += amount
                    self.moved[credit] -= amount
                for booking_key, amount in posted.clears:
                    self.suspended[booking_key].still_open -= amount
        return self.answers[name]

    def balances(self) -> dict[str, int]:
        """Balances other than zero, debit positive."""
        total = Counter(self.moved)
        for value in self.latest.values():
            for (account, against), amount in _lines(value).items():
                total[account] -= amount
                total[against] += amount
        return {account: balance for account, balance in total.items() if balance}

    # Each step below returns why it is refused, or None after it said what it posts.

    def _reserve(self, value: dict[str, Any], posted: Posted) -> str | None:
        organization, reservation = value["subject"]["id"], value["reservation_id"]
        amount = sum(_cents(part["amount"]) for part in value["parts"])
        if reservation in self.reservations:
            return "RESERVATION_EXISTS"
        if amount > self._payable(organization):
            return "INSUFFICIENT_PAYABLE"
        self.reservations[reservation] = (organization, amount, "RESERVED")
        posted.moves.append((f"org:{organization}:payable:USD", f"org:{organization}:in_transit:USD", amount))
        return None

    def _settle(self, value: dict[str, Any], posted: Posted) -> str | None:
        return self._step(value, posted, wanted="RESERVED", become="SETTLED", to="programme:programme:bank:USD")

    def _void(self, value: dict[str, Any], posted: Posted) -> str | None:
        payable = f"org:{value['subject']['id']}:payable:USD"
        return self._step(value, posted, wanted="RESERVED", become="VOIDED", to=payable)

    def _return(self, value: dict[str, Any], posted: Posted) -> str | None:
        return self._step(value, posted, wanted="SETTLED", become="RETURNED", to="programme:programme:bank:USD")

    def _step(self, value: dict[str, Any], posted: Posted, *, wanted: str, become: str, to: str) -> str | None:
        """The next step of a reservation; `to` is where its money goes, or for a return where it comes from."""
        organization, reservation = value["subject"]["id"], value.get("reservation_id") or value["against"]["reservation_id"]
        owner, amount, state = self.reservations.get(reservation, ("", 0, ""))
        if owner != organization:
            return "UNKNOWN_RESERVATION"
        if state != wanted:
            return "RESERVATION_NOT_SETTLED" if state == "RESERVED" else f"RESERVATION_{state}"
        if value["kind"] == "clear" and _cents(value["amount"]) != amount:
            return "AMOUNT_INVALID"
        if value["kind"] in {"settle", "return"}:
            if value["booking_key"] in self.bookings:
                return "BOOKING_KNOWN"
            self.bookings.add(value["booking_key"])
        self.reservations[reservation] = (owner, amount, become)
        payable, in_transit = f"org:{organization}:payable:USD", f"org:{organization}:in_transit:USD"
        posted.moves.append((to, payable, amount) if become == "RETURNED" else (in_transit, to, amount))
        return None

    def _suspend(self, value: dict[str, Any], posted: Posted) -> str | None:
        booking_key, amount = value["booking_key"], _cents(value["amount"])
        if booking_key in self.bookings:
            return "BOOKING_KNOWN"
        self.bookings.add(booking_key)
        arrived = value["direction"] == "CRDT"
        self.suspended[booking_key] = Suspended(arrived, amount)
        debit, credit = ("bank", "suspense") if arrived else ("suspense", "bank")
        posted.moves.append((f"programme:programme:{debit}:USD", f"programme:programme:{credit}:USD", amount))
        return None

    def _clear(self, value: dict[str, Any], posted: Posted) -> str | None:
        booking_key, amount, against = value["booking_key"], _cents(value["amount"]), value["against"]
        wants = {"settlement": False, "return": True}.get(against["kind"])
        refused = self._take(booking_key, amount, posted, arrived=wants)
        if refused is not None:
            return refused
        suspense = "programme:programme:suspense:USD"
        arrived = self.suspended[booking_key].arrived
        match against["kind"]:
            case "settlement":
                return self._step(value, posted, wanted="RESERVED", become="SETTLED", to=suspense)
            case "return":
                return self._step(value, posted, wanted="SETTLED", become="RETURNED", to=suspense)
            case "booking":
                return self._take(against["booking_key"], amount, posted, arrived=not arrived)
            case "receivable":
                account = f"payer:{value['subject']['id']}:receivable:USD"
            case _:
                account = "programme:programme:charges:USD"
        posted.moves.append((suspense, account, amount) if arrived else (account, suspense, amount))
        return None

    def _exchange(self, value: dict[str, Any], posted: Posted) -> str | None:
        organization, sold, bought = value["subject"]["id"], _cents(value["sold"]["amount"]), _cents(value["bought"]["amount"])
        if Decimal(bought) != (Decimal(sold) * Decimal(value["rate"]["value"])).quantize(Decimal(1), ROUND_HALF_EVEN):
            return "AMOUNT_INVALID"
        if sold > self._payable(organization):
            return "INSUFFICIENT_PAYABLE"
        posted.moves.append((f"org:{organization}:payable:USD", "programme:programme:fx:USD", sold))
        posted.moves.append(("programme:programme:fx:PEN", f"org:{organization}:payable:PEN", bought))
        return None

    def _correct(self, value: dict[str, Any], posted: Posted) -> str | None:
        if value.get("reverses"):
            return self._reverse(value, posted)
        owner = value["subject"]
        owner_id = "programme" if owner["kind"] == "programme" else owner["id"]
        for line in value["lines"]:
            amount, is_debit = _cents(line["amount"]), line["side"] == "debit"
            if "booking_key" in line:
                refused = self._take(line["booking_key"], amount, posted, arrived=not is_debit)
                if refused is not None:
                    return refused
            account, suspense = f"{owner['kind']}:{owner_id}:{line['purpose']}:USD", "programme:programme:suspense:USD"
            posted.moves.append((account, suspense, amount) if is_debit else (suspense, account, amount))
        return None

    def _reverse(self, value: dict[str, Any], posted: Posted) -> str | None:
        known = self.posted.get(value["reverses"])
        if known is None or known.subject != value["subject"]:
            return "UNKNOWN_TRANSACTION"
        paid = known.kind == "clear" and any(
            account.endswith((":in_transit:USD", ":payable:USD")) for account in known.accounts()
        )
        if known.kind not in {"clear", "exchange", "correct"} or paid:
            return "NOT_REVERSIBLE"
        if known.reversed_before:
            return "ALREADY_REVERSED"
        for booking_key in {key for key, _ in known.clears}:
            taken = -sum(amount for key, amount in known.clears if key == booking_key)
            if taken > self.suspended[booking_key].still_open:
                return "BOOKING_CLEARED"
        known.reversed_before = True
        posted.moves += [(credit, debit, amount) for debit, credit, amount in known.moves]
        posted.clears += [(booking_key, -amount) for booking_key, amount in known.clears]
        return None

    def _take(self, booking_key: str, amount: int, posted: Posted, *, arrived: bool | None) -> str | None:
        booking = self.suspended.get(booking_key)
        if booking is None:
            return "UNKNOWN_BOOKING"
        if arrived is not None and booking.arrived is not arrived:
            return "DIRECTION_MISMATCH"
        if amount > booking.still_open - sum(taken for key, taken in posted.clears if key == booking_key):
            return "BOOKING_CLEARED"
        posted.clears.append((booking_key, amount))
        return None

    def _payable(self, organization: str) -> int:
        return -self.balances().get(f"org:{organization}:payable:USD", 0)


def _cents(text: str) -> int:
    return scaled_e12(text) // CENTS_E12


def _lines(value: dict[str, Any] | None) -> dict[tuple[str, str], int]:
    """Every amount that is owed, by (account it is owed on, account it is owed by)."""
    lines: Counter[tuple[str, str]] = Counter()
    if value is None:
        return lines
    for premium in value["premiums"]:
        for line in premium["lines"]:
            kind = "fund" if line["role"] == "community_fund" else "org"
            accounts = (f"{kind}:{line['organization_id']}:payable:USD", f"payer:{value['payer_id']}:receivable:USD")
            lines[accounts] += _cents(line["amount"])
    for source in value["sources"]:
        accounts = (f"org:{source['organization_id']}:gold:AU-MG", f"refiner:{value['refiner_id']}:gold:AU-MG")
        lines[accounts] += scaled_e12(source["fine_weight_g"]) // MILLIGRAMS_E12
    return {accounts: amount for accounts, amount in lines.items() if amount}
