"""Where an organization's money was at the end of a statement's period.

Goal: the closing balance is explained item by item: available, on hold, carried over, scheduled, on its way; and each item's
payee state is the one that these sums rest on.
Method: an item belongs to the newest order that reserved it and did not free it again by the end of the period. What no order
has is settled by the rules of a cycle on the last day, without paying: what would be held is on hold, what is below the
minimum is carried over, everything else is available (negative where later premiums will recover it).
Source: design, section 7.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from schemas.payee_state import PayeeState
from services.payout.domain.settlement import CarriedOver, CarryCode, Held, OpenItem, Terms, settle

ItemKey = tuple[int, int]


class OrderProgress(StrEnum):
    """How far an order was at the end of the period, by the ledger's transactions until then."""

    NOT_YET = "not_yet"  # reserved later, or never
    SCHEDULED = "scheduled"  # reserved
    SENT = "sent"  # reserved, and its file was due at the bank
    TRANSFERRED = "transferred"
    VOIDED = "voided"
    RETURNED = "returned"


_TAKEN = frozenset({OrderProgress.SCHEDULED, OrderProgress.SENT, OrderProgress.TRANSFERRED})
_STATES = {
    OrderProgress.SCHEDULED: PayeeState.SCHEDULED,
    OrderProgress.SENT: PayeeState.SENT,
    OrderProgress.TRANSFERRED: PayeeState.TRANSFERRED,
}


@dataclass(frozen=True, slots=True)
class Taking:
    """An order that took items, oldest order first."""

    progress: OrderProgress
    items: frozenset[ItemKey]


@dataclass(frozen=True, slots=True)
class HeldAmount:
    """Money on hold and the newest items that it consists of."""

    code: str
    amount_minor: int
    items: tuple[ItemKey, ...]


@dataclass(frozen=True, slots=True)
class Closing:
    """One currency's closing balance, in minor units; the first three sum to payable, the last two to in transit."""

    available_minor: int
    on_hold_minor: int
    carried_over_minor: int
    scheduled_minor: int
    in_transit_minor: int
    holds: tuple[HeldAmount, ...]


@dataclass(frozen=True, slots=True)
class ClosingStates:
    """The closing balance of each currency, and the payee's state of each item."""

    by_currency: Mapping[str, Closing]
    states: Mapping[ItemKey, PayeeState]


def closing_states(items: Sequence[OpenItem], takings: Sequence[Taking], *, on: date, terms: Terms) -> ClosingStates:
    """`items`: all of one payee until the end of the period, taken or not."""
    progress, returned = _progress(takings)
    states: dict[ItemKey, PayeeState] = {}
    for item in items:
        taken = progress.get(item.key)
        if taken is not None:
            states[item.key] = _STATES[taken]
        else:
            states[item.key] = PayeeState.RETURNED if item.key in returned else PayeeState.CALCULATED
    still_open = [item for item in items if item.key not in progress]
    results = settle(still_open, on=on, terms=terms)
    by_currency: dict[str, Closing] = {}
    for currency in sorted({item.payee.currency for item in items}):
        of_currency = [item for item in items if item.payee.currency == currency]
        open_of_currency = [item for item in still_open if item.payee.currency == currency]
        held = [result for result in results if isinstance(result, Held) and result.payee.currency == currency]
        holds = tuple(_held(result, open_of_currency) for result in held)
        for hold in holds:
            states.update(dict.fromkeys(hold.items, PayeeState.ON_HOLD))
        carried_minor = sum(
            result.amount_minor
            for result in results
            if isinstance(result, CarriedOver) and result.payee.currency == currency and result.code is CarryCode.BELOW_MINIMUM
        )
        on_hold_minor = sum(hold.amount_minor for hold in holds)
        by_currency[currency] = Closing(
            available_minor=_sum(open_of_currency) - on_hold_minor - carried_minor,
            on_hold_minor=on_hold_minor,
            carried_over_minor=carried_minor,
            scheduled_minor=_sum(item for item in of_currency if progress.get(item.key) is OrderProgress.SCHEDULED),
            in_transit_minor=_sum(item for item in of_currency if progress.get(item.key) is OrderProgress.SENT),
            holds=holds,
        )
    return ClosingStates(by_currency, states)


def _progress(takings: Sequence[Taking]) -> tuple[dict[ItemKey, OrderProgress], set[ItemKey]]:
    """What has each item, and the items whose last payment came back."""
    progress: dict[ItemKey, OrderProgress] = {}
    returned: set[ItemKey] = set()
    for taking in takings:
        if taking.progress in _TAKEN:
            progress.update(dict.fromkeys(taking.items, taking.progress))
            returned -= taking.items
        elif taking.progress is OrderProgress.RETURNED:
            returned |= taking.items
    return progress, returned


def _held(result: Held, still_open: list[OpenItem]) -> HeldAmount:
    """The items of the groups above zero, which are what is held."""
    groups: defaultdict[tuple[str, str], list[OpenItem]] = defaultdict(list)
    for item in still_open:
        groups[item.scheme_id, item.payer_id].append(item)
    keys = tuple(item.key for members in groups.values() if _sum(members) > 0 for item in members)
    return HeldAmount(result.code, result.amount_minor, tuple(sorted(keys)))


def _sum(items: Iterable[OpenItem]) -> int:
    return sum(item.amount_minor for item in items)
