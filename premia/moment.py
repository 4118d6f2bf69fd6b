"""A moment as an option of a command: RFC 3339, or a day for its beginning in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, time

import click


class Moment(click.ParamType):
    """Converts 2025-03-14T10:00:00Z, or 2025-03-14, to an aware datetime."""

    name = "datetime"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """As click asks for it."""
        from schemas.cloudevents import time_from_text  # noqa: PLC0415  loads pydantic, which no help needs
        from schemas.identifiers import date_from_text  # noqa: PLC0415

        try:
            if "T" not in str(value):
                return datetime.combine(date_from_text(value), time(), UTC)
            return time_from_text(str(value))
        except ValueError:
            self.fail(f"{value!r}: write a time as 2025-03-14T10:00:00Z, or a day as 2025-03-14", param, ctx)
