"""The many lots that no story tells.

Goal: lots as different as real ones: units, finenesses, refiners, payers, sources.
Method: `ordinary_lot` draws one lot from its slot. The same slot with another scale is the same lot with another weight,
which is how the totals are calibrated.
Refuses: lots far below 100 g or above 10 kg.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Final

from samples.blends import Sources, drawn_parts
from samples.cast import Producer
from samples.chance import Chance
from samples.course import Course, run
from samples.lot import GRAM, KILOGRAM, TROY_OUNCE, Lot, Unit
from samples.slots import Slot, World

MELT_MG_MIN: Final = 130_000
MELT_MG_MAX: Final = 9_200_000

# Who refines, since when, and how an exporter's gold gets there.
_REFINER_SINCE: Final = {"REF-CH-01": 2014, "REF-CH-02": 2016, "REF-CH-03": 2018}
_REFINER_BY_EXPORTER: Final = {
    "EXP-PE-02": "REF-CH-02", "EXP-PE-04": "REF-CH-02", "EXP-CO-01": "REF-CH-02", "EXP-BO-01": "REF-CH-03",
    "EXP-PE-06": "REF-CH-03", "EXP-CO-03": "REF-CH-03",
}  # fmt: skip
_PAYER_SINCE: Final = {"PAY-01": 2014, "PAY-02": 2014, "PAY-03": 2017, "PAY-04": 2019, "PAY-05": 2021, "PAY-06": 2022}

# Invented yearly levels of a gold price in USD per troy ounce: the real one needs a licence.
_BENCHMARK_USD: Final = {2021: 1800, 2022: 1790, 2023: 1940, 2024: 2380, 2025: 2650}


def ordinary_lot(slot: Slot, world: World) -> Lot:
    """Draw one lot. The same slot gives the same lot, but for weights, which follow the world's scale."""
    chance = Chance("lot", slot.lot_id)
    trade = slot.producer.trade
    assert trade is not None
    exporter_id = trade.exporter_id
    refiner_id = _refiner(exporter_id, slot.sold_on.year, chance)
    unit = _unit(refiner_id, chance)
    spread = 250 + chance.below(900) + chance.below(900)  # mean 1150
    raw_mg = min(max(trade.mean_melt_g * spread * 1000 // 1150, MELT_MG_MIN), MELT_MG_MAX)
    melt_steps = round(raw_mg * world.scale.get(trade.scheme, Fraction(1)) / unit.step_mg)
    fineness = _usual_fineness_tenths(slot.producer) + chance.between(-150, 150)
    payer_id = _payer(trade.payer_id, slot, chance)
    parts = drawn_parts(slot, world, chance)
    told_fineness = len(parts) > 1 and (trade.blends or chance.happens(500))
    sources = Sources(parts, fineness, told_fineness)
    course = Course(slot, payer_id, sources, melt_steps, world)
    run(course, unit, chance)
    benchmark, share = _benchmark(refiner_id, trade.scheme, slot.sold_on, chance)
    return Lot(
        lot_id=slot.lot_id,
        country=slot.producer.country,
        refiner_id=refiner_id,
        exporter_id=exporter_id,
        scheme=trade.scheme,
        sold_on=slot.sold_on,
        unit=unit,
        revisions=course.revisions,
        document_number=document_number(slot.lot_id),
        benchmark_cents_per_ounce=benchmark,
        price_share=share,
        refiner_reference=f"L{slot.sold_on:%y}{slot.lot_id[-5:]}" if refiner_id == "REF-CH-02" else None,
    )


def document_number(lot_id: str) -> str:
    """A synthetic export declaration: DAM of SUNAT, DEX of DIAN or form M-03 of SENARECOM."""
    country, year, number = lot_id.split("-")
    match country:
        case "PE":
            return f"118-{year}-40-{int(number) * 7 + 10_003:06d}"
        case "CO":
            return f"6007{year}{int(number) * 3 + 40_000:07d}"
    return f"M03-{year}-{int(number) * 2 + 1_000:06d}"


def _refiner(exporter_id: str, year: int, chance: Chance) -> str:
    usual = _REFINER_BY_EXPORTER.get(exporter_id, "REF-CH-01")
    other = chance.one_of(sorted(_REFINER_SINCE))
    refiner = other if chance.happens(80) else usual
    return refiner if _REFINER_SINCE[refiner] <= year else "REF-CH-01"


def _unit(refiner_id: str, chance: Chance) -> Unit:
    if refiner_id != "REF-CH-02":
        return GRAM
    return KILOGRAM if chance.happens(250) else TROY_OUNCE


def _usual_fineness_tenths(producer: Producer) -> int:
    return Chance("fineness", producer.number).between(8000, 9300)


def _payer(usual: str, slot: Slot, chance: Chance) -> str:
    other = chance.one_of([payer for payer, since in _PAYER_SINCE.items() if since <= slot.sold_on.year])
    return other if chance.happens(50) and not slot.quiet else usual


def _benchmark(refiner_id: str, scheme: str, day: date, chance: Chance) -> tuple[int | None, Fraction | None]:
    said, drift, share = chance.happens(600), chance.between(-6000, 6000), chance.between(950, 978)
    if refiner_id != "REF-CH-01" or day.year not in _BENCHMARK_USD or not said:
        return None, None
    rise = (_BENCHMARK_USD.get(day.year + 1, 2900) - _BENCHMARK_USD[day.year]) * 100 * day.timetuple().tm_yday // 366
    cents = _BENCHMARK_USD[day.year] * 100 + rise + drift
    # A Fairmined lot sold below the floor is topped up; it is rare, since buyers pay for the label.
    if scheme == "fairmined" and chance.happens(25):
        share = 945
    return cents, Fraction(share, 1000)
