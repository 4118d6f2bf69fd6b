"""How soon a posting is sealed, and what sealing and proofs cost while the log grows: `python -m benchmarks.sealing`.

Goal: posted to sealed in under 1 s for 99 of 100 leaves at 1,000 transactions a second; a proof in under 5 ms at 1,000,000
leaves; a sealing rate and memory that do not depend on the size of the log.
Method: 1. the ledger as a process, as in production, with the sample's entitlements at a steady rate: from a leaf's
recorded_at, which is when its batch began, to the timestamp of the first checkpoint's message that covers it, beside that of
the transaction's own message. 2. leaves of 1.3 KB put into a journal straight away and sealed in this process as the sealer
does. At each size the same number of leaves is sealed into the large log and into a small one, in turn, so that a load that
comes and goes meets both; then proofs of random leaves are made, by the clock and by processor time: one is less than a
millisecond of work, and what a slow one waits for is its turn. What tessera's fsck needs for all of it is told where Go is.
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import asyncpg
import orjson
import psutil
import uvloop
from click.testing import CliRunner

from benchmarks.ledger import running
from benchmarks.ledger_database import local_stack, machine, new_database
from benchmarks.sample_entitlements import copies_of, sample_entitlements
from benchmarks.verify import leaf
from premia.__main__ import main as premia
from premia.local.stack import LocalStack
from schemas.message import Message
from schemas.note_signing import NoteKind, new_note_key
from schemas.topics import LEDGER_CHECKPOINTS, LEDGER_TRANSACTIONS
from services.ledger.adapters.growing_log import GrowingLog, resumed
from services.ledger.adapters.log_folder import LogFolder
from services.ledger.adapters.log_keys import LogKeys
from services.ledger.use_cases.prove_leaf import Proven, prove_leaf
from services.ledger.use_cases.seal_log import seal_log
from services.runtime.database import Connection
from services.runtime.kafka import publish, start_producer
from services.runtime.topic_log import open_log

RATE: Final = 1_000
SETTLE_S: Final = 3.0  # that do not count
MEASURED_S: Final = 15.0
TICK_S: Final = 0.01
LOOK_S: Final = 0.02
SEALED_S_MAX: Final = 1.0
SIZES: Final = (10_000, 100_000, 1_000_000)
MORE: Final = 8_192  # leaves that are sealed to measure the rate at a size
ROUNDS: Final = 8
FILL_LEAVES: Final = 5_000  # put into the journal at once
PROOFS: Final = 500
PROOF_MS_MAX: Final = 5.0
RATIO_MIN: Final = 0.8
DEADLINE_S: Final = 120.0
TESSERA: Final = "github.com/transparency-dev/tessera/cmd/fsck@v1.0.4"
JOURNAL: Final = (
    "leaf_index", "transaction_id", "subject_kind", "subject_id", "subject_number", "kind", "part", "parts", "effective_on",
    "recorded_at", "cause_id", "leaf",
)  # fmt: skip


def main() -> None:
    """Print the table; exit code 1 if a target is missed."""
    print(machine())
    with local_stack("kafka", "postgres") as stack:
        missed = uvloop.run(_latency(stack))
        missed |= uvloop.run(_growth(stack))
    if missed:
        sys.exit(1)


# --- posted to sealed ---------------------------------------------------------------------------------------------------


async def _latency(stack: LocalStack) -> bool:
    result = await asyncio.to_thread(CliRunner().invoke, premia, ["topics", "apply"])
    assert result.exit_code == 0, result.output
    database = await new_database(stack)
    conn = await asyncpg.connect(database.writer)
    with running(("services.ledger",), database.writer):
        await _send_steadily()
        leaves = await _when_all_is_sealed(conn)
        checkpoints = await _checkpoints()
        told_at = await _told_at()
    await conn.close()
    sizes = [size for size, _ in checkpoints]
    began = leaves[0][1]
    measured = [(index, at) for index, at in leaves if SETTLE_S < at - began < SETTLE_S + MEASURED_S]
    sealed_p99_s = 0.0
    for name, took_s in (
        ("told", sorted(told_at[index] - at for index, at in measured)),
        ("sealed", sorted(checkpoints[bisect_right(sizes, index)][1] - at for index, at in measured)),
    ):
        p50_s, sealed_p99_s = took_s[len(took_s) // 2], took_s[int(len(took_s) * 0.99)]
        print(
            f"posted to {name} at {len(took_s) / MEASURED_S:,.0f} transactions/s:"
            f" p50 {p50_s * 1e3:.0f} ms, p99 {sealed_p99_s * 1e3:.0f} ms, at most {took_s[-1] * 1e3:.0f} ms"
        )
    return sealed_p99_s > SEALED_S_MAX


async def _send_steadily() -> None:
    records = copies_of(sample_entitlements(), 2)
    producer = await start_producer()
    started = time.monotonic()
    sent = 0
    while (elapsed := time.monotonic() - started) < SETTLE_S + MEASURED_S + 1:
        records_due = islice(records, int(elapsed * RATE) - sent)
        due = [Message(made.topic, made.key, made.value, made.headers) for made in records_due]
        sent += len(due)
        await publish(producer, due)
        await asyncio.sleep(TICK_S)
    await producer.stop()


async def _when_all_is_sealed(conn: Connection) -> list[tuple[int, float]]:
    """The leaves and when their batches began, when the newest checkpoint covers them."""
    deadline = time.monotonic() + DEADLINE_S
    before = -1
    while True:
        size = await conn.fetchval("SELECT tree_size FROM ledger.log_head")
        checkpoints = await _checkpoints()
        if size == before and checkpoints and checkpoints[-1][0] == size:
            break
        assert time.monotonic() < deadline, f"{size} posted, {checkpoints[-1:]} sealed"
        before = size
        await asyncio.sleep(1)
    rows = await conn.fetch("SELECT leaf_index, recorded_at FROM ledger.journal ORDER BY leaf_index")
    return [(row["leaf_index"], row["recorded_at"].timestamp()) for row in rows]


async def _checkpoints() -> list[tuple[int, float]]:
    """Size and time of every checkpoint that was published, in order."""
    async with open_log(LEDGER_CHECKPOINTS) as topic:
        return [
            (orjson.loads(record.value)["tree_size"], record.timestamp / 1e3)
            async for records in topic.to_end()
            for record in records
        ]


async def _told_at() -> dict[int, float]:
    """When the transaction of each leaf was published."""
    told: dict[int, float] = {}
    async with open_log(LEDGER_TRANSACTIONS) as topic:
        async for records in topic.to_end():
            for record in records:
                index = orjson.loads(record.value).get("leaf_index")
                if index is not None:
                    told.setdefault(index, record.timestamp / 1e3)
    return told


# --- growth -------------------------------------------------------------------------------------------------------------


@dataclass
class _Log:
    """A journal and its log, sealed in this process."""

    conn: Connection
    folder: LogFolder
    keys: LogKeys
    growing: GrowingLog
    leaves: Iterator[tuple[int, bytes]]

    async def fill(self, size: int) -> None:
        """Let it grow to a size."""
        while self.growing.size < size:
            await _fill(self.conn, list(islice(self.leaves, min(FILL_LEAVES, size - self.growing.size))))
            await seal_log(self.conn, self.growing)

    async def seal(self) -> tuple[float, float]:
        """Seal some more leaves. Returns seconds by the clock and of this process."""
        await _fill(self.conn, list(islice(self.leaves, MORE)))
        began = time.perf_counter(), time.process_time()
        await seal_log(self.conn, self.growing)
        return time.perf_counter() - began[0], time.process_time() - began[1]


async def _new_log(stack: LocalStack) -> _Log:
    database = await new_database(stack)
    folder = LogFolder(Path(tempfile.mkdtemp(dir=os.environ["PREMIA_LEDGER_LOG"])))
    keys = LogKeys((new_note_key("benchmark.example", NoteKind.LOG),))
    return _Log(await asyncpg.connect(database.admin), folder, keys, resumed(folder, keys, 0), _leaves())


async def _growth(stack: LocalStack) -> bool:
    large = await _new_log(stack)
    missed = False
    for size in SIZES:
        await large.fill(size)
        small = await _new_log(stack)
        await large.conn.execute("CHECKPOINT")
        os.sync()  # what filling left to be written is not the measured leaves' fault
        rounds = []
        for number in range(ROUNDS):  # now one goes first, now the other
            pair = [await log.seal() for log in ((large, small) if number % 2 else (small, large))]
            rounds.append(pair if number % 2 else pair[::-1])
        await small.conn.close()
        rate, small_rate = (MORE / statistics.median(took[log][0] for took in rounds) for log in (0, 1))
        ratio = statistics.median(theirs[0] / ours[0] for ours, theirs in rounds)
        us, small_us = (statistics.median(took[log][1] for took in rounds) / MORE * 1e6 for log in (0, 1))
        proofs_ms, worked_ms = await _proofs_ms(large)
        memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{size:9,} leaves: sealing {rate:,.0f} leaves/s beside {small_rate:,.0f} of a small log: {ratio:.2f};"
            f" {us:.1f} beside {small_us:.1f} µs of processor each; a proof p50 {proofs_ms[len(proofs_ms) // 2]:.2f} ms,"
            f" p99 {proofs_ms[int(len(proofs_ms) * 0.99)]:.2f} ms, {worked_ms[int(len(worked_ms) * 0.99)]:.2f} of them at work;"
            f" {memory_mb:.0f} MB",
            flush=True,
        )
        missed |= proofs_ms[len(proofs_ms) // 2] > PROOF_MS_MAX or (size == SIZES[-1] and ratio < RATIO_MIN)
    await large.conn.close()
    _tessera(large.folder.path, large.keys)
    return missed


def _leaves() -> Iterator[tuple[int, bytes]]:
    index = 0
    while True:
        yield index, leaf(index)
        index += 1


async def _fill(conn: Connection, leaves: list[tuple[int, bytes]]) -> None:
    """Put leaves into the journal. Their rows say no more than the sealer reads."""
    now = await conn.fetchval("SELECT clock_timestamp()")
    rows: list[tuple[Any, ...]] = []
    for index, value in leaves:
        id_ = f"{index:032x}"
        subject = ("org", f"ORG-{index % 200}", index // 200 + 1)
        rows.append((index, id_, *subject, "premium", 1, 1, now.date(), now, id_, value))
    async with conn.transaction():
        await conn.copy_records_to_table("journal", schema_name="ledger", columns=JOURNAL, records=rows)
        await conn.execute("UPDATE ledger.log_head SET tree_size = $1, recorded_at = $2", leaves[-1][0] + 1, now)


async def _proofs_ms(log: _Log) -> tuple[list[float], list[float]]:
    """How long proofs took by the clock, and how much of it this process worked; each in ascending order."""
    took_ms, worked_ms = [], []
    for _ in range(PROOFS):
        began = time.perf_counter(), time.process_time()
        proven = await prove_leaf(log.folder, log.keys, random.randrange(log.growing.size), None)
        took_ms.append((time.perf_counter() - began[0]) * 1e3)
        worked_ms.append((time.process_time() - began[1]) * 1e3)
        assert isinstance(proven, Proven)
    return sorted(took_ms), sorted(worked_ms)


def _tessera(path: Path, keys: LogKeys) -> None:
    """What an independent tool needs for the whole log."""
    if shutil.which("go") is None:
        print("tessera's fsck: not measured, Go is not installed")
        return
    with tempfile.TemporaryDirectory() as tools:
        subprocess.run(["go", "install", TESSERA], env={**os.environ, "GOBIN": tools}, check=True, capture_output=True)
        key_file = Path(tools) / "log.vkey"
        key_file.write_text(keys.keys[0].verifier_key())
        command = [f"{tools}/fsck", f"-storage_url=file://{path}/", f"-public_key={key_file}", "-ui=false", "-logtostderr"]
        started = time.monotonic()
        with (Path(tools) / "said").open("w+") as said:
            process = psutil.Popen(command, stderr=said)
            # Of the system's own figure the child of a large process has the parent's: so it is looked at while it runs.
            largest = 0
            while process.poll() is None:
                with suppress(psutil.NoSuchProcess):
                    largest = max(largest, process.memory_info().rss)
                time.sleep(LOOK_S)
            said.seek(0)
            verdict = "accepts it" if "Successfully fsck'd" in said.read() else "does not accept it"
        print(f"tessera's fsck {verdict}: {time.monotonic() - started:.0f} s, {largest / 2**20:.0f} MB")


if __name__ == "__main__":
    main()
