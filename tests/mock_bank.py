"""A bank on loopback: the package mock-bank as a process of its own, with its drop and pickup folders.

Written by others, so it tests us. Time moves when it is told to.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

START_TIMEOUT_S: Final = 20.0
REQUEST_TIMEOUT_S: Final = 10.0
PROGRAMME_IBAN: Final = "CH7800000000PREMIA001"
CLOSED_IBAN: Final = "NL84MOCK0000000003"


@dataclass(frozen=True)
class MockBank:
    """A running bank. `outgoing` is what we drop into, `incoming` what we pick up from."""

    url: str
    outgoing: Path
    incoming: Path

    def call(self, method: str, path: str, body: object = None) -> Any:
        """One request; returns the decoded JSON."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data=data, method=method, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=REQUEST_TIMEOUT_S) as response:
            return json.loads(response.read() or b"null")

    def scan(self) -> Any:
        """Let the bank look into its drop folder now."""
        return self.call("POST", "/_mock/drop/scan")

    def advance_to(self, day: str) -> Any:
        """Move the bank's clock to a day; everything due until then is booked and reported."""
        return self.call("POST", f"/_mock/advance?to={day}")

    def open_account(self, identifier: str, iban: str, *, name: str, currency: str, balance_minor: int = 0) -> Any:
        """Open an account at the bank."""
        fields = {"id": identifier, "iban": iban, "name": name, "currency": currency, "balance": balance_minor}
        return self.call("POST", "/_mock/accounts", fields)


@contextmanager
def running_mock_bank(folder: Path, *, clock: str) -> Iterator[MockBank]:
    """Start a bank whose time is `clock` (YYYY-MM-DDTHH:MM) and stop it afterwards."""
    outgoing, incoming = folder / "outgoing", folder / "incoming"
    outgoing.mkdir()
    incoming.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mockbank", "--port", str(port), "--clock", clock, "--quiet"]
    command += ["--drop-dir", str(outgoing), "--pickup-dir", str(incoming)]
    # It looks when it is asked, and takes what it sees: no waiting in tests.
    command += ["--drop-settle-ms", "0", "--drop-interval-ms", "3600000"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        bank = MockBank(f"http://127.0.0.1:{port}", outgoing, incoming)
        _wait_until_up(bank, process)
        bank.open_account("PREMIA", PROGRAMME_IBAN, name="Programa de Primas", currency="USD", balance_minor=50_000_000)
        yield bank
    finally:
        process.terminate()
        process.wait(timeout=10)
        assert process.stderr is not None
        process.stderr.close()


def _wait_until_up(bank: MockBank, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            bank.call("GET", "/_mock/health")
        except (urllib.error.URLError, ConnectionError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
