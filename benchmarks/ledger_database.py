"""A stack and databases for the benchmarks of the ledger, and posting in this process, from prepared records.

Goal: each measurement starts with a database of its own, on the server and with the logins that `premia up` makes.
Method: one SQL transaction a batch, as the consumer has it. Beside the rate stands processor time, of this process and of the
server's process behind the connection: it tells more than a rate where other work comes and goes.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import psutil
from aiokafka import ConsumerRecord

from premia.commands.migrate import bring_up_to_date
from premia.local.environment import with_login
from premia.local.stack import LocalStack
from premia.local.state import ROLES
from services.ledger.use_cases.post_batch import post_batch
from services.runtime.batch_consumer import BATCH_RECORDS_MAX
from services.runtime.database import Connection

Record = ConsumerRecord[Any, Any]


class Database(NamedTuple):
    """URLs of one database: of the administrator, and of the logins that the ledger and `premia fsck` have."""

    admin: str
    writer: str
    reader: str


class Posted(NamedTuple):
    """What was posted and what it took: seconds by the clock, of this process, of the server's process."""

    entitlements: int
    leaves: int
    transfers: int
    clock_s: float
    client_s: float
    server_s: float


def machine() -> str:
    """What the figures were measured on."""
    return f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores"


@contextmanager
def local_stack(*names: str) -> Iterator[LocalStack]:
    """A stack of its own with Kafka or PostgreSQL or both; its environment is this process's."""
    folder = Path(tempfile.mkdtemp(prefix="premia-bench-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as another account that has to pass through
    stack = LocalStack(folder / "stack", ends_with_caller=True)
    try:
        stack.start_infrastructure(names)
        os.environ.update(stack.environment())
        yield stack
    finally:
        stack.remove()
        shutil.rmtree(folder)


async def new_database(stack: LocalStack) -> Database:
    """A database with all schemas and nothing in them."""
    admin = await empty_database(stack)
    logins = {role: with_login(admin, role, stack.state.passwords[role]) for role in ROLES}
    with redirect_stdout(sys.stderr):
        await bring_up_to_date(admin, stack.environment())
    ledger_role, _, reader_role = ROLES
    return Database(admin, logins[ledger_role], logins[reader_role])


async def empty_database(stack: LocalStack) -> str:
    """A database without anything. Returns its administrator's URL."""
    server = stack.environment()["DATABASE_URL"]
    name = f"bench_{time.monotonic_ns()}"
    conn = await asyncpg.connect(server)
    await conn.execute(f"CREATE DATABASE {name}")
    await conn.close()
    return f"{server.rsplit('/', 1)[0]}/{name}"


async def drop_database(stack: LocalStack, admin: str) -> None:
    """Make room."""
    conn = await asyncpg.connect(stack.environment()["DATABASE_URL"])
    await conn.execute(f"DROP DATABASE {admin.rsplit('/', 1)[1]} WITH (FORCE)")
    await conn.close()


async def post(conn: Connection, records: Iterable[Record]) -> Posted:
    """Post records in batches, each an SQL transaction that also moves the offset. Making them is not counted."""
    entitlements = leaves = transfers = 0
    clock_s = client_s = server_s = 0.0
    server = psutil.Process(conn.get_server_pid())
    remaining = iter(records)
    while batch := list(islice(remaining, BATCH_RECORDS_MAX)):
        began = time.perf_counter(), time.process_time(), processor_s(server)
        async with conn.transaction():
            result = await post_batch(conn, batch)
            await conn.execute("UPDATE ledger.consumer_offset SET next_offset = $1", batch[-1].offset + 1)
        clock_s += time.perf_counter() - began[0]
        client_s += time.process_time() - began[1]
        server_s += processor_s(server) - began[2]
        entitlements += len(batch)
        leaves += result.leaves
        transfers += result.transfers
    return Posted(entitlements, leaves, transfers, clock_s, client_s, server_s)


def processor_s(*processes: psutil.Process) -> float:
    """Processor time of processes so far."""
    times = [process.cpu_times() for process in processes]
    return sum(found.user + found.system for found in times)
