"""When the sample programme settles, and on which days its refiners publish.

Goal: a business calendar that a driver can walk: publish up to a cycle's day, settle on it, issue statements after it.
Method: one cycle a year to 2024, on the third Thursday of December; four in 2025, on the last Thursday of each quarter but
the last. Between a cycle's day and the end of its period the refiners are closed, so that a period and its cycle agree. One
more, in March 2025, pays what is due in the middle of a quarter, without statements: one of its payments comes back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

FIRST_YEAR: Final = 2014
QUARTERLY_YEAR: Final = 2025
YEARS: Final = range(FIRST_YEAR, QUARTERLY_YEAR + 1)

THURSDAY: Final = 3
SATURDAY: Final = 5


@dataclass(frozen=True, slots=True)
class Returned:
    """A payment that the payee's bank sends back, so many business days after it was booked."""

    organization_id: str
    reason: str
    after_business_days: int


@dataclass(frozen=True, slots=True)
class Statements:
    """The period that statements cover, half-open as all ranges of Premia are, and the day of their issue."""

    period_from: date
    period_to: date
    issued_on: date


@dataclass(frozen=True, slots=True)
class Cycle:
    """One settlement cycle. Without statements it pays in the middle of a period."""

    settles_on: date
    statements: Statements | None
    returned: Returned | None = None

    def closed_on(self, day: date) -> bool:
        """Tell whether refiners publish nothing on this day, because the cycle has begun and its period goes on."""
        return self.statements is not None and self.settles_on <= day < self.statements.period_to


def is_workday(day: date) -> bool:
    """Tell whether a day is a Monday to Friday; bank holidays are the bank's business, not the refiners'."""
    return day.weekday() < SATURDAY


def first_workday(day: date) -> date:
    """Return the day itself, or the Monday after it."""
    while not is_workday(day):
        day += timedelta(days=1)
    return day


def _third_thursday_of_december(year: int) -> date:
    first = date(year, 12, 1)
    return first + timedelta(days=(THURSDAY - first.weekday()) % 7 + 14)


def _yearly(year: int) -> Cycle:
    # The 2nd of January is a bank holiday in Switzerland.
    issued_on = first_workday(date(year + 1, 1, 3))
    return Cycle(_third_thursday_of_december(year), Statements(date(year, 1, 1), date(year + 1, 1, 1), issued_on))


def _quarterly(year: int) -> list[Cycle]:
    settled = (date(year, 3, 27), date(year, 6, 26), date(year, 9, 25), _third_thursday_of_december(year))
    starts = [date(year, month, 1) for month in (1, 4, 7, 10)] + [date(year + 1, 1, 1)]
    issued = (date(year, 4, 1), date(year, 7, 1), date(year, 10, 1), date(year + 1, 1, 5))
    return [Cycle(on, Statements(starts[row], starts[row + 1], issued[row])) for row, on in enumerate(settled)]


# The payee's account had been closed meanwhile (AC04): the money is back on 11 March, and goes to a new account on the 27th.
IN_BETWEEN: Final = Cycle(date(2025, 3, 4), statements=None, returned=Returned("ORG-PE-012", "AC04", after_business_days=5))
CYCLES: Final = (
    *(_yearly(year) for year in YEARS if year < QUARTERLY_YEAR),
    IN_BETWEEN,
    *_quarterly(QUARTERLY_YEAR),
)
LAST_PUBLISHING_DAY: Final = CYCLES[-1].settles_on - timedelta(days=1)


def publishing_day(day: date) -> date:
    """Return the first day from `day` on that refiners publish on. After the last cycle there is none."""
    assert day <= LAST_PUBLISHING_DAY, "nothing is published after the last cycle"
    for cycle in CYCLES:
        if cycle.statements is not None and cycle.closed_on(day):
            # Refiners come back over three days, not all at once.
            day = cycle.statements.period_to + timedelta(days=1 + day.toordinal() % 3)
            break
    return first_workday(day)


def publishes(day: date) -> bool:
    """Tell whether an event of this day still comes before the last cycle."""
    return day <= LAST_PUBLISHING_DAY and publishing_day(day) <= LAST_PUBLISHING_DAY


def workdays(first: date, last: date) -> list[date]:
    """All Mondays to Fridays from `first` to `last`, both included."""
    days = (first + timedelta(days=count) for count in range((last - first).days + 1))
    return [day for day in days if is_workday(day)]
