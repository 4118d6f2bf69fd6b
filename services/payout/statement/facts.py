"""What a statement is made of, as payout holds it: the facts, without the words and the sums that are made of them.

Goal: what reads the database and what makes a statement of it change for reasons of their own, and meet here.
Source: design, section 7.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from schemas.ledger_words import TransactionKind
from services.payout.domain.closing import ClosingStates, ItemKey, OrderProgress

if TYPE_CHECKING:
    from asyncpg import Record


@dataclass(frozen=True, slots=True)
class StatementOf:
    """What is asked for: whose statement, of which days (both included), issued on which business day, at which tree size."""

    subject_kind: str
    subject_id: str
    period_from: date
    period_to: date
    issued_on: date
    tree_size: int


@dataclass(frozen=True, slots=True)
class Past:
    """What earlier statements covered: leaves below `tree_size` that took effect by `period_to`; nothing before the first."""

    number: int
    period_to: date
    tree_size: int
    closing_minor: Mapping[str, int]


NOTHING_YET: Final = Past(0, date.min, 0, {})


@dataclass(frozen=True, slots=True)
class Order:
    """An order and what the ledger did with it by the period's end, by kind of transaction."""

    row: Record
    steps: Mapping[str, Record]
    items: frozenset[ItemKey]

    def progress(self, period_to: date) -> OrderProgress:
        """How far it was."""
        if TransactionKind.RETURNED in self.steps:
            return OrderProgress.RETURNED
        if TransactionKind.SETTLED in self.steps:
            return OrderProgress.TRANSFERRED
        if TransactionKind.VOIDED in self.steps:
            return OrderProgress.VOIDED
        if TransactionKind.RESERVED not in self.steps:
            return OrderProgress.NOT_YET
        executes_on = self.row["executes_on"]
        return OrderProgress.SENT if executes_on is not None and executes_on <= period_to else OrderProgress.SCHEDULED


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the statement says, as it was read; amounts in minor units."""

    past: Past
    transactions: Sequence[Record]
    settled_lots: frozenset[tuple[str, str]]
    sums: Mapping[str, Record]
    gold_of_year_mg: int
    items: Sequence[Record]
    orders: Sequence[Order]
    closing: ClosingStates
