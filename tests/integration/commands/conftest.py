"""Calculator and ledger as processes, on a broker and a database of the module's own."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from premia.commands.migrate import bring_up_to_date
from premia.local.ports import choose_ports
from tests.integration.premium_calculator.programme import ACTORS, create_topics, token_of
from tests.integration.premium_calculator.worker_process import WorkerProcess

ROOT: Final = Path(__file__).resolve().parents[3]
DEADLINE_S: Final = 60.0


@pytest.fixture(scope="module")
def ledger_url(premia_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a ledger's HTTP answers; its topics are there, and commands find its database."""
    address = f"127.0.0.1:{choose_ports(['ledger'])['ledger']}"
    environment = premia_environment | {
        "PREMIA_LEDGER_HTTP": address,
        "PREMIA_ACTOR_TOKENS": str(tmp_path_factory.mktemp("tokens") / "tokens.json"),
    }
    with ThreadPoolExecutor(1) as thread:  # a loop may be running in this one
        thread.submit(asyncio.run, _prepare(environment)).result()
    with tempfile.TemporaryFile() as log, pytest.MonkeyPatch.context() as patch:
        for name in ("PREMIA_READER_DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS"):
            patch.setenv(name, environment[name])
        process = subprocess.Popen(
            [sys.executable, "-m", "services.ledger"], cwd=ROOT, env={**os.environ, **environment}, stdout=log, stderr=log
        )
        try:
            _until_ready(f"http://{address}", process)
            yield f"http://{address}"
        finally:
            process.terminate()
            process.wait(timeout=DEADLINE_S)


@pytest.fixture(scope="module")
def brokers(module_kafka: str, ledger_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Brokers with topics, a running ledger and a running calculator, which waits for a registry and knows the actors."""
    tokens = tmp_path_factory.mktemp("actors") / "tokens.json"
    tokens.write_text(json.dumps({actor: hashlib.sha256(token_of(actor).encode()).hexdigest() for actor in ACTORS}))
    with WorkerProcess(module_kafka, tokens=tokens) as calculator, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREMIA_CALCULATOR_URL", calculator.url)
        yield module_kafka


async def _prepare(environment: dict[str, str]) -> None:
    await create_topics(environment["KAFKA_BOOTSTRAP_SERVERS"])
    await bring_up_to_date(environment["DATABASE_URL"], environment)


def _until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + DEADLINE_S
    while True:
        assert process.poll() is None, "the ledger ended"
        try:
            with urllib.request.urlopen(f"{url}/healthz/ready", timeout=5):
                return
        except (urllib.error.HTTPError, OSError):
            assert time.monotonic() < ends, "the ledger is not ready"
            time.sleep(0.05)
