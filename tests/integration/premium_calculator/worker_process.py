"""The premium calculator as a process, as it runs in production, and what is seen of it from outside."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Final

from premia.fsck.kafka.sales import CALCULATOR as GROUP
from premia.fsck.kafka.topics import committed_by, ends_of
from schemas.topics import SALES

DEADLINE_S: Final = 60.0
POLL_S: Final = 0.05
DRAINED_POLL_S: Final = 0.25  # each look connects to the broker anew
ROOT: Final = Path(__file__).resolve().parents[3]
CALCULATOR: Final = "services.premium_calculator"
CONTROL: Final = "tests.integration.premium_calculator.commit_before_delivery"


class WorkerProcess:
    """One worker. Ended with the `with` block, however that ends."""

    def __init__(
        self, brokers: str, *, instance: str = "0", module: str = CALCULATOR, tokens: Path = Path("nobody-may-act.json")
    ) -> None:
        self._brokers = brokers
        self._tokens = tokens
        self._instance = instance
        self._module = module
        self._process: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  closed with the process
        self.port = _free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> WorkerProcess:
        self._process = subprocess.Popen(
            [sys.executable, "-m", self._module],
            cwd=ROOT,
            stdout=self._log,
            stderr=self._log,
            env={
                **os.environ,
                "KAFKA_BOOTSTRAP_SERVERS": self._brokers,
                "PREMIA_CALCULATOR_HTTP": f"127.0.0.1:{self.port}",
                "PREMIA_ACTOR_TOKENS": str(self._tokens),
                "PREMIA_INSTANCE": self._instance,
            },
        )
        return self

    def __enter__(self) -> WorkerProcess:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self.running:
            self.kill()
        self._log.close()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def terminate(self) -> float:
        """SIGTERM; the seconds it took to end."""
        assert self._process is not None
        started = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=DEADLINE_S)
        return time.monotonic() - started

    async def exit_code(self) -> int:
        """Wait until it ends of itself."""
        assert self._process is not None
        return await asyncio.to_thread(self._process.wait, DEADLINE_S)

    def log(self) -> str:
        self._log.seek(0)
        return self._log.read().decode()

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of its HTTP; 0 while nobody listens."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str) -> float:
        """Sum of a metric over its labels."""
        lines = self.get("/metrics")[1].splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name)

    async def until_ready(self) -> None:
        await until(self._is_ready, what=f"worker {self._instance} is ready", also=self.log)

    async def until_drained(self) -> None:
        """Wait until all that is published was answered, as Kafka has it: the worker's own lag knows its partitions late."""
        await until(self._is_drained, what=f"worker {self._instance} has no lag", also=self.log, poll_s=DRAINED_POLL_S)

    async def _is_drained(self) -> bool:
        assert self.running, self.log()
        ends = await ends_of(self._brokers, SALES)
        answered = await committed_by(self._brokers, GROUP)
        return any(ends.values()) and all(answered.get(partition, 0) == end for partition, end in ends.items())

    async def _is_ready(self) -> bool:
        assert self.running, self.log()
        return (await asyncio.to_thread(self.get, "/healthz/ready"))[0] == 200


async def until(
    condition: Callable[[], Awaitable[bool]],
    *,
    what: str,
    also: Callable[[], str] = str,
    deadline_s: float = DEADLINE_S,
    poll_s: float = POLL_S,
) -> None:
    """Wait for a condition; fail with `what` and whatever `also` says when the deadline is over."""
    ends = time.monotonic() + deadline_s
    while not await condition():
        assert time.monotonic() < ends, f"not within {deadline_s:.0f} s: {what}\n{also()}"
        await asyncio.sleep(poll_s)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
