"""Rows of a query, one after the other, with the next one at hand.

Goal: tables of any size are read side by side in the memory of a few pages.
Method: server-side cursors on one connection, in one snapshot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.cursor import Cursor
    from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
Row: TypeAlias = Any  # asyncpg's records have no types of their own


class Stream:
    """A query's rows. `row` is the next one, None at the end."""

    def __init__(self, cursor: Cursor[asyncpg.Record], page_rows: int) -> None:
        """Use `open_stream`."""
        self._cursor = cursor
        self._page_rows = page_rows
        self._page: list[asyncpg.Record] = []
        self._place = 0
        self.row: Row | None = None

    @property
    def next_row(self) -> Row:
        """The next row, where there is one."""
        assert self.row is not None, "asked at the end of a stream"
        return self.row

    async def advance(self) -> None:
        """Go on to the following row."""
        self._place += 1
        if self._place >= len(self._page):
            self._page = await self._cursor.fetch(self._page_rows)
            self._place = 0
        self.row = self._page[self._place] if self._page else None


async def open_stream(conn: Connection, query: str, *arguments: object, page_rows: int) -> Stream:
    """Begin to read; `row` is the first one."""
    stream = Stream(await conn.cursor(query, *arguments), page_rows)
    await stream.advance()
    return stream
