"""What a settlement cycle pays, holds and carries over.

Goal: every open item is dealt with for a stated reason, and what is netted stays within one scheme and one payer.
Method: an organization's items in one currency are grouped by (scheme, payer); a group above zero is paid by one part of the
order with all its items, corrections included; a group at or below zero stays open and is recovered from later premiums of the
same scheme and payer. The ledger never reserves more than is payable, and another payer's negative group lowers what is
payable: then items of the positive groups wait, whole and as little money as possible, until the rest fits, because paying them
would use what the ledger counts against the other group.
Refuses: nothing; held and carried-over money is a result with a code.
Source: design, section 7 and invariants 6 and 10.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

PARTS_MAX: Final = 200  # the contract's limit of one reserve; the sample has at most 12.


@dataclass(frozen=True, slots=True)
class Payee:
    """An organization or fund, as the ledger names it, and a currency that it is owed."""

    kind: str
    id: str
    currency: str


@dataclass(frozen=True, slots=True)
class OpenItem:
    """One premium delta that no order has taken. `key` is (leaf index, position); later leaves are newer."""

    key: tuple[int, int]
    payee: Payee
    scheme_id: str
    payer_id: str
    amount_minor: int
    effective_on: date


@dataclass(frozen=True, slots=True)
class Part:
    """What one payer pays under one scheme: the sum of `items`, above zero."""

    scheme_id: str
    payer_id: str
    amount_minor: int
    items: tuple[OpenItem, ...]


class HoldCode(StrEnum):
    """Why money that could be paid is not."""

    HOLD_ACCOUNT_MISSING = "HOLD_ACCOUNT_MISSING"  # released by: an account in this currency, verified by two persons
    HOLD_RATE_MISSING = "HOLD_RATE_MISSING"  # released by: a dated rate; the programme's account is in another currency


class CarryCode(StrEnum):
    """Why money stays open without anybody having to act."""

    BELOW_MINIMUM = "BELOW_MINIMUM"
    NET_NEGATIVE = "NET_NEGATIVE"  # recovered from later premiums of the same scheme and payer
    PAYABLE_LIMIT = "PAYABLE_LIMIT"  # would use what the ledger counts against a negative group
    PARTS_LIMIT = "PARTS_LIMIT"  # more (scheme, payer) pairs than one reserve takes


@dataclass(frozen=True, slots=True)
class Ordered:
    """To be paid: `parts` sum to `amount_minor`."""

    payee: Payee
    amount_minor: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """Could be paid but for `code`."""

    payee: Payee
    amount_minor: int
    code: HoldCode


@dataclass(frozen=True, slots=True)
class CarriedOver:
    """Stays open; negative where the organization owes a payer's correction."""

    payee: Payee
    amount_minor: int
    code: CarryCode


Result = Ordered | Held | CarriedOver


@dataclass(frozen=True, slots=True)
class Terms:
    """What a cycle decides by. `minimum_minor` by currency; none means every amount is paid."""

    debtor_currency: str | None
    minimum_minor: Mapping[str, int]
    payable_to: frozenset[tuple[str, str]]  # (organization id, currency) with a verified account


def settle(items: Iterable[OpenItem], *, on: date, terms: Terms) -> list[Result]:
    """Decide about all open items, in the order of payees: each one due on `on` counts in one result, or in a group of zero."""
    by_payee: defaultdict[Payee, list[OpenItem]] = defaultdict(list)
    for item in items:
        by_payee[item.payee].append(item)
    results: list[Result] = []
    for payee in sorted(by_payee, key=lambda payee: (payee.kind, payee.id, payee.currency)):
        # All open items together are what the ledger has as payable, also those that are not due yet.
        payable_minor = sum(item.amount_minor for item in by_payee[payee])
        due = [item for item in by_payee[payee] if item.effective_on <= on]
        results.extend(_settle_payee(payee, due, payable_minor, terms))
    return results


def _settle_payee(payee: Payee, due: list[OpenItem], payable_minor: int, terms: Terms) -> list[Result]:
    parts, negative_minor = _groups(due)
    code = _hold_code(payee, terms)
    results: list[Result] = []
    if code is not None and parts:
        results.append(Held(payee, _total(parts), code))
    elif parts:
        taken, beyond_parts = parts[:PARTS_MAX], parts[PARTS_MAX:]
        fitting = _fitting(taken, payable_minor)
        total_minor = _total(fitting)
        minimum_minor = max(terms.minimum_minor.get(payee.currency, 1), 1)
        if total_minor < minimum_minor:
            below = CarryCode.BELOW_MINIMUM if _total(parts) < minimum_minor else CarryCode.PAYABLE_LIMIT
            results.append(CarriedOver(payee, _total(parts), below))
        else:
            results.append(Ordered(payee, total_minor, fitting))
            if (rest_minor := _total(taken) - total_minor) > 0:
                results.append(CarriedOver(payee, rest_minor, CarryCode.PAYABLE_LIMIT))
            if beyond_parts:
                results.append(CarriedOver(payee, _total(beyond_parts), CarryCode.PARTS_LIMIT))
    if negative_minor:
        results.append(CarriedOver(payee, negative_minor, CarryCode.NET_NEGATIVE))
    return results


def _groups(due: list[OpenItem]) -> tuple[tuple[Part, ...], int]:
    """The groups above zero as parts, in the order of scheme and payer, and the sum of those below zero."""
    groups: defaultdict[tuple[str, str], list[OpenItem]] = defaultdict(list)
    for item in sorted(due, key=lambda item: item.key):
        groups[item.scheme_id, item.payer_id].append(item)
    parts: list[Part] = []
    negative_minor = 0
    for (scheme_id, payer_id), members in sorted(groups.items()):
        amount_minor = sum(item.amount_minor for item in members)
        if amount_minor > 0:
            parts.append(Part(scheme_id, payer_id, amount_minor, tuple(members)))
        else:
            negative_minor += amount_minor
    return tuple(parts), negative_minor


def _hold_code(payee: Payee, terms: Terms) -> HoldCode | None:
    if (payee.id, payee.currency) not in terms.payable_to:
        return HoldCode.HOLD_ACCOUNT_MISSING
    if payee.currency != terms.debtor_currency:
        return HoldCode.HOLD_RATE_MISSING
    return None


def _fitting(parts: tuple[Part, ...], payable_minor: int) -> tuple[Part, ...]:
    """The parts without as few of their positive items, in amount, as it takes to stay within what is payable."""
    excess_minor = _total(parts) - payable_minor
    if excess_minor <= 0:
        return parts
    waiting: set[tuple[int, int]] = set()
    candidates = [item for part in parts for item in part.items if item.amount_minor > 0]
    # From the smallest to the largest; of equal ones the newest waits.
    candidates.sort(key=lambda item: (item.amount_minor, (-item.key[0], -item.key[1])))
    while excess_minor > 0 and candidates:
        enough = next((item for item in candidates if item.amount_minor >= excess_minor), candidates[-1])
        candidates.remove(enough)
        waiting.add(enough.key)
        excess_minor -= enough.amount_minor
    fitting: list[Part] = []
    for part in parts:
        items = tuple(item for item in part.items if item.key not in waiting)
        amount_minor = sum(item.amount_minor for item in items)
        # A part whose remainder is no longer above zero waits whole: its corrections wait with its premiums.
        if amount_minor > 0:
            fitting.append(Part(part.scheme_id, part.payer_id, amount_minor, items))
    # Leaving out a negative remainder raises the sum again; the outcome must still fit, so what is too much goes part by part.
    while fitting and _total(tuple(fitting)) > payable_minor:
        fitting.pop()
    return tuple(fitting)


def _total(parts: tuple[Part, ...]) -> int:
    return sum(part.amount_minor for part in parts)
