"""Connections to PostgreSQL.

Method: asyncpg. A use case receives an open connection, never a pool, so that inbox, effects and offset commit together.
"""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, Final, TypeAlias

import asyncpg

if TYPE_CHECKING:
    from asyncpg import Record
    from asyncpg.pool import PoolConnectionProxy

# asyncpg's classes take a type parameter in its stubs only, hence the quotes.
Connection: TypeAlias = "asyncpg.Connection[Record] | PoolConnectionProxy[Record]"
Pool: TypeAlias = "asyncpg.Pool[Record]"

# Two consumers, two relays and a sealer with a lock each, measures, and a few requests; PostgreSQL allows 100 in all.
CONNECTIONS_MAX: Final = 10
LOCK_POLL_S: Final = 0.25  # how late a second process takes over from one that ended.
# A host that vanished frees its locks after 25 s; by default the server would ask for it after two hours.
KEEPALIVES: Final = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
COMMAND_TIMEOUT_S: Final = 120.0  # a posting batch takes under a second; past two minutes PostgreSQL is in trouble.


async def open_pool(url: str) -> Pool:
    """A pool of connections to `url`. Raises OSError or asyncpg.PostgresError if it cannot connect."""
    return await asyncpg.create_pool(
        url, min_size=1, max_size=CONNECTIONS_MAX, command_timeout=COMMAND_TIMEOUT_S, server_settings=KEEPALIVES
    )


async def hold_alone(conn: Connection, what: str) -> None:
    """Wait until this connection is the only one that holds `what` in its database, and hold it until the connection ends.

    The lock is the session's: it is free again when this process or its connection ends, however that happens. Asked for again
    and again instead of waited for: a second process waits for days, longer than any command may take.
    """
    lock = zlib.crc32(what.encode())
    while not await conn.fetchval("SELECT pg_try_advisory_lock($1)", lock):  # noqa: ASYNC110  no event tells
        await asyncio.sleep(LOCK_POLL_S)
