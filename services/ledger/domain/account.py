"""Accounts, units and subjects.

Goal: one way to name an account: (owner kind, owner id, purpose, unit).
Method: named tuples of texts; which accounts an event touches is decided in the modules that post. The same few thousand are
named again and again, so they are kept (measured: a third of the time of making them).
Source: design, section 6.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from schemas.ledger_words import FINE_GOLD, PROGRAMME_OWNER_ID

KEPT_KEYS_MAX: Final = 20_000  # for each kind of account; at 200 bytes a key 4 MB.


class AccountKey(NamedTuple):
    """The natural key of an account."""

    owner_kind: str
    owner_id: str
    purpose: str
    unit: str


class SubjectKey(NamedTuple):
    """Whose story a transaction belongs to."""

    kind: str
    id: str


@lru_cache(KEPT_KEYS_MAX)
def subject_in_role(role: str, organization_id: str) -> SubjectKey:
    """Who a line of a lot belongs to: a fund in the role of a community fund, else an organization."""
    return SubjectKey("fund" if role == "community_fund" else "org", organization_id)


@lru_cache(KEPT_KEYS_MAX)
def receivable(payer_id: str, unit: str) -> AccountKey:
    """What a payer owes the programme."""
    return AccountKey("payer", payer_id, "receivable", unit)


@lru_cache(KEPT_KEYS_MAX)
def payable(subject: SubjectKey, unit: str) -> AccountKey:
    """What the programme owes an organization or fund."""
    return AccountKey(subject.kind, subject.id, "payable", unit)


@lru_cache(KEPT_KEYS_MAX)
def in_transit(subject: SubjectKey, unit: str) -> AccountKey:
    """What is set aside for a payment on its way."""
    return AccountKey(subject.kind, subject.id, "in_transit", unit)


@lru_cache(KEPT_KEYS_MAX)
def refiner_gold(refiner_id: str) -> AccountKey:
    """Fine gold that a refiner received."""
    return AccountKey("refiner", refiner_id, "gold", FINE_GOLD)


@lru_cache(KEPT_KEYS_MAX)
def source_gold(organization_id: str) -> AccountKey:
    """Fine gold that an organization delivered."""
    return AccountKey("org", organization_id, "gold", FINE_GOLD)


def bank(unit: str) -> AccountKey:
    """The programme's money at its bank."""
    return AccountKey("programme", PROGRAMME_OWNER_ID, "bank", unit)


def charges(unit: str) -> AccountKey:
    """What banks kept of returned payments."""
    return AccountKey("programme", PROGRAMME_OWNER_ID, "charges", unit)


def fx(unit: str) -> AccountKey:
    """What the programme owes (credit) or is owed (debit) in one currency because it promised another."""
    return AccountKey("programme", PROGRAMME_OWNER_ID, "fx", unit)


def suspense(unit: str) -> AccountKey:
    """Bookings that match nothing, until a person clears them."""
    return AccountKey("programme", PROGRAMME_OWNER_ID, "suspense", unit)
