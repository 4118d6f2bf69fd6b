"""What became of one sale event (`sale.outcomes.v1`).

Goal: whoever published a sale learns its fate, also a refiner that writes to Kafka directly.
Method: the calculator reports what it rejects, the ledger everything else; one outcome for each origin.
Source: design, sections 2 and 9.4.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict

SALE_OUTCOME_TYPE: Final = "sale.outcome.v1"


class Outcome(StrEnum):
    """in = accepted + duplicate + rejected, by origin."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


class SaleOutcome(BaseModel):
    """One outcome. What a bad event does not say (its id, its lot) is null."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str | None
    id: str | None
    hash: str | None
    origin: str
    refiner_id: str | None
    lot_id: str | None
    revision: int | None
    sequence: int | None
    outcome: Outcome
    detail: str
    field: str | None
    message: str | None
