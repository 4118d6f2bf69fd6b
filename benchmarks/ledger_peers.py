"""Transfers a second, beside django-hordak and beside pgbench, on the same PostgreSQL: `python -m benchmarks.ledger_peers`.

Goal: what one writer in batches is worth. Targets: 20 times django-hordak, the fairest Python peer; 3 times pgbench with one
transfer a commit and 16 clients, which is what PostgreSQL gives to many small writers of no language.
Method: rounds that take turns, each with an empty database; the ratios are medians of the rounds' own.
- The ledger posts the sample's entitlements in this process, from prepared records: a transfer is a row of `ledger.transfer`,
  written with its transaction, leaf, balances, lot and entitlement.
- django-hordak lives in a virtual environment of this benchmark's own (.cache/hordak), which pip fills once; it is no
  dependency of the product. The better of its two rates counts.
- pgbench comes with the local PostgreSQL. Its transfer is the least that deserves the name: one row, and two balances; debited
  accounts are never credited ones, so its clients cannot deadlock.
Refuses: to compare with what is not there; it says so and goes on.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import asyncpg
import uvloop

from benchmarks.ledger_database import Record, drop_database, empty_database, local_stack, machine, new_database, post
from benchmarks.sample_entitlements import copies_of, sample_entitlements
from premia.local.postgres import programs_dir
from premia.local.stack import LocalStack
from services.runtime.batch_consumer import BATCH_RECORDS_MAX
from services.runtime.process import tune_garbage_collection

HORDAK_RATIO_MIN: Final = 20.0
PGBENCH_RATIO_MIN: Final = 3.0
ROUNDS: Final = 3
COPIES: Final = 2  # of the sample: 34,000 entitlements with 75,000 transfers
PEER_S: Final = 6.0  # for each of a peer's rates
ACCOUNTS: Final = 1_000  # of each side; the sample has 128 organizations
CLIENTS: Final = 16
HORDAK: Final = ("django-hordak==2.0.0", "Django~=5.2", "psycopg[binary]~=3.2")
HORDAK_HOME: Final = Path(".cache/hordak")
PGBENCH_TABLES: Final = f"""
    CREATE TABLE account (account_id bigint PRIMARY KEY, debits bigint NOT NULL, credits bigint NOT NULL)
        WITH (fillfactor = 50);
    CREATE TABLE transfer (transfer_id bigserial PRIMARY KEY, debit_account_id bigint NOT NULL,
        credit_account_id bigint NOT NULL, amount bigint NOT NULL CHECK (amount > 0));
    INSERT INTO account SELECT number, 0, 0 FROM generate_series(1, {2 * ACCOUNTS}) AS number"""
PGBENCH_SCRIPT: Final = f"""
    \\set debit random(1, {ACCOUNTS})
    \\set credit random({ACCOUNTS + 1}, {2 * ACCOUNTS})
    BEGIN;
    INSERT INTO transfer (debit_account_id, credit_account_id, amount) VALUES (:debit, :credit, 149808);
    UPDATE account SET debits = debits + 149808 WHERE account_id = :debit;
    UPDATE account SET credits = credits + 149808 WHERE account_id = :credit;
    END;
"""


def main() -> None:
    """Print the table; exit code 1 if a target is missed."""
    with local_stack("postgres") as stack:
        missed = uvloop.run(_measure(stack))
    if missed:
        sys.exit(1)


async def _measure(stack: LocalStack) -> bool:
    tune_garbage_collection()
    records = list(copies_of(sample_entitlements(), COPIES))
    print(f"{machine()}, {len(records):,} entitlements a round")
    python, pgbench = _hordak_python(), _pgbench()
    ledger: list[float] = []
    hordak: list[dict[str, float]] = []
    small_commits: list[float] = []
    for _ in range(ROUNDS):
        ledger.append(await _ledger_rate(stack, records))
        if python is not None:
            hordak.append(await _hordak_rates(stack, python))
        if pgbench is not None:
            small_commits.append(await _pgbench_rate(stack, pgbench))
    _print("ledger", ledger)
    for name in hordak[0] if hordak else ():
        _print(f"django-hordak, {name}", [rates[name] for rates in hordak])
    if small_commits:
        _print(f"pgbench, one a commit, {CLIENTS} clients", small_commits)
    better = [max(rates.values()) for rates in hordak]
    return any(
        [
            _missed("django-hordak", ledger, better, HORDAK_RATIO_MIN),
            _missed("pgbench", ledger, small_commits, PGBENCH_RATIO_MIN),
        ]
    )


def _print(name: str, rates: list[float]) -> None:
    print(f"{name:36} {statistics.median(rates):9,.0f} transfers/s ({min(rates):,.0f}..{max(rates):,.0f})")


def _missed(name: str, ledger: list[float], peer: list[float], ratio_min: float) -> bool:
    if not peer:
        return False
    ratio = statistics.median(ours / theirs for ours, theirs in zip(ledger, peer, strict=True))
    print(f"ledger / {name}: {ratio:.1f}, target {ratio_min:.0f}")
    return ratio < ratio_min


async def _ledger_rate(stack: LocalStack, records: list[Record]) -> float:
    database = await new_database(stack)
    conn = await asyncpg.connect(database.writer)
    posted = await post(conn, records)
    await conn.close()
    await drop_database(stack, database.admin)
    return posted.transfers / posted.clock_s


# --- django-hordak ------------------------------------------------------------------------------------------------------


def _hordak_python() -> Path | None:
    """The interpreter that has django-hordak; None if it cannot be had."""
    python = HORDAK_HOME / "bin" / "python"
    if not (HORDAK_HOME / "ready").exists():
        venv.create(HORDAK_HOME, with_pip=True, clear=True)
        done = subprocess.run([python, "-m", "pip", "install", "--quiet", *HORDAK], check=False, capture_output=True, text=True)
        if done.returncode:
            print(f"django-hordak cannot be installed, so nothing is compared with it: {done.stderr.strip().splitlines()[-1:]}")
            return None
        (HORDAK_HOME / "ready").touch()
    return python


async def _hordak_rates(stack: LocalStack, python: Path) -> dict[str, float]:
    url = await empty_database(stack)
    script = Path(__file__).with_name("hordak_peer.py")
    arguments = [url, str(ACCOUNTS), str(BATCH_RECORDS_MAX), str(PEER_S)]
    told = await asyncio.to_thread(_output, [python, script, *arguments], os.environ)
    await drop_database(stack, url)
    rates: dict[str, float] = json.loads(told)
    return rates


# --- pgbench ------------------------------------------------------------------------------------------------------------


def _pgbench() -> Path | None:
    packaged = programs_dir() / "pgbench"
    found = packaged if packaged.exists() else shutil.which("pgbench")
    if found is None:
        print("pgbench is neither in the local PostgreSQL nor installed, so nothing is compared with it")
        return None
    return Path(found)


async def _pgbench_rate(stack: LocalStack, pgbench: Path) -> float:
    url = await empty_database(stack)
    conn = await asyncpg.connect(url)
    await conn.execute(PGBENCH_TABLES)
    await conn.close()
    server = urlsplit(url)
    environment = {**os.environ, "PGPASSWORD": unquote(server.password or "")}
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(PGBENCH_SCRIPT)
        script.flush()
        where = ["-h", str(server.hostname), "-p", str(server.port), "-U", unquote(server.username or "")]
        how = ["-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-T", str(int(PEER_S)), "-f", script.name]
        told = await asyncio.to_thread(_output, [pgbench, *where, *how, server.path[1:]], environment)
    await drop_database(stack, url)
    rate = re.search(r"tps = ([0-9.]+)", told)
    assert rate is not None, told
    return float(rate[1])


def _output(command: Sequence[str | Path], environment: Mapping[str, str]) -> str:
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
