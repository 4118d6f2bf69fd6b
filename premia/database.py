"""Commands that speak to PostgreSQL.

Goal: a database that does not answer is one line and exit 3, not a traceback; a password never shows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from premia.connection import Unreachable, needed

if TYPE_CHECKING:
    from services.runtime.database import Connection

CONNECT_TIMEOUT_S: Final = 10.0  # a database on the same machine or network answers in milliseconds.


def place(url: str) -> str:
    """Host, port and database of a URL, without login and password: fit for messages."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 5432}{parts.path}"


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    """A connection. Raises Unreachable (exit 3) if there is none to be had, or if it breaks."""
    import asyncpg  # noqa: PLC0415  takes longer to import than a command's help may

    try:
        conn = await asyncpg.connect(url, timeout=CONNECT_TIMEOUT_S)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Unreachable(f"PostgreSQL at {place(url)} cannot be used: {error}") from error
    try:
        yield conn
    except (asyncpg.ConnectionDoesNotExistError, ConnectionResetError) as error:
        raise Unreachable(f"PostgreSQL at {place(url)} went away: {error}") from error
    finally:
        await conn.close()


@asynccontextmanager
async def reader() -> AsyncIterator[Connection]:
    """A connection that only reads, in one snapshot: everything a command shows is as of one moment.

    Raises Unreachable (exit 3) if there is no database, or none that was migrated.
    """
    import asyncpg  # noqa: PLC0415

    async with connected(needed("PREMIA_READER_DATABASE_URL")) as conn:
        try:
            async with conn.transaction(isolation="repeatable_read", readonly=True):
                yield conn
        except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError, asyncpg.InsufficientPrivilegeError) as error:
            raise Unreachable(f"the database is not ready: {error}; bring it up to date with `premia migrate`") from error
