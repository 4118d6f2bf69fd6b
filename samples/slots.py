"""Who sells when, and under which running number.

Goal: about 8,000 lots from 2014 to 2025 whose number grows as a real programme's does.
Method: each year's lots are shared among those who export in it; each lot gets a place in the year, each place a day, and
the days of a country and year give the running numbers. Lots that a story tells have their days, and some their numbers:
the others fit around them.
Refuses: a told number that cannot be had on its day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Final

from samples.cast import COUNTRIES, Producer
from samples.chance import Chance
from samples.cycles import QUARTERLY_YEAR, YEARS, workdays
from samples.premium import largest_remainder

LOTS_BY_YEAR: Final = {
    2014: 60, 2015: 112, 2016: 185, 2017: 270, 2018: 385, 2019: 520,
    2020: 565, 2021: 815, 2022: 1000, 2023: 1230, 2024: 1470, 2025: 1520,
}  # fmt: skip
assert list(LOTS_BY_YEAR) == list(YEARS)

MONTH: Final = 1000  # Places in a year are thousandths of a month.
QUIET_ORGANIZATION: Final = "ORG-PE-012"  # Its account must read as the story says, so chance adds nothing to it.


@dataclass(frozen=True, slots=True)
class Slot:
    """One lot to be made: whose, when, under which number. Fixed slots are filled by a story."""

    lot_id: str
    producer: Producer
    sold_on: date
    quiet: bool = False  # No correction, no umpire, nothing left for the next period.


@dataclass(frozen=True, slots=True)
class World:
    """What drawing a lot needs to know of everybody else."""

    producers: Mapping[str, Producer]
    scale: Mapping[str, Fraction] = field(default_factory=dict)  # by scheme

    def status_on(self, organization_id: str, scheme: str, day: date) -> str | None:
        """Return an organization's status for a scheme on a day."""
        return self.producers[organization_id].status_on(scheme, day)


@dataclass(frozen=True, slots=True)
class DatedLot:
    """A lot whose day, and perhaps number, a story tells."""

    name: str
    producer: Producer
    sold_on: date
    number: int | None = None


@dataclass(frozen=True, slots=True)
class _Wish:
    """Somebody wants to sell a lot at about a place in the year, in thousandths of a month."""

    place: int
    producer: Producer


def slots(producers: Sequence[Producer], dated: Sequence[DatedLot]) -> tuple[list[Slot], dict[str, str]]:
    """Return the ordinary slots, and the lot ids of the dated lots by their names."""
    wishes = _wishes_by_country_and_year(producers)
    ordinary: list[Slot] = []
    ids: dict[str, str] = {}
    for year in YEARS:
        for country in COUNTRIES:
            told = [lot for lot in dated if lot.producer.country == country and lot.sold_on.year == year]
            made, named = _numbered(country, year, wishes[country, year], told)
            ordinary += made
            ids |= named
    return ordinary, ids


def _wishes_by_country_and_year(producers: Sequence[Producer]) -> Mapping[tuple[str, int], list[_Wish]]:
    """Who wants to sell how often in a year, in the order of the year."""
    wishes: dict[tuple[str, int], list[_Wish]] = {(country, year): [] for country in COUNTRIES for year in YEARS}
    for year in YEARS:
        active = [producer for producer in producers if _months_active(producer, year) > 0]
        fixed = {
            producer.organization_id: producer.trade.lots_a_year * _months_active(producer, year) // 12
            for producer in active
            if producer.trade is not None and producer.trade.lots_a_year is not None
        }
        if year == QUARTERLY_YEAR:
            fixed[QUIET_ORGANIZATION] = 0  # Its lots of 2025 are told.
        weights = {
            producer.organization_id: producer.trade.lots_weight * _months_active(producer, year)
            for producer in active
            if producer.trade is not None and producer.trade.lots_weight and producer.organization_id not in fixed
        }
        counts = fixed | largest_remainder(LOTS_BY_YEAR[year] - sum(fixed.values()), weights)
        for producer in active:
            for nth in range(counts.get(producer.organization_id, 0)):
                wishes[producer.country, year].append(_Wish(_place_in_year(producer, year, nth), producer))
    return {key: sorted(rows, key=lambda wish: (wish.place, wish.producer.organization_id)) for key, rows in wishes.items()}


def _months(producer: Producer, year: int) -> tuple[int, int]:
    """First month and the month after the last in which a producer exports in a year."""
    assert producer.trade is not None
    since, until = producer.trade.since, producer.trade.until
    first = since[1] if year == since[0] else 1
    last = until[1] if year == until[0] else 12
    return (first, last + 1) if since[0] <= year <= until[0] else (1, 1)


def _months_active(producer: Producer, year: int) -> int:
    if producer.trade is None:
        return 0
    first, after_last = _months(producer, year)
    return after_last - first


def _place_in_year(producer: Producer, year: int, nth: int) -> int:
    first, after_last = _months(producer, year)
    chance = Chance("place in year", producer.organization_id, year, nth)
    return chance.between((first - 1) * MONTH, (after_last - 1) * MONTH - 1)


def _numbered(country: str, year: int, wishes: Sequence[_Wish], told: Sequence[DatedLot]) -> tuple[list[Slot], dict[str, str]]:
    """Give days and running numbers, in the order of days, such that told lots have the days and numbers they must."""
    ordinary_rows: list[tuple[date, Producer | DatedLot]] = _dated(year, wishes, told)
    # The sort is stable and told lots are first, so a told lot leads its day.
    rows = sorted([*((lot.sold_on, lot) for lot in told), *ordinary_rows], key=lambda row: row[0])
    ordinary, ids = [], {}
    for number, (day, who) in enumerate(rows, start=1):
        lot_id = f"{country}-{year}-{number:06d}"
        if isinstance(who, DatedLot):
            assert who.number in (None, number), f"{who.name} is {lot_id}"
            ids[who.name] = lot_id
        else:
            ordinary.append(Slot(lot_id, who, day, quiet=who.organization_id == QUIET_ORGANIZATION))
    return ordinary, ids


def _dated(year: int, wishes: Sequence[_Wish], told: Sequence[DatedLot]) -> list[tuple[date, Producer | DatedLot]]:
    """Give each wish a day: at its place in the year, or evenly between told lots where running numbers must fit."""
    last = date(year, 11, 14) if year == QUARTERLY_YEAR else date(year, 12, 9)
    days = workdays(date(year, 1, 7), last)
    if not any(lot.number for lot in told):
        return [(days[wish.place * len(days) // (12 * MONTH)], wish.producer) for wish in wishes]
    rows: list[tuple[date, Producer | DatedLot]] = []
    waiting = list(wishes)
    for first, end, count in _segments(year, told, last, len(wishes)):
        days = workdays(first, end)
        taken, waiting = waiting[:count], waiting[count:]
        rows += [(days[place * len(days) // count], wish.producer) for place, wish in enumerate(taken)]
    return rows


def _segments(year: int, told: Sequence[DatedLot], last: date, wishes: int) -> list[tuple[date, date, int]]:
    """Stretches of days with the number of ordinary lots in each, so that numbers that are told come out."""
    starts_on, used, segments = date(year, 1, 7), 0, []
    for anchor in sorted((lot for lot in told if lot.number is not None), key=lambda lot: lot.sold_on):
        assert anchor.number is not None
        before = sum(lot.sold_on < anchor.sold_on for lot in told)
        count = anchor.number - 1 - before - used
        segments.append((starts_on, anchor.sold_on - timedelta(days=1), count))
        starts_on, used = anchor.sold_on, used + count
    segments.append((starts_on, last, wishes - used))
    return [segment for segment in segments if segment[2]]
