"""When the sample programme settles, and on which days its refiners publish.

Goal: a business calendar that a driver can walk: publish up to a cycle's day, settle on it, issue statements after it.
Method: one cycle a year to 2024, on the third Thursday of December; four in 2025, on the last Thursday of each quarter but
the last. Between a cycle's day and the end of its period the refiners are closed, so that a period and its cycle agree.
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
class Cycle:
    """One settlement cycle. The period is half-open, as all ranges of Premia are."""

    settles_on: date
    period_from: date
    period_to: date
    statements_on: date

    def closed_on(self, day: date) -> bool:
        """Tell whether refiners publish nothing on this day, because the cycle has begun and its period goes on."""
        return self.settles_on <= day < self.period_to


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
    return Cycle(
        settles_on=_third_thursday_of_december(year),
        period_from=date(year, 1, 1),
        period_to=date(year + 1, 1, 1),
        statements_on=first_workday(date(year + 1, 1, 3)),
    )


def _quarterly(year: int) -> list[Cycle]:
    settled = (date(year, 3, 27), date(year, 6, 26), date(year, 9, 25), _third_thursday_of_december(year))
    starts = [date(year, month, 1) for month in (1, 4, 7, 10)] + [date(year + 1, 1, 1)]
    statements = (date(year, 4, 1), date(year, 7, 1), date(year, 10, 1), date(year + 1, 1, 5))
    return [Cycle(on, starts[row], starts[row + 1], statements[row]) for row, on in enumerate(settled)]


CYCLES: Final = (*(_yearly(year) for year in YEARS if year < QUARTERLY_YEAR), *_quarterly(QUARTERLY_YEAR))
LAST_PUBLISHING_DAY: Final = CYCLES[-1].settles_on - timedelta(days=1)


def publishing_day(day: date) -> date:
    """Return the first day from `day` on that refiners publish on. After the last cycle there is none."""
    assert day <= LAST_PUBLISHING_DAY, "nothing is published after the last cycle"
    for cycle in CYCLES:
        if cycle.closed_on(day):
            # Refiners come back over three days, not all at once.
            day = cycle.period_to + timedelta(days=1 + day.toordinal() % 3)
            break
    return first_workday(day)


def publishes(day: date) -> bool:
    """Tell whether an event of this day still comes before the last cycle."""
    return day <= LAST_PUBLISHING_DAY and publishing_day(day) <= LAST_PUBLISHING_DAY


def workdays(first: date, last: date) -> list[date]:
    """All Mondays to Fridays from `first` to `last`, both included."""
    days = (first + timedelta(days=count) for count in range((last - first).days + 1))
    return [day for day in days if is_workday(day)]
