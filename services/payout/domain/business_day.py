"""Days on which a bank carries out payments.

Method: Monday to Friday. Bank holidays are the bank's to know: it carries out on its next business day and says so.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

_SATURDAY: Final = 5


def next_business_day(on: date) -> date:
    """`on` itself if it is a business day, else the first one after it."""
    while on.weekday() >= _SATURDAY:
        on += timedelta(days=1)
    return on
