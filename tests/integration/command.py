"""The `premia` command as a user runs it: another process, its output and its exit code."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Final

TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Finished:
    """What a command printed, and how it ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def lines(self) -> list[str]:
        return self.stdout.splitlines()


async def premia(brokers: str, *arguments: object, stdin: bytes = b"") -> Finished:
    """Run `premia ARGUMENTS…` against a broker."""
    return await asyncio.to_thread(_run, brokers, [str(argument) for argument in arguments], stdin)


def _run(brokers: str, arguments: list[str], stdin: bytes) -> Finished:
    ran = subprocess.run(
        [sys.executable, "-m", "premia", *arguments],
        input=stdin,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, "KAFKA_BOOTSTRAP_SERVERS": brokers},
    )
    return Finished(ran.returncode, ran.stdout.decode(), ran.stderr.decode())
