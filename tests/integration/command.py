"""The `premia` command as a user runs it: its arguments, standard input, output and exit code.

Method: in a thread of this process, because starting another takes a second and there are dozens of calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from click.testing import CliRunner

from premia.__main__ import main


@dataclass(frozen=True, slots=True)
class Finished:
    """What a command printed, and how it ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def lines(self) -> list[str]:
        return self.stdout.splitlines()


async def premia(brokers: str, *arguments: object, stdin: bytes = b"", token: str | None = None) -> Finished:
    """Run `premia ARGUMENTS…` against a broker. An exception that a user would see as a traceback is raised."""
    return await premia_with({"KAFKA_BOOTSTRAP_SERVERS": brokers, "PREMIA_TOKEN": token}, *arguments, stdin=stdin)


async def premia_with(environment: Mapping[str, str | None], *arguments: object, stdin: bytes = b"") -> Finished:
    """The same with these variables over the process's own."""
    return await asyncio.to_thread(_run, environment, [str(argument) for argument in arguments], stdin)


def _run(environment: Mapping[str, str | None], arguments: list[str], stdin: bytes) -> Finished:
    result = CliRunner().invoke(main, arguments, input=stdin, env=environment)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Finished(result.exit_code, result.stdout, result.stderr)
