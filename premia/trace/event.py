"""One event of a story.

Goal: sales, postings, decisions, bank files and bookings stand in one list, each with its business day, its moment, its leaf.
Method: `on` is the business day: what the sale, the cycle, the bank or the statement says; `at` is when it was recorded, and
orders events of one day. `leaf_index` names the leaf of the ledger's log that an event is, or that records it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """One event. `details`: what a machine reads of it, as JSON values."""

    on: date
    at: datetime
    what: str
    text: str
    subject: str | None = None
    leaf_index: int | None = None
    details: dict[str, Any] = field(default_factory=dict)


def in_order(events: list[TraceEvent]) -> list[TraceEvent]:
    """By business day, then as it was recorded; sorting is stable, so what is told together stays together."""
    return sorted(events, key=lambda event: (event.on, event.at))
