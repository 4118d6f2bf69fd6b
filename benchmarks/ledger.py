"""Entitlements a second into PostgreSQL, beside consumers that do less: `python -m benchmarks.ledger`.

Goal: what posting costs. Target: 0.3 of a bare consumer that only does inbox, COPY and offset; 0.5 is the hope.
Method: the sample's entitlements (16,934, duplicates and conflicts among them), in the same run against the same servers, with
a database of its own each time; medians of some rounds, which take turns.
1. In this process, from prepared records: the ledger's use case; a bare inbox, COPY and offset of the same records; and a bare
   COPY of the very rows that the ledger wrote, with their indexes.
2. From Kafka, as processes: the ledger with its relays, as in production; and a consumer of the same runtime that only does
   inbox, COPY and offset. The rate is taken from the offsets in PostgreSQL, between the first tenth and the last record; the
   relay's also, by its cursor.
"""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
import uvloop
from aiokafka import ConsumerRecord
from click.testing import CliRunner

from benchmarks.sample_entitlements import sample_entitlements
from premia.__main__ import main as premia
from premia.commands.migrate import bring_up_to_date
from premia.local.environment import with_login
from premia.local.stack import LocalStack
from premia.local.state import ROLES
from schemas.message import Message
from schemas.topics import ENTITLEMENTS
from services.ledger.use_cases.post_batch import post_batch
from services.runtime.batch_consumer import BATCH_RECORDS_MAX, Subscription, consume
from services.runtime.database import Connection, open_pool
from services.runtime.kafka import publish, start_producer
from services.runtime.process import tune_garbage_collection
from services.runtime.settings import required

RATIO_MIN: Final = 0.3
ROUNDS: Final = 3
WARM_SHARE: Final = 0.1
POLL_S: Final = 0.02
DEADLINE_S: Final = 180.0
COPIED: Final = ("account", "journal", "transfer", "entitlement", "lot_head", "lot_line", "balance", "subject", "outbox")
BARE_TABLES: Final = """
    CREATE SCHEMA bare;
    CREATE TABLE bare.consumer_offset (topic text, partition int, next_offset bigint NOT NULL, cluster_id text NOT NULL,
        last_record_sha256 bytea, updated_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (topic, partition));
    CREATE TABLE bare.inbox (source text, id text, PRIMARY KEY (source, id));
    CREATE TABLE bare.record (topic text, partition int, record_offset bigint, key bytea, value bytea,
        PRIMARY KEY (topic, partition, record_offset))"""
INBOX: Final = """
    INSERT INTO bare.inbox (source, id) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING
    RETURNING source, id"""

Records = Sequence[ConsumerRecord[Any, Any]]


def main() -> None:
    """Print the table; exit code 1 if the ledger behind Kafka is below the target."""
    folder = Path(tempfile.mkdtemp(prefix="premia-bench-"))
    folder.chmod(0o711)
    stack = LocalStack(folder / "stack", ends_with_caller=True)
    try:
        stack.start_infrastructure(("kafka", "postgres"))
        os.environ.update(stack.environment())
        records = sample_entitlements()
        print(
            f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, {len(records):,} entitlements"
        )
        uvloop.run(_in_process(stack, records))
        ratio = uvloop.run(_from_kafka(stack, records))
    finally:
        stack.remove()
        shutil.rmtree(folder)
    if ratio < RATIO_MIN:
        sys.exit(1)


# --- in this process ----------------------------------------------------------------------------------------------------


async def _in_process(stack: LocalStack, records: Records) -> None:
    tune_garbage_collection()
    rates: dict[str, list[float]] = {"inbox, COPY, offset": [], "COPY of the ledger's rows": [], "ledger": []}
    for _ in range(ROUNDS):
        url = await _new_database(stack)
        writer = with_login(url, ROLES[0], stack.state.passwords[ROLES[0]])
        rates["inbox, COPY, offset"].append(await _timed(url, records, _bare_batch))
        rates["ledger"].append(await _timed(writer, records, _ledger_batch))
        rates["COPY of the ledger's rows"].append(await _copy_rate(url, len(records)))
    _print("in process", rates, "inbox, COPY, offset")
    _print("in process", rates, "COPY of the ledger's rows")


async def _timed(url: str, records: Records, batch: Callable[[Connection, Records], Awaitable[object]]) -> float:
    conn = await asyncpg.connect(url)
    try:
        started = time.perf_counter()
        for first in range(0, len(records), BATCH_RECORDS_MAX):
            async with conn.transaction():
                await batch(conn, records[first : first + BATCH_RECORDS_MAX])
        return len(records) / (time.perf_counter() - started)
    finally:
        await conn.close()


async def _ledger_batch(conn: Connection, records: Records) -> None:
    await post_batch(conn, records)
    await conn.execute("UPDATE ledger.consumer_offset SET next_offset = $1", records[-1].offset + 1)


async def _bare_batch(conn: Connection, records: Records) -> None:
    await _bare_apply(conn, records)
    await conn.execute("UPDATE bare.consumer_offset SET next_offset = $1", records[-1].offset + 1)


async def _copy_rate(url: str, entitlements: int) -> float:
    """Copy what the ledger wrote, in as many SQL transactions as it took."""
    conn = await asyncpg.connect(url)
    try:
        rows: dict[str, list[tuple[object, ...]]] = {}
        for table in COPIED:
            await conn.execute(f"CREATE TABLE bare.{table} (LIKE ledger.{table} INCLUDING ALL)")
            rows[table] = [tuple(row) for row in await conn.fetch(f"SELECT * FROM ledger.{table}")]
        batches = -(-entitlements // BATCH_RECORDS_MAX)
        started = time.perf_counter()
        for number in range(batches):
            async with conn.transaction():
                for table, found in rows.items():
                    first, last = (len(found) * edge // batches for edge in (number, number + 1))
                    await conn.copy_records_to_table(table, schema_name="bare", records=found[first:last])
        return entitlements / (time.perf_counter() - started)
    finally:
        await conn.close()


# --- from Kafka ---------------------------------------------------------------------------------------------------------


async def _from_kafka(stack: LocalStack, records: Records) -> float:
    result = await asyncio.to_thread(CliRunner().invoke, premia, ["topics", "apply"])
    assert result.exit_code == 0, result.output
    producer = await start_producer()
    await publish(producer, [Message(made.topic, made.key, made.value, made.headers) for made in records])
    await producer.stop()
    rates: dict[str, list[float]] = {"bare consumer": [], "ledger": [], "ledger, relayed": []}
    for _ in range(ROUNDS):
        url = await _new_database(stack)
        with _process("benchmarks.ledger", url, "bare"):
            rates["bare consumer"].append(await _rate(url, "SELECT sum(next_offset) FROM bare.consumer_offset", len(records)))
        with _process("services.ledger", with_login(url, ROLES[0], stack.state.passwords[ROLES[0]])):
            read, relayed = await asyncio.gather(
                _rate(url, "SELECT sum(next_offset) FROM ledger.consumer_offset", len(records)),
                _rate(url, "SELECT position + 1 FROM ledger.relay_cursor WHERE source = 'journal'", 18_722, len(records)),
            )
            rates["ledger"].append(read)
            rates["ledger, relayed"].append(relayed)
    _print("from Kafka", rates, "bare consumer")
    return statistics.median(rates["ledger"]) / statistics.median(rates["bare consumer"])


async def _rate(url: str, query: str, wanted: int, entitlements: int | None = None) -> float:
    """Entitlements a second, from when a tenth of what is wanted is there until all of it is."""
    conn = await asyncpg.connect(url)
    try:
        first, first_at = await _reach(conn, query, int(wanted * WARM_SHARE))
        last, last_at = await _reach(conn, query, wanted)
    finally:
        await conn.close()
    return (last - first) / (last_at - first_at) * ((entitlements or wanted) / wanted)


async def _reach(conn: Connection, query: str, wanted: int) -> tuple[int, float]:
    deadline = time.monotonic() + DEADLINE_S
    while (found := int(await conn.fetchval(query) or 0)) < wanted:
        assert time.monotonic() < deadline, f"{found} of {wanted} after {DEADLINE_S:.0f} s"
        await asyncio.sleep(POLL_S)
    return found, time.monotonic()


@contextmanager
def _process(module: str, url: str, *arguments: str) -> Iterator[None]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    environment = {**os.environ, "PREMIA_LEDGER_HTTP": f"127.0.0.1:{port}", "PREMIA_LEDGER_DATABASE_URL": url}
    environment["PREMIA_LEDGER_LOG"] = tempfile.mkdtemp(dir=os.environ["PREMIA_LEDGER_LOG"])  # a log for each database
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], env=environment, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


# --- the bare consumer --------------------------------------------------------------------------------------------------


async def bare() -> None:
    """The runtime's consumer with nothing but an inbox and a COPY of the records."""
    tune_garbage_collection()
    pool = await open_pool(required("PREMIA_LEDGER_DATABASE_URL"))
    await consume(pool, Subscription("bare", "bare", (ENTITLEMENTS,), _bare_apply, lambda: None))


async def _bare_apply(conn: Connection, records: Records) -> None:
    headers = [dict(record.headers) for record in records]
    await conn.fetch(INBOX, [told["ce_salesource"].decode() for told in headers], [told["ce_id"].decode() for told in headers])
    await conn.copy_records_to_table(
        "record",
        schema_name="bare",
        records=[(record.topic, record.partition, record.offset, record.key, record.value) for record in records],
    )


# --- both ---------------------------------------------------------------------------------------------------------------


async def _new_database(stack: LocalStack) -> str:
    server = stack.environment()["DATABASE_URL"]
    name = f"bench_{time.monotonic_ns()}"
    conn = await asyncpg.connect(server)
    await conn.execute(f"CREATE DATABASE {name}")
    await conn.close()
    url = f"{server.rsplit('/', 1)[0]}/{name}"
    await bring_up_to_date(url, {"PREMIA_LEDGER_DATABASE_URL": stack.environment()["PREMIA_LEDGER_DATABASE_URL"]})
    conn = await asyncpg.connect(url)
    await conn.execute(BARE_TABLES)
    await conn.close()
    return url


def _print(where: str, rates: dict[str, list[float]], baseline: str) -> None:
    base = statistics.median(rates[baseline])
    for name, found in rates.items():
        middle = statistics.median(found)
        spread = f"({min(found):,.0f}..{max(found):,.0f})"
        print(f"{where}: {name:26} {middle:8,.0f} entitlements/s {spread:18} {middle / base:5.2f} of {baseline}")


if __name__ == "__main__":
    if sys.argv[1:] == ["bare"]:
        uvloop.run(bare())
    else:
        main()
