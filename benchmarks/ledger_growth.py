"""Posting, reading and checking while the journal grows: `python -m benchmarks.ledger_growth`.

Goal: a programme's twentieth year is posted as quickly as its first. Targets: the posting rate at 10,000, 100,000 and
1,000,000 transactions stays within 20 %; a balance is read in under 5 ms; `premia fsck` over all of it takes under 300 MB.
Method: the sample's entitlements, copied for other lots, are posted in this process from prepared records. At each size the
next copy is posted to the large journal and to a small one, a batch in turn, so that a load that comes and goes meets both; the
median ratio of the two is what counts. fsck is the command, as a process of its own; its memory is the most that it ever had.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from typing import Final

import asyncpg
import uvloop

from benchmarks.ledger_database import Posted, Record, local_stack, machine, new_database, post
from benchmarks.sample_entitlements import copies_of, sample_entitlements
from premia.local.stack import LocalStack
from services.ledger.use_cases.account_balances import AccountFilter, account_balances
from services.runtime.batch_consumer import BATCH_RECORDS_MAX
from services.runtime.database import Connection
from services.runtime.process import tune_garbage_collection

SIZES: Final = (10_000, 100_000, 1_000_000)
COPIES_MAX: Final = 70  # of the sample, with 18,700 transactions each: more than all sizes need
MEASURED_BATCHES: Final = 8  # about one copy
RATIO_MIN: Final = 0.8
BALANCES_READ: Final = 500
BALANCE_MS_MAX: Final = 5.0
FSCK_MB_MAX: Final = 300.0
NOT_CHECKED: Final = ("PREMIA_LEDGER_LOG", "PREMIA_DOCUMENTS_DIR")
# Runs a command and tells its exit code, peak memory and processor time. A process's peak begins with that of who started it,
# so a small one has to.
MEASURED: Final = (
    sys.executable,
    "-c",
    "import resource, subprocess, sys; code = subprocess.run(sys.argv[1:]).returncode;"
    "used = resource.getrusage(resource.RUSAGE_CHILDREN); print(code, used.ru_maxrss, used.ru_utime + used.ru_stime)",
)
FSCK: Final = (sys.executable, "-m", "premia", "fsck")


def main() -> None:
    """Print the table; exit code 1 if a target is missed."""
    with local_stack("postgres") as stack:
        missed = uvloop.run(_measure(stack))
        missed |= _check()
    if missed:
        sys.exit(1)


async def _measure(stack: LocalStack) -> bool:
    tune_garbage_collection()
    print(machine())
    large = await new_database(stack)
    os.environ["PREMIA_READER_DATABASE_URL"] = large.reader
    records = copies_of(sample_entitlements(), COPIES_MAX)
    missed = False
    conn = await asyncpg.connect(large.writer)
    for size in SIZES:
        filling = time.monotonic()
        while (leaves := await conn.fetchval("SELECT tree_size FROM ledger.log_head")) < size:
            await post(conn, islice(records, BATCH_RECORDS_MAX))
        print(f"{leaves:9,} transactions after {time.monotonic() - filling:.0f} s", flush=True)
        missed |= await _beside_a_small_one(stack, conn, records)
        missed |= await _balances(conn)
    await conn.close()
    return missed


async def _beside_a_small_one(stack: LocalStack, conn: Connection, records: Iterator[Record]) -> bool:
    database = await new_database(stack)
    small = await asyncpg.connect(database.writer)
    await post(small, islice(copies_of(sample_entitlements(), 1), MEASURED_BATCHES * BATCH_RECORDS_MAX // 2))
    at_size: list[Posted] = []
    at_start: list[Posted] = []
    for _ in range(MEASURED_BATCHES):
        batch = list(islice(records, BATCH_RECORDS_MAX))
        at_size.append(await post(conn, batch))
        at_start.append(await post(small, batch))
    await small.close()
    ratio = statistics.median(small.clock_s / large.clock_s for large, small in zip(at_size, at_start, strict=True))
    (rate, us), (small_rate, small_us) = _rate(at_size), _rate(at_start)
    print(
        f"          posting {rate:8,.0f} entitlements/s, beside a small journal {small_rate:,.0f}: {ratio:.2f};"
        f" {us:.1f} beside {small_us:.1f} µs of processor each"
    )
    return ratio < RATIO_MIN


def _rate(posted: list[Posted]) -> tuple[float, float]:
    """Entitlements a second, and microseconds of processor for each."""
    entitlements = sum(batch.entitlements for batch in posted)
    processor_s = sum(batch.client_s + batch.server_s for batch in posted)
    return entitlements / sum(batch.clock_s for batch in posted), processor_s / entitlements * 1e6


async def _balances(conn: Connection) -> bool:
    owners = [row["owner_id"] for row in await conn.fetch("SELECT DISTINCT owner_id FROM ledger.account")]
    took_ms = []
    for owner in random.choices(owners, k=BALANCES_READ):
        started = time.perf_counter()
        balances = [balance async for balance in account_balances(conn, AccountFilter((owner,)))]
        took_ms.append((time.perf_counter() - started) * 1e3)
        assert balances, owner
    p50, p99 = statistics.median(took_ms), statistics.quantiles(took_ms, n=100)[-1]
    print(f"          balances of an owner: p50 {p50:.2f} ms, p99 {p99:.2f} ms")
    return p50 > BALANCE_MS_MAX


def _check() -> bool:
    # Nothing is sealed in this process, and there are no statements: fsck says that it does not check what is not named.
    environment = {name: value for name, value in os.environ.items() if name not in NOT_CHECKED}
    started = time.monotonic()
    done = subprocess.run([*MEASURED, *FSCK], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    exit_code, memory_kb, processor_s = done.stdout.splitlines()[-1].split()
    print(
        f"premia fsck: {time.monotonic() - started:.0f} s, {float(processor_s):.0f} s of processor,"
        f" {int(memory_kb) / 1024:.0f} MB, exit code {exit_code}"
    )
    return int(memory_kb) / 1024 > FSCK_MB_MAX or exit_code != "0"


if __name__ == "__main__":
    main()
