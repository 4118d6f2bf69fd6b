"""How a service ends: on request, on wrong settings, on what it did not expect."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

SERVICE = """
import asyncio, sys
from services.runtime.process import run_service, run_side_by_side
from services.runtime.settings import required

async def forever() -> None:
    print("running", flush=True)
    await asyncio.Event().wait()

async def broken() -> None:
    await asyncio.sleep(0)
    raise ValueError("an assumption was wrong")

async def main(stop: asyncio.Event) -> None:
    {body}

run_service("example", main)
"""


def start(body: str) -> subprocess.Popen[str]:
    code = textwrap.dedent(SERVICE).replace("{body}", body)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_service_stops_when_it_is_asked_to() -> None:
    process = start("await run_side_by_side(stop, forever())")
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    os.kill(process.pid, signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")


def test_a_broken_assumption_ends_the_process_with_exit_70_and_is_logged() -> None:
    _, errors = (process := start("await run_side_by_side(stop, forever(), broken())")).communicate(timeout=30)
    assert process.returncode == 70
    assert "ValueError: an assumption was wrong" in errors


def test_a_missing_setting_is_one_line_and_exit_2() -> None:
    _, errors = (process := start("required('PREMIA_NOT_SET')")).communicate(timeout=30)
    assert process.returncode == 2
    assert errors == "example: PREMIA_NOT_SET is not set\n"


def test_a_stop_that_takes_too_long_is_ended() -> None:
    process = start("print('running', flush=True); await asyncio.Event().wait()")
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    os.kill(process.pid, signal.SIGTERM)
    _, errors = process.communicate(timeout=5)
    assert process.returncode == 0
    assert "not stopped within 4.5 s" in errors
