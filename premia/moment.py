"""A moment as an option of a command: RFC 3339, or a day for its beginning or its end in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Final

import click

BEGINNING: Final = time()
END: Final = time.max  # to the microsecond, as PostgreSQL keeps times


class Moment(click.ParamType):
    """Converts 2025-03-14T10:00:00Z to an aware datetime, and 2025-03-14 to a moment of that day."""

    name = "datetime"

    def __init__(self, of_day: time = BEGINNING) -> None:
        self._of_day = of_day

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """As click asks for it."""
        from schemas.cloudevents import time_from_text  # noqa: PLC0415  loads pydantic, which no help needs
        from schemas.identifiers import date_from_text  # noqa: PLC0415

        try:
            if "T" not in str(value):
                return datetime.combine(date_from_text(value), self._of_day, UTC)
            return time_from_text(str(value))
        except ValueError:
            self.fail(f"{value!r}: write a time as 2025-03-14T10:00:00Z, or a day as 2025-03-14", param, ctx)
