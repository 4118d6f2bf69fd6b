"""Comparisons that PostgreSQL makes: only what differs comes back, whatever the size of the tables."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple

from premia.fsck.deviation import Deviation, DeviationCode
from premia.fsck.streams import Connection, open_stream

PAGE_ROWS: Final = 1_000


class Comparison(NamedTuple):
    """A query of three texts a row: `place`, `expected` and `found`, one row for each deviation.

    `given`: a WITH clause that several queries begin with.
    """

    code: DeviationCode
    sql: str
    given: str = ""
    arguments: tuple[object, ...] = ()


async def differences(conn: Connection, comparisons: Sequence[Comparison]) -> AsyncIterator[Deviation]:
    """Yield the rows of all queries as deviations."""
    for code, sql, given, arguments in comparisons:
        rows = await open_stream(conn, given + sql, *arguments, page_rows=PAGE_ROWS)
        while (row := rows.row) is not None:
            yield Deviation(code, row["place"], row["expected"], row["found"])
            await rows.advance()
