"""A sale as the calculation sees it: valid, exact, immutable.

Method: weights in 1e-19 g and decimals in 1e-12 units (`schemas.fixed_point`), so every figure is a whole number; the
texts as sent stay beside them for the explanation.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Weight:
    """A weight as stated, and exactly in 1e-19 g."""

    value: str
    unit: str
    grams_e19: int


@dataclass(frozen=True, slots=True)
class Assay:
    """A fineness as one party found it."""

    party: str
    fineness_permille: str
    fineness_permille_e12: int


@dataclass(frozen=True, slots=True)
class Source:
    """What one organization delivered, one row of the sale."""

    organization_id: str
    melt_weight: Weight
    fineness_permille_e12: int | None


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A gold price: `price_e12` 1e-12 of the currency per unit; the unit is `unit_grams_e7` 1e-7 g."""

    price: str
    price_e12: int
    currency: str
    unit: str
    unit_grams_e7: int


@dataclass(frozen=True, slots=True)
class Document:
    """A paper named by the sale."""

    kind: str
    number: str
    issuer: str | None


@dataclass(frozen=True, slots=True)
class Sale:
    """One revision of a lot."""

    refiner_id: str
    lot_id: str
    revision: int
    stage: str
    exporter_id: str
    payer_id: str
    sold_on: date
    melt_weight: Weight
    assays: tuple[Assay, ...]
    sources: tuple[Source, ...]
    schemes: tuple[str, ...]
    stated_fine_weight: Weight | None
    benchmark: Benchmark | None
    price_share: str | None
    price_share_e12: int | None
    documents: tuple[Document, ...]
