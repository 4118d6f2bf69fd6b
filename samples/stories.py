"""Lots whose days, weights and numbers a story tells.

Goal: the specification's cast meets a newcomer in the demo: one lot from provisional to corrected, small lots that are
carried over, an account that is missing, a lot of three organizations.
Method: `DATED` fixes days and numbers, so that running numbers fit around them; `told_lots` writes the lots out.
Source: the sample programme's cast; this release tells only what the whole path needs, later ones tell more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Final

from samples.cast import Producer
from samples.lot import GRAM, MILLIGRAM, Lot, Party, Revision, Source, Stage, Unit
from samples.ordinary_lots import document_number
from samples.slots import DatedLot

STORY_LOT: Final = "PE-2025-000123"

_Assays = tuple[tuple[Party, int], ...]


@dataclass(frozen=True, slots=True)
class _Stage:
    """One revision of a told lot: stage, day, melt weight in steps, assays."""

    stage: Stage
    day: date
    melt_steps: int
    assays: _Assays
    documents: int = 1
    states: bool = False


@dataclass(frozen=True, slots=True)
class _Told:
    """One told lot. `shares` are the melt steps of several sources; a lot of one source has none."""

    name: str
    organization_id: str
    sold_on: date
    stages: tuple[_Stage, ...]
    payer_id: str
    exporter_id: str
    refiner_id: str = "REF-CH-01"
    number: int | None = None
    unit: Unit = GRAM
    shares: tuple[tuple[str, int], ...] = ()
    document_number: str | None = None
    benchmark_cents_per_ounce: int | None = None
    price_share: Fraction | None = None


def _usual(name: str, organization_id: str, *rows: tuple[date, date, int, int]) -> list[_Told]:
    """Lots of one source, each with the day it is sold, the day it is final, melt weight and seller's fineness:
    provisional on the day it is sold, final when buyer and seller have agreed."""
    payer_id, exporter_id, refiner_id = _TRADE[organization_id]
    return [
        _Told(
            f"{name} {place}", organization_id, sold_on,
            (
                _Stage("provisional", sold_on, melt_steps, (("seller", fineness),), documents=0),
                _Stage("final", final_on, melt_steps, (("agreed", fineness - 1),)),
            ),
            payer_id, exporter_id, refiner_id,
        )
        for place, (sold_on, final_on, melt_steps, fineness) in enumerate(rows, start=1)
    ]  # fmt: skip


_TRADE: Final = {
    "ORG-PE-012": ("PAY-01", "EXP-PE-07", "REF-CH-01"),
    "ORG-PE-027": ("PAY-02", "EXP-PE-03", "REF-CH-01"),
    "ORG-CO-058": ("PAY-05", "EXP-CO-02", "REF-CH-01"),
    "ORG-BO-049": ("PAY-03", "EXP-BO-02", "REF-CH-03"),
    "ORG-CO-096": ("PAY-05", "EXP-CO-02", "REF-CH-01"),
}

_TOLD: Final = (
    # ORG-PE-012, the first quarter of 2025: 412.36 + 1,498.08 + 568.61 - 3.90 = 2,475.15 transferred after 27 March.
    _Told(
        "corrected after payment", "ORG-PE-012", date(2024, 11, 25),
        (
            _Stage("provisional", date(2024, 11, 25), 137_604, (("seller", 8752),)),
            _Stage("final", date(2024, 12, 9), 137_604, (("agreed", 8752),), states=True),
            _Stage("final", date(2025, 3, 17), 136_968, (("agreed", 8752),), states=True),
        ),
        "PAY-01", "EXP-PE-07",
    ),
    _Told(
        "february", "ORG-PE-012", date(2025, 2, 10),
        (
            _Stage("provisional", date(2025, 2, 10), 67_867, (("seller", 8682),)),
            _Stage("final", date(2025, 2, 24), 67_867, (("agreed", 8680),), states=True),
        ),
        "PAY-01", "EXP-PE-07", number=61,
    ),
    _Told(
        "story", "ORG-PE-012", date(2025, 3, 14),
        (
            _Stage("provisional", date(2025, 3, 14), 245_060, (("seller", 8735),)),
            _Stage("final", date(2025, 3, 26), 245_060, (("seller", 8735), ("buyer", 8731)), states=True),
            _Stage("final", date(2025, 5, 5), 244_710, (("seller", 8735), ("buyer", 8731)), states=True),
        ),
        "PAY-01", "EXP-PE-07", number=123, document_number="118-2025-40-012345",
        benchmark_cents_per_ounce=265_000, price_share=Fraction(935, 1000),
    ),
    _Told(
        "of three", "ORG-PE-012", date(2025, 3, 17),
        (_Stage("final", date(2025, 3, 19), 2_450_600, (("agreed", 8718),)),),
        "PAY-01", "EXP-PE-07", number=131, unit=MILLIGRAM,
        shares=(("ORG-PE-012", 931_750), ("ORG-PE-013", 804_262), ("ORG-PE-033", 714_588)),
    ),
    *_usual(
        "later", "ORG-PE-012",
        (date(2025, 4, 22), date(2025, 5, 9), 182_455, 8742),
        (date(2025, 6, 3), date(2025, 6, 17), 209_310, 8728),
        (date(2025, 7, 15), date(2025, 8, 1), 231_080, 8756),
        (date(2025, 9, 2), date(2025, 9, 16), 197_640, 8733),
        (date(2025, 10, 14), date(2025, 10, 30), 240_215, 8719),
        (date(2025, 11, 18), date(2025, 12, 3), 221_990, 8748),
    ),
    # ORG-PE-027: 30 to 60 dollars a quarter, under the minimum three times, then paid.
    *_usual(
        "pallaqueras", "ORG-PE-027",
        (date(2025, 2, 20), date(2025, 3, 6), 4_830, 8615),
        (date(2025, 5, 13), date(2025, 5, 27), 5_240, 8592),
        (date(2025, 8, 12), date(2025, 8, 26), 5_510, 8634),
        (date(2025, 11, 4), date(2025, 11, 19), 8_870, 8607),
    ),
    # ORG-CO-058: no account from January to June, then three lots at once.
    *_usual(
        "barequeros", "ORG-CO-058",
        (date(2025, 1, 21), date(2025, 2, 4), 41_260, 8921),
        (date(2025, 3, 11), date(2025, 3, 25), 38_795, 8898),
        (date(2025, 5, 20), date(2025, 6, 3), 52_040, 8934),
        (date(2025, 8, 19), date(2025, 9, 2), 44_915, 8907),
        (date(2025, 10, 28), date(2025, 11, 11), 47_350, 8915),
    ),
    # ORG-BO-049 began in the last quarter; its account is proposed and not yet verified.
    *_usual(
        "first lots", "ORG-BO-049",
        (date(2025, 10, 21), date(2025, 11, 6), 84_520, 9120),
        (date(2025, 11, 18), date(2025, 12, 4), 96_875, 9098),
    ),
    # ORG-CO-096 stays under the minimum at the end of the year.
    *_usual("barequeras", "ORG-CO-096", (date(2025, 11, 11), date(2025, 11, 26), 11_480, 8876)),
    # Three lots whose final assay is still to come when the sample ends, and one that waits for the umpire.
    *(
        _Told(f"still provisional {place}", organization_id, day, (_Stage("provisional", day, melt, (("seller", fineness),)),),
              payer_id, exporter_id)
        for place, (organization_id, day, melt, fineness, payer_id, exporter_id) in enumerate((
            ("ORG-PE-033", date(2025, 12, 9), 61_245, 8820, "PAY-05", "EXP-PE-05"),
            ("ORG-CO-047", date(2025, 12, 10), 48_310, 8845, "PAY-05", "EXP-CO-02"),
            ("ORG-BO-044", date(2025, 12, 12), 55_680, 9012, "PAY-03", "EXP-BO-02"),
        ))
    ),
    _Told(
        "waits for the umpire", "ORG-PE-046", date(2025, 11, 24),
        (
            _Stage("provisional", date(2025, 11, 24), 312_480, (("seller", 8840),)),
            _Stage("final", date(2025, 12, 11), 312_480, (("seller", 8840), ("buyer", 8823))),
        ),
        "PAY-04", "EXP-PE-07",
    ),
)  # fmt: skip


def dated_lots(producers: Mapping[str, Producer]) -> list[DatedLot]:
    """Return whom and when the told lots belong to, for the numbering."""
    return [DatedLot(told.name, producers[told.organization_id], told.sold_on, told.number) for told in _TOLD]


def told_lots(lot_ids: Mapping[str, str]) -> list[Lot]:
    """Return the told lots, under the ids that the numbering gave them."""
    return [_lot(told, lot_ids[told.name]) for told in _TOLD]


def _lot(told: _Told, lot_id: str) -> Lot:
    revisions = tuple(
        Revision(
            number=number,
            stage=stage.stage,
            published_on=stage.day,
            melt_steps=stage.melt_steps,
            sources=tuple(Source(*share) for share in told.shares or ((told.organization_id, stage.melt_steps),)),
            assays_tenths=stage.assays,
            payer_id=told.payer_id,
            documents=stage.documents,
            states_fine_weight=stage.states,
        )
        for number, stage in enumerate(told.stages, start=1)
    )
    return Lot(
        lot_id=lot_id,
        country=told.organization_id.split("-")[1],
        refiner_id=told.refiner_id,
        exporter_id=told.exporter_id,
        scheme="sbg",
        sold_on=told.sold_on,
        unit=told.unit,
        revisions=revisions,
        document_number=told.document_number or document_number(lot_id),
        benchmark_cents_per_ounce=told.benchmark_cents_per_ounce,
        price_share=told.price_share,
        told=True,
    )
