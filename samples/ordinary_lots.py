"""The many lots that nothing particular happens to, but for what happens to lots: assays differ, weights are corrected.

Goal: about 8,000 lots from 2014 to 2025 whose number grows as a real programme's does.
Method: `slots` says who sells when under which number; `ordinary_lot` draws one lot from its slot. The same slot with
another scale is the same lot with another weight, which is how the totals are calibrated.
Refuses: lots below 100 g or above 10 kg.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Final

from samples.cast import COUNTRIES, Producer
from samples.chance import Chance
from samples.cycles import QUARTERLY_YEAR, YEARS, publishes, publishing_day, workdays
from samples.lot import GRAM, KILOGRAM, TROY_OUNCE, Lot, Party, Revision, Source, Stage, Unit
from samples.premium import largest_remainder

LOTS_BY_YEAR: Final = {
    2014: 60, 2015: 112, 2016: 185, 2017: 270, 2018: 385, 2019: 520,
    2020: 565, 2021: 815, 2022: 1000, 2023: 1230, 2024: 1470, 2025: 1520,
}  # fmt: skip
assert list(LOTS_BY_YEAR) == list(YEARS)

MONTH: Final = 1000  # Places in a year are thousandths of a month.

MELT_MG_MIN: Final = 130_000
MELT_MG_MAX: Final = 9_200_000
SOURCES_OF_A_BLEND: Final = (2, 3, 3, 4, 5)
QUIET_ORGANIZATION: Final = "ORG-PE-012"  # Its account must read as the story says, so chance adds nothing to it.

# Who refines, since when, and how an exporter's gold gets there.
_REFINER_SINCE: Final = {"REF-CH-01": 2014, "REF-CH-02": 2016, "REF-CH-03": 2018}
_REFINER_BY_EXPORTER: Final = {
    "EXP-PE-02": "REF-CH-02", "EXP-PE-04": "REF-CH-02", "EXP-CO-01": "REF-CH-02", "EXP-BO-01": "REF-CH-03",
    "EXP-PE-06": "REF-CH-03", "EXP-CO-03": "REF-CH-03",
}  # fmt: skip
_PAYER_SINCE: Final = {"PAY-01": 2014, "PAY-02": 2014, "PAY-03": 2017, "PAY-04": 2019, "PAY-05": 2021, "PAY-06": 2022}

# Invented yearly levels of a gold price in USD per troy ounce: the real one needs a licence.
_BENCHMARK_USD: Final = {2021: 1800, 2022: 1790, 2023: 1940, 2024: 2380, 2025: 2650}


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


# --- one lot ----------------------------------------------------------------------------------------------------------


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
    parts = _parts(slot, world, chance)
    told_fineness = len(parts) > 1 and (trade.blends or chance.happens(500))
    sources = _Sources(parts, fineness, told_fineness)
    course = _Course(slot, payer_id, sources, melt_steps)
    _run(course, unit, chance)
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
            return f"118-{year}-40-{int(number) * 7 + 10_000:06d}"
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


def _parts(slot: Slot, world: World, chance: Chance) -> list[tuple[str, int, int]]:
    """Who delivered into the lot: organization, weight, and how far its fineness is from the lot's, in tenths."""
    own = slot.producer.organization_id
    trade = slot.producer.trade
    assert trade is not None
    if trade.scheme != "sbg" or slot.quiet or not (trade.blends or chance.happens(50)):
        return [(own, 1, 0)]
    count = chance.one_of(SOURCES_OF_A_BLEND)
    others = [
        organization_id
        for organization_id, producer in world.producers.items()
        if organization_id != own and _may_join(producer, slot)
    ]
    members = [own, *chance.shuffled(others)[: count - 1]]
    return [(member, chance.between(20, 100), chance.between(-300, 300)) for member in members]


def _may_join(producer: Producer, slot: Slot) -> bool:
    trade = producer.trade
    return (
        trade is not None
        and producer.country == slot.producer.country
        and trade.scheme == "sbg"
        and trade.lots_weight > 0
        and producer.organization_id != QUIET_ORGANIZATION
        and date(trade.since[0], trade.since[1], 1) <= slot.sold_on <= date(trade.until[0], trade.until[1], 28)
        and producer.status_on("sbg", slot.sold_on) in ("step_2", "step_3")
    )


@dataclass(frozen=True, slots=True)
class _Sources:
    """The parts of a lot, ready to share any melt weight."""

    parts: Sequence[tuple[str, int, int]]
    fineness_tenths: int
    with_fineness: bool

    def of(self, melt_steps: int) -> tuple[Source, ...]:
        """Share a melt weight; what is left over is the last part's, so that the sum is exact."""
        total = sum(weight for _, weight, _ in self.parts)
        steps = [melt_steps * weight // total for _, weight, _ in self.parts]
        steps[-1] += melt_steps - sum(steps)
        return tuple(
            Source(member, share, min(self.fineness_tenths + apart, 9990) if self.with_fineness else None)
            for (member, _, apart), share in zip(self.parts, steps, strict=True)
        )


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


# --- what happens to a lot ---------------------------------------------------------------------------------------------

FINAL_ONLY_PERMILLE: Final = 60
UMPIRE_PERMILLE: Final = 28
AGREED_PERMILLE: Final = 180
CORRECTED_PERMILLE: Final = 45
CANCELLED_PERMILLE: Final = 5
REWEIGHED_PERMILLE: Final = 200


def _run(course: _Course, unit: Unit, chance: Chance) -> None:
    """Let a lot take its course."""
    slot, fineness = course.slot, course.sources.fineness_tenths
    provisional = not chance.happens(FINAL_ONLY_PERMILLE)
    day = slot.sold_on + timedelta(days=chance.below(3))
    if provisional:
        course.add("provisional", day, (("seller", fineness),), documents=int(chance.happens(400)))
    cancelled, returns = chance.happens(CANCELLED_PERMILLE), chance.happens(150)
    if cancelled and provisional and chance.happens(600) and not slot.quiet:
        course.add("cancelled", course.last_day + timedelta(days=chance.between(2, 9)), (("seller", fineness),))
        if not returns:
            return
    if chance.happens(REWEIGHED_PERMILLE):
        course.melt_steps -= max(1, course.melt_steps * chance.between(2, 30) // 200_000)
    _settle_assays(course, unit, day, chance)
    if slot.quiet:
        return
    later = course.last_day + timedelta(days=chance.between(20, 120))
    if cancelled and course.revisions[-1].stage == "final" and publishes(later):
        course.add("cancelled", later, course.revisions[-1].assays_tenths)
    elif chance.happens(CORRECTED_PERMILLE) and not cancelled:
        _correct(course, chance)


def _settle_assays(course: _Course, unit: Unit, day: date, chance: Chance) -> None:
    """Add the final revision and, if the parties were too far apart, the umpire's."""
    fineness = course.sources.fineness_tenths
    kind, apart, states = chance.below(1000), chance.between(-5, 5), chance.happens(500)
    states = states and unit is not KILOGRAM
    final_day = max(day, course.last_day) + timedelta(days=chance.between(6, 20))
    if course.slot.quiet:
        final_day = min(final_day, date(day.year, 12, 16))
    beyond, verdict = chance.between(6, 24), chance.below(30)
    umpire_day = final_day + timedelta(days=chance.between(25, 45))
    if kind < UMPIRE_PERMILLE and publishes(umpire_day) and not course.slot.quiet:
        parties: tuple[tuple[Party, int], ...] = (("seller", fineness), ("buyer", fineness - beyond))
        course.add("final", final_day, parties, documents=1)
        course.add("umpire", umpire_day, (*parties, ("umpire", fineness - verdict)), documents=1)
        return
    if kind < UMPIRE_PERMILLE + AGREED_PERMILLE:
        course.add("final", final_day, (("agreed", fineness + apart),), documents=1, states=states)
        return
    course.add("final", final_day, (("seller", fineness), ("buyer", fineness + apart)), documents=1, states=states)


def _correct(course: _Course, chance: Chance) -> None:
    """Add a correction: usually another weight, sometimes other assays, another payer, or nothing that counts."""
    day = course.last_day + timedelta(days=chance.between(10, 150))
    kind, change, up = chance.below(100), chance.between(2, 30), chance.happens(250)
    last = course.revisions[-1]
    if not publishes(day):
        return
    assays, documents = last.assays_tenths, 1
    if kind < 74:
        moved = max(1, course.melt_steps * change // 10_000)
        course.melt_steps += moved if up else -moved
    elif kind < 86:
        assays = (("agreed", dict(last.assays_tenths).get("seller", last.assays_tenths[0][1]) - change % 9 - 1),)
    elif kind < 90:
        course.payer_id = "PAY-02" if course.payer_id == "PAY-01" else "PAY-01"
    else:
        documents = 2  # A paper is added: no money moves.
    stage: Stage = "final" if "agreed" in dict(assays) else last.stage
    course.add(stage, day, assays, documents=documents)


class _Course:
    """The revisions of one lot as they come."""

    def __init__(self, slot: Slot, payer_id: str, sources: _Sources, melt_steps: int) -> None:
        self.slot = slot
        self.payer_id = payer_id
        self.melt_steps = melt_steps
        self.sources = sources
        self._revisions: list[Revision] = []

    @property
    def revisions(self) -> tuple[Revision, ...]:
        return tuple(self._revisions)

    @property
    def last_day(self) -> date:
        return self._revisions[-1].published_on if self._revisions else self.slot.sold_on

    def add(
        self,
        stage: Stage,
        day: date,
        assays: tuple[tuple[Party, int], ...],
        *,
        documents: int = 0,
        states: bool = False,
    ) -> None:
        """Add the next revision, on the first day that refiners publish on, one day after the one before at least."""
        day = publishing_day(day)
        if self._revisions and day <= self.last_day:
            day = publishing_day(self.last_day + timedelta(days=1))
        number = len(self._revisions) + 1
        sources = self.sources.of(self.melt_steps)
        self._revisions.append(Revision(number, stage, day, self.melt_steps, sources, assays, self.payer_id, documents, states))
