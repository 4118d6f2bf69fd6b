"""The organizations of the sample: 128 producers, of which 43 export, and those who trade with them.

Goal: a programme of the size and shape of a real one, in which nobody is real.
Method: who exports, since when and how much is a table; the 85 others are drawn. Names say Ejemplo, Muestra or Modelo;
towns are invented but for the one that the specification's story names; tax numbers and accounts are in ranges that no
register issues.
Refuses: more or fewer than 128 producers, 43 of them exporting.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from samples.chance import Chance

PRODUCERS: Final = 128
EXPORTING: Final = 43
SUSPENDED: Final = 20  # It sells on while it is suspended, and stays supported.
BENEFICIARIES: Final = 32_418  # "over 32,000" is what the real programme publishes.

COUNTRIES: Final = ("PE", "CO", "BO")


@dataclass(frozen=True, slots=True)
class Trade:
    """How an exporting producer sells. `lots_weight` is its part of what the programme's lots of a year are shared by."""

    number: int
    since: tuple[int, int]
    lots_weight: int
    mean_melt_g: int
    payer_id: str
    exporter_id: str
    scheme: str = "sbg"
    until: tuple[int, int] = (2025, 12)
    lots_a_year: int | None = None  # Fixed instead of shared.
    eligible_after_days: int = 0  # It exported so long before it reached the step that earns premiums.
    blends: bool = False


_JEWELLER, _WATCHES, _BANK_FUND, _LATE, _RINGS, _DEALER = (f"PAY-0{number}" for number in range(1, 7))

# fmt: off
TRADES: Final = (
    Trade(1, (2014, 2), 7, 2600, _JEWELLER, "EXP-PE-01"),
    Trade(2, (2014, 3), 5, 2100, _WATCHES, "EXP-PE-02"),
    Trade(3, (2014, 6), 5, 2400, _JEWELLER, "EXP-CO-01"),
    Trade(5, (2015, 2), 2, 1500, _JEWELLER, "EXP-PE-01", scheme="fairmined", lots_a_year=11),
    Trade(6, (2015, 5), 6, 2900, _WATCHES, "EXP-PE-03"),
    Trade(8, (2016, 2), 5, 2200, _WATCHES, "EXP-PE-02", eligible_after_days=170),
    Trade(9, (2016, 4), 6, 2500, _JEWELLER, "EXP-BO-01", eligible_after_days=75),
    Trade(11, (2016, 8), 4, 1900, _WATCHES, "EXP-CO-01"),
    Trade(15, (2017, 2), 6, 2800, _BANK_FUND, "EXP-PE-04"),
    Trade(16, (2017, 4), 4, 2000, _WATCHES, "EXP-PE-03", until=(2023, 6)),
    Trade(18, (2017, 9), 5, 2300, _BANK_FUND, "EXP-CO-02"),
    Trade(19, (2018, 2), 5, 2600, _BANK_FUND, "EXP-PE-05"),
    Trade(22, (2018, 3), 4, 2000, _WATCHES, "EXP-BO-01", eligible_after_days=140),
    Trade(23, (2018, 8), 3, 1700, _JEWELLER, "EXP-CO-01", scheme="fairmined", lots_a_year=12),
    Trade(25, (2019, 2), 6, 3000, _LATE, "EXP-PE-01"),
    Trade(28, (2019, 3), 4, 2100, _LATE, "EXP-PE-04"),
    Trade(29, (2019, 6), 3, 1800, _WATCHES, "EXP-PE-06", until=(2022, 3)),
    Trade(31, (2019, 2), 9, 2200, _JEWELLER, "EXP-CO-02", scheme="fairmined", lots_a_year=26),
    Trade(13, (2020, 6), 4, 2200, _WATCHES, "EXP-PE-07", lots_a_year=22, blends=True),
    Trade(44, (2020, 3), 5, 2300, _BANK_FUND, "EXP-BO-02"),
    Trade(12, (2021, 2), 2, 2200, _JEWELLER, "EXP-PE-07", lots_a_year=12),
    Trade(20, (2021, 3), 2, 1900, _WATCHES, "EXP-PE-03", until=(2024, 12), lots_a_year=11),
    Trade(33, (2021, 2), 6, 2700, _RINGS, "EXP-PE-05"),
    Trade(51, (2021, 4), 3, 1900, _LATE, "EXP-BO-02", lots_a_year=19),
    Trade(34, (2021, 7), 5, 2500, _RINGS, "EXP-CO-03", eligible_after_days=95),
    Trade(36, (2022, 2), 5, 2600, _RINGS, "EXP-PE-06"),
    Trade(38, (2022, 3), 4, 2100, _DEALER, "EXP-PE-02"),
    Trade(62, (2022, 5), 4, 2000, _DEALER, "EXP-CO-03", eligible_after_days=120),
    Trade(41, (2022, 8), 4, 2400, _DEALER, "EXP-BO-01"),
    Trade(42, (2023, 2), 5, 2500, _BANK_FUND, "EXP-PE-04"),
    Trade(46, (2023, 3), 5, 2800, _LATE, "EXP-PE-07"),
    Trade(47, (2023, 5), 4, 2100, _RINGS, "EXP-CO-02", eligible_after_days=80),
    Trade(53, (2023, 6), 4, 2300, _WATCHES, "EXP-PE-01"),
    Trade(55, (2023, 9), 3, 1800, _DEALER, "EXP-BO-02", eligible_after_days=110),
    Trade(60, (2024, 2), 5, 2600, _DEALER, "EXP-PE-05"),
    Trade(67, (2024, 3), 4, 2200, _RINGS, "EXP-CO-01"),
    Trade(71, (2024, 4), 4, 2300, _BANK_FUND, "EXP-PE-06"),
    Trade(78, (2024, 6), 4, 2000, _LATE, "EXP-PE-03"),
    Trade(85, (2024, 8), 4, 2100, _DEALER, "EXP-BO-01"),
    # Those who begin in 2025 have only the lots of their stories.
    Trade(27, (2025, 2), 0, 60, _WATCHES, "EXP-PE-02", lots_a_year=0),
    Trade(58, (2025, 1), 0, 450, _RINGS, "EXP-CO-02", lots_a_year=0),
    Trade(49, (2025, 10), 0, 900, _BANK_FUND, "EXP-BO-02", lots_a_year=0),
    Trade(96, (2025, 11), 0, 110, _RINGS, "EXP-CO-03", lots_a_year=0),
)
# fmt: on

# Countries of producers 1 to 128; those that the table and the stories need are set, the others follow a pattern.
_COUNTRY_PATTERN: Final = ("PE", "PE", "CO", "PE", "BO", "PE", "CO", "PE", "CO", "PE", "BO", "CO")
_COUNTRY_BY_EXPORTER_PREFIX: Final = {"EXP-PE": "PE", "EXP-CO": "CO", "EXP-BO": "BO"}

_TOLD_NAMES: Final = {
    12: "Asociación Minera Ejemplo",
    13: "Cooperativa Minera Muestra",
    20: "Sociedad Minera Modelo",
    27: "Asociación de Pallaqueras Muestra",
    31: "Cooperativa Aurífera Ejemplo",
    44: "Cooperativa Altiplano Modelo R.L.",
    49: "Cooperativa Minera Ejemplo Cumbre Nueva R.L.",
    58: "Barequeros Modelo",
    96: "Asociación de Barequeras Muestra",
}
_TOLD_BENEFICIARIES: Final = {12: 250, 13: 180, 20: 90, 27: 64, 31: 320, 44: 410, 58: 45, 96: 38}
_TOLD_CAPACITY_KG: Final = {12: 120, 20: 40, 27: 2, 31: 210, 51: 60, 58: 18, 96: 3}
_TOLD_TOWNS: Final = {12: ("Jr. Comercio 120", "Chala")}

_NOUNS: Final = ("Loma", "Piedra", "Quebrada", "Vega", "Laguna", "Cumbre", "Pampa", "Veta", "Ladera", "Peña", "Cañada", "Mesa")
_ADJECTIVES: Final = (
    "Clara", "Serena", "Mansa", "Dorada", "Larga", "Honda", "Verde", "Sonora", "Tibia", "Callada", "Ligera", "Parda",
)  # fmt: skip
_FORMS: Final = {
    "PE": ("Asociación de Mineros Artesanales", "Cooperativa Minera", "Sociedad de Mineros", "Empresa Minera Comunal"),
    "CO": ("Asociación de Barequeros", "Cooperativa de Mineros", "Mineros Asociados", "Asociación de Mineros Tradicionales"),
    "BO": ("Cooperativa Minera Aurífera", "Cooperativa Minera", "Central de Mineros"),
}
_MARKS: Final = ("Ejemplo", "Muestra", "Modelo")


@dataclass(frozen=True, slots=True)
class StatusRange:
    """What a producer is to a scheme, over half-open days."""

    scheme: str
    status: str
    starts_on: date
    ends_before: date | None = None

    def contains(self, day: date) -> bool:
        """Tell whether the day lies in the range."""
        return self.starts_on <= day and (self.ends_before is None or day < self.ends_before)


@dataclass(frozen=True, slots=True)
class Producer:
    """A producer as the registry will have it; capacity and accounts are added there."""

    organization_id: str
    number: int
    country: str
    name: str
    town: str
    street: str
    beneficiaries: int
    statuses: tuple[StatusRange, ...]
    support: tuple[tuple[date, date | None], ...]
    trade: Trade | None
    told_capacity_kg: int | None

    def status_on(self, scheme: str, day: date) -> str | None:
        """Return the status for a scheme on a day, if there is one."""
        return next((row.status for row in self.statuses if row.scheme == scheme and row.contains(day)), None)


def producers() -> list[Producer]:
    """Return all producers, by number."""
    trades = {trade.number: trade for trade in TRADES}
    countries = _countries(trades)
    beneficiaries = _beneficiaries()
    made = [_producer(number, countries[number], trades.get(number), beneficiaries[number]) for number in countries]
    assert len(made) == PRODUCERS
    assert sum(producer.trade is not None for producer in made) == EXPORTING
    assert len({producer.name for producer in made}) == PRODUCERS
    return made


def _countries(trades: dict[int, Trade]) -> dict[int, str]:
    drawn = {number: _COUNTRY_PATTERN[number % len(_COUNTRY_PATTERN)] for number in range(1, PRODUCERS + 1)}
    return drawn | {number: _COUNTRY_BY_EXPORTER_PREFIX[trade.exporter_id[:6]] for number, trade in trades.items()}


def _beneficiaries() -> dict[int, int]:
    drawn = {
        number: _TOLD_BENEFICIARIES.get(number) or Chance("beneficiaries", number).between(60, 470)
        for number in range(1, PRODUCERS + 1)
    }
    # The sum is spread evenly over those whose number no story tells.
    free = [number for number in drawn if number not in _TOLD_BENEFICIARIES]
    each, more = divmod(BENEFICIARIES - sum(drawn.values()), len(free))
    for place, number in enumerate(free):
        drawn[number] += each + (1 if place < more else 0)
    assert min(drawn.values()) > 0
    return drawn


def _producer(number: int, country: str, trade: Trade | None, beneficiaries: int) -> Producer:
    chance = Chance("producer", number)
    place = f"{_NOUNS[number % len(_NOUNS)]} {_ADJECTIVES[(number // len(_NOUNS) + number) % len(_ADJECTIVES)]}"
    form, mark = chance.one_of(_FORMS[country]), _MARKS[number % len(_MARKS)]
    ending = " R.L." if country == "BO" else ""
    street, town = _TOLD_TOWNS.get(number, (f"Calle {_ADJECTIVES[number % 7]} {number}", place))
    support = _support(number, trade, chance)
    return Producer(
        organization_id=f"ORG-{country}-{number:03d}",
        number=number,
        country=country,
        name=_TOLD_NAMES.get(number, f"{form} {mark} {place}{ending}"),
        town=town,
        street=street,
        beneficiaries=beneficiaries,
        statuses=_statuses(number, trade, support[0][0], chance),
        support=support,
        trade=trade,
        told_capacity_kg=_TOLD_CAPACITY_KG.get(number),
    )


def _support(number: int, trade: Trade | None, chance: Chance) -> tuple[tuple[date, date | None], ...]:
    if trade is not None:
        year, _ = trade.since
        starts_on = date(max(2013, year - chance.between(1, 2)), chance.between(1, 12), 1)
        ends = None if trade.until[0] == 2025 or number == SUSPENDED else date(trade.until[0] + 1, 1, 1)
        return ((starts_on, ends),)
    starts_on = date(chance.between(2014, 2024), chance.between(1, 12), 1)
    if chance.happens(700):
        return ((starts_on, None),)
    ends = min(date(starts_on.year + chance.between(2, 4), 7, 1), date(2026, 1, 1))
    if chance.happens(250) and ends.year <= 2023:  # Some leave and come back.
        return ((starts_on, ends), (date(ends.year + 1, 3, 1), None))
    return ((starts_on, ends),)


def _statuses(number: int, trade: Trade | None, supported_from: date, chance: Chance) -> tuple[StatusRange, ...]:
    told = _told_statuses(number)
    if told:
        return told
    if trade is None:
        reached = supported_from + timedelta(days=chance.between(200, 900))
        if chance.happens(450):
            return (StatusRange("sbg", "step_1", supported_from),)
        return _steps(supported_from, reached, None)
    exports_from = date(trade.since[0], trade.since[1], 1)
    if trade.scheme == "fairmined":
        return (StatusRange("fairmined", "certified", min(supported_from, exports_from)),)
    if trade.eligible_after_days:
        reached = exports_from + timedelta(days=trade.eligible_after_days)
    else:
        reached = exports_from - timedelta(days=chance.between(25, 40))
    matured = reached + timedelta(days=chance.between(500, 1400)) if chance.happens(600) else None
    return _steps(supported_from, reached, matured)


def _steps(first: date, second: date, third: date | None) -> tuple[StatusRange, ...]:
    if third is not None and third >= date(2025, 12, 1):
        third = None
    ranges = [StatusRange("sbg", "step_1", first, second)] if first < second else []
    ranges.append(StatusRange("sbg", "step_2", max(first, second), third))
    if third is not None:
        ranges.append(StatusRange("sbg", "step_3", third))
    return tuple(ranges)


def _told_statuses(number: int) -> tuple[StatusRange, ...]:
    match number:
        case 12:
            return _steps(date(2019, 7, 1), date(2021, 1, 1), None)
        case 13:
            return (StatusRange("sbg", "step_3", date(2020, 6, 1)),)
        case 20:  # Suspended on 1 June 2024; what it sold from that day on earns nothing.
            return (
                StatusRange("sbg", "step_2", date(2021, 1, 1), date(2024, 6, 1)),
                StatusRange("sbg", "suspended", date(2024, 6, 1)),
            )
        case 31:  # Its certificate lapsed for half of 2023.
            return (
                StatusRange("fairmined", "certified", date(2019, 1, 1), date(2023, 1, 1)),
                StatusRange("fairmined", "certified", date(2023, 7, 1)),
            )
    return ()
