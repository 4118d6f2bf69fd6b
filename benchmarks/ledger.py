"""Entitlements a second from Kafka into PostgreSQL, beside bare consumers: `python -m benchmarks.ledger`.

Goal: what posting costs beyond reading and storing. Target: 0.3 of a bare consumer that only does inbox, COPY and offset and
never looks at a value; 0.5 is the hope. The relay has to keep up.
Method: the sample's entitlements, duplicates and conflicts among them, and copies of them for other lots. In each round the two
consumers of benchmarks.bare_consumer and the ledger as it runs in production take turns, each a process of its own against the
same servers, with a database and outgoing topics that nobody has written to. Where they stand is read from PostgreSQL every few
milliseconds: the offsets, and how far the relay has come. The rate is taken between the first tenth and the last record; ratios
are medians of the rounds' own, so that a load that comes and goes counts little. Processor time is that of the process and of
the server's processes behind it.
What no ledger with these rows could beat is told too: a COPY of the very rows that it wrote, with their indexes, in as many SQL
transactions, without Kafka and without a thought.
"""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

import asyncpg
import psutil
import uvloop
from aiokafka.admin import AIOKafkaAdminClient
from click.testing import CliRunner

from benchmarks.bare_consumer import BARE_TABLES, KINDS
from benchmarks.ledger_database import drop_database, empty_database, local_stack, machine, new_database, processor_s
from benchmarks.sample_entitlements import copies_of, sample_entitlements
from premia.__main__ import main as premia
from premia.local.stack import LocalStack
from schemas.message import Message
from schemas.note_signing import NoteKind, new_note_key
from schemas.topics import ENTITLEMENTS, LEDGER_TRANSACTIONS, SALE_OUTCOMES
from services.runtime.batch_consumer import BATCH_RECORDS_MAX
from services.runtime.database import Connection
from services.runtime.kafka import bootstrap_servers, publish, start_producer

RATIO_MIN: Final = 0.3
ROUNDS: Final = 5
COPIES: Final = 3  # of the sample: 50,000 entitlements
WARM_SHARE: Final = 0.1
POLL_S: Final = 0.01
DEADLINE_S: Final = 180.0
# How many entitlements are read, how many leaves are relayed, and how many there are; a bare consumer relays what it reads.
BARE_STANDS: Final = """
    SELECT read, read, read FROM (SELECT coalesce(sum(next_offset), 0)::int AS read FROM bare.consumer_offset) AS stand"""
LEDGER_STANDS: Final = f"""
    SELECT (SELECT coalesce(sum(next_offset), 0)::int FROM ledger.consumer_offset WHERE topic = '{ENTITLEMENTS}'),
        coalesce((SELECT position + 1 FROM ledger.relay_cursor WHERE source = 'journal'), 0),
        (SELECT tree_size FROM ledger.log_head)"""
COPIED: Final = ("account", "journal", "transfer", "entitlement", "lot_head", "lot_line", "balance", "subject", "outbox")
BACKENDS: Final = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


class _Run(NamedTuple):
    read_a_second: float
    relayed_a_second: float  # entitlements whose transactions were relayed
    process_us: float
    server_us: float


def main() -> None:
    """Print the table; exit code 1 if the ledger is below the target."""
    with local_stack("kafka", "postgres") as stack:
        ratio = uvloop.run(_measure(stack))
    if ratio < RATIO_MIN:
        sys.exit(1)


async def _measure(stack: LocalStack) -> float:
    await asyncio.to_thread(_apply_topics)
    entitlements = await _publish()
    print(f"{machine()}, {entitlements:,} entitlements a round")
    bare: dict[str, list[_Run]] = {kind: [] for kind in KINDS}
    ledger: list[_Run] = []
    copies: list[float] = []
    for _ in range(ROUNDS):
        for kind, runs in bare.items():
            url = await empty_database(stack)
            await _execute(url, BARE_TABLES)
            runs.append(await _run(("benchmarks.bare_consumer", kind), url, url, BARE_STANDS, entitlements))
            await drop_database(stack, url)
        await _empty_outgoing_topics()
        database = await new_database(stack)
        ledger.append(await _run(("services.ledger",), database.writer, database.admin, LEDGER_STANDS, entitlements))
        copies.append(await _copy_rate(database.admin, entitlements))
        await drop_database(stack, database.admin)
    for kind, runs in bare.items():
        _print(f"bare consumer of {kind}", [run.read_a_second for run in runs], runs)
    _print("COPY of the ledger's rows", copies)
    _print("ledger", [run.read_a_second for run in ledger], ledger)
    _print("ledger, until relayed", [run.relayed_a_second for run in ledger])
    return min(_ratio(kind, ledger, runs) for kind, runs in bare.items())


def _print(name: str, rates: list[float], runs: Sequence[_Run] = ()) -> None:
    line = f"{name:29} {statistics.median(rates):8,.0f} entitlements/s ({min(rates):,.0f}..{max(rates):,.0f})"
    if runs:
        process_us, server_us = (statistics.median(costs) for costs in zip(*[run[2:] for run in runs], strict=True))
        line += f", {process_us:.1f} µs of processor each, {server_us:.1f} µs in PostgreSQL"
    print(line)


def _ratio(kind: str, ledger: list[_Run], bare: list[_Run]) -> float:
    pairs = list(zip(ledger, bare, strict=True))
    by_rate = statistics.median(ours.relayed_a_second / theirs.read_a_second for ours, theirs in pairs)
    by_processor = statistics.median(sum(theirs[2:]) / sum(ours[2:]) for ours, theirs in pairs)
    print(f"ledger, until relayed / bare consumer of {kind}: {by_rate:.2f}; by processor time {by_processor:.2f}")
    return by_rate


async def _run(module: tuple[str, ...], url: str, admin: str, stands: str, entitlements: int) -> _Run:
    conn = await asyncpg.connect(admin)
    try:
        with running(module, url) as process:
            warm = await _reach(conn, stands, process, int(entitlements * WARM_SHARE))
            read = await _reach(conn, stands, process, entitlements)
            relayed = await _reach(conn, stands, process, entitlements, relayed=True)
    finally:
        await conn.close()
    count = entitlements - warm.read
    relayed_share = (relayed.relayed - warm.relayed) / relayed.relayed
    return _Run(
        count / (read.at - warm.at),
        entitlements * relayed_share / (relayed.at - warm.at),
        (relayed.process_s - warm.process_s) / count * 1e6,
        (relayed.server_s - warm.server_s) / count * 1e6,
    )


async def _copy_rate(admin: str, entitlements: int) -> float:
    conn = await asyncpg.connect(admin)
    try:
        await conn.execute("CREATE SCHEMA copied")
        rows: dict[str, list[tuple[object, ...]]] = {}
        for table in COPIED:
            await conn.execute(f"CREATE TABLE copied.{table} (LIKE ledger.{table} INCLUDING ALL)")
            rows[table] = [tuple(row) for row in await conn.fetch(f"SELECT * FROM ledger.{table}")]
        batches = -(-entitlements // BATCH_RECORDS_MAX)
        started = time.perf_counter()
        for number in range(batches):
            async with conn.transaction():
                for table, found in rows.items():
                    first, last = (len(found) * edge // batches for edge in (number, number + 1))
                    await conn.copy_records_to_table(table, schema_name="copied", records=found[first:last])
        return entitlements / (time.perf_counter() - started)
    finally:
        await conn.close()


class _Stand(NamedTuple):
    at: float
    read: int
    relayed: int
    process_s: float
    server_s: float


async def _reach(conn: Connection, stands: str, process: psutil.Process, entitlements: int, *, relayed: bool = False) -> _Stand:
    """Wait until so many entitlements are read, and with `relayed` until the relay has told of all leaves too."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        read, told, leaves = await conn.fetchrow(stands)
        if read >= entitlements and not (relayed and told != leaves):
            at = time.monotonic()
            backends = [psutil.Process(row["pid"]) for row in await conn.fetch(BACKENDS)]
            return _Stand(at, read, told, processor_s(process), processor_s(*backends))
        assert time.monotonic() < deadline, f"{read} of {entitlements} after {DEADLINE_S:.0f} s"
        await asyncio.sleep(POLL_S)


@contextmanager
def running(module: tuple[str, ...], url: str) -> Iterator[psutil.Process]:
    """A module as the ledger's process, with a log and a key of its own."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    environment = {**os.environ, "PREMIA_LEDGER_HTTP": f"127.0.0.1:{port}", "PREMIA_LEDGER_DATABASE_URL": url}
    environment["PREMIA_LEDGER_LOG"] = tempfile.mkdtemp(dir=os.environ["PREMIA_LEDGER_LOG"])  # a log for each database
    environment["PREMIA_LEDGER_LOG_KEY_TEXT"] = new_note_key("benchmark.example", NoteKind.LOG).text()
    process = subprocess.Popen([sys.executable, "-m", *module], env=environment, stderr=subprocess.DEVNULL)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


# --- Kafka --------------------------------------------------------------------------------------------------------------


def _apply_topics() -> None:
    result = CliRunner().invoke(premia, ["topics", "apply"])
    assert result.exit_code == 0, result.output


async def _publish() -> int:
    """Publish all entitlements. Returns how many."""
    producer = await start_producer()
    records = list(copies_of(sample_entitlements(), COPIES))
    await publish(producer, [Message(made.topic, made.key, made.value, made.headers) for made in records])
    await producer.stop()
    return len(records)


async def _empty_outgoing_topics() -> None:
    """Make them anew: the ledger reads the outcomes that it told, and those of another round are none of its work."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers())
    await admin.start()
    outgoing = {SALE_OUTCOMES, LEDGER_TRANSACTIONS}
    await admin.delete_topics(sorted(outgoing))
    while outgoing & set(await admin.list_topics()):  # noqa: ASYNC110  no event tells
        await asyncio.sleep(POLL_S)
    await admin.close()
    await asyncio.to_thread(_apply_topics)


async def _execute(url: str, statements: str) -> None:
    conn = await asyncpg.connect(url)
    await conn.execute(statements)
    await conn.close()


if __name__ == "__main__":
    main()
