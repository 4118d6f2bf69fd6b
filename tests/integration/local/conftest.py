"""Stacks for the tests of the stack itself: each in a folder of its own, with stand-ins for the services."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import psutil
import pytest

import services
from premia.local.launch import SUPERVISED_VARIABLE
from premia.local.stack import LocalStack

DEADLINE_S: Final = 60.0
STAND_INS: Final = Path(__file__).with_name("standins")


@pytest.fixture(scope="session")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH in which the services are stand-ins, with the real migrations beside them."""
    folder = tmp_path_factory.mktemp("standins")
    shutil.copytree(STAND_INS, folder, dirs_exist_ok=True)
    for service in ("ledger", "payout"):
        migrations = Path(services.__path__[0]) / service / "migrations"
        (folder / "services" / service / "migrations").symlink_to(migrations)
    return folder


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that PostgreSQL's account can pass through; pytest's own are closed to it."""
    path = Path(tempfile.mkdtemp(prefix="premia-tests-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def new_stack(folder: Path, stand_ins: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., LocalStack]]:
    """A function that makes stacks below `folder`; what they leave is removed after the test."""
    monkeypatch.setenv("PYTHONPATH", str(stand_ins))
    made: list[LocalStack] = []

    def make(name: str = "stack", **options: object) -> LocalStack:
        stack = LocalStack(folder / name, environ={}, ends_with_caller=True, **options)  # type: ignore[arg-type]
        made.append(stack)
        return stack

    yield make
    for stack in made:
        stack.remove()


@pytest.fixture
def premia(folder: Path, stand_ins: Path) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """The command, run in `folder` with its default data folder; a stack that it leaves is removed after the test."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "premia", *arguments]
        return subprocess.run(
            command,
            cwd=folder,
            env=command_variables(stand_ins, **variables),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    yield run
    LocalStack(folder / ".premia", environ={}).remove()


def command_variables(stand_ins: Path, **variables: str) -> dict[str, str]:
    """The environment of a person who set nothing, with the stand-ins."""
    unset = ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL")
    inherited = {name: value for name, value in os.environ.items() if name not in unset and not name.startswith("PREMIA_")}
    return {**inherited, "PYTHONPATH": str(stand_ins), "PYTHONWARNINGS": "error", **variables}


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition, with a deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def processes_of(data_dir: Path) -> list[psutil.Process]:
    """Every process that belongs to the stack of this folder, PostgreSQL's children included."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(SUPERVISED_VARIABLE) == str(data_dir):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found
