"""What a machine lacks is said before anything is fetched: one line, exit 2."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tools import bootstrap

ROOT: Final = bootstrap.ROOT
MEGABYTE: Final = 1024**2


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, ...]]:
    """A fresh clone without uv, on a machine that will do. Returns what would have been run; nothing is."""
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / "installed")
    monkeypatch.setattr(bootstrap, "run", lambda *command: ran.append(command))
    monkeypatch.setattr(bootstrap, "usable_uv", lambda: None)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: free_disk(bootstrap.DISK_MB))
    return ran


def free_disk(free_mb: int) -> Any:
    return shutil._ntuple_diskusage(free_mb * MEGABYTE, 0, free_mb * MEGABYTE)


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        bootstrap.main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("premia: ")
    assert said.count("\n") == 1
    return said


def test_what_is_fetched_and_needed_is_said_before_the_first_download(
    steps: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said_at_first_step: list[str] = []
    monkeypatch.setattr(bootstrap, "run", lambda *_command: said_at_first_step.append(capsys.readouterr().err))
    bootstrap.main()
    assert f"{bootstrap.PACKAGES_MB} MB of Python packages" in said_at_first_step[0]
    assert f"{bootstrap.KAFKA_MB} MB of Kafka" in said_at_first_step[0]
    assert "GB of disk" in said_at_first_step[0]
    assert "GB of memory" in said_at_first_step[0]


def test_packages_come_by_their_hashes_and_a_second_run_does_nothing(steps: list[tuple[str, ...]]) -> None:
    bootstrap.main()
    assert steps[0][1:3] == ("-m", "venv")
    assert {"--require-hashes", str(ROOT / "requirements.lock")} <= set(steps[1])
    once = len(steps)
    bootstrap.main()
    assert len(steps) == once


@pytest.mark.parametrize("version", [(3, 10, 14), (3, 14, 0)])
def test_another_python(
    steps: list[tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    version: tuple[int, int, int],
) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    assert "Python 3.11, 3.12 or 3.13 is needed" in refused(capsys)
    assert steps == []


def test_another_platform(
    steps: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert "on riscv64 is not supported" in refused(capsys)


def test_neither_venv_nor_uv(
    steps: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert "this Python has no venv: install it (Debian: python3-venv) or uv" in refused(capsys)


def test_a_full_disk(steps: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: free_disk(bootstrap.DISK_MB - 1))
    assert f"{bootstrap.DISK_MB} MB of free disk are needed" in refused(capsys)


def test_little_memory(
    steps: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap, "memory_mb", lambda: bootstrap.MEMORY_MB - 1)
    assert f"{bootstrap.MEMORY_MB} MB of memory are needed" in refused(capsys)


def test_a_folder_of_somebody_else(
    steps: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    assert f"cannot write to {ROOT}" in refused(capsys)


def test_a_step_that_fails_ends_it_and_leaves_no_stamp(
    steps: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_command: str) -> None:
        bootstrap.refuse("installation stopped at: pip")

    monkeypatch.setattr(bootstrap, "run", fails)
    with pytest.raises(SystemExit):
        bootstrap.main()
    assert not bootstrap.STAMP.exists()


def test_a_shim_of_uv_that_leads_nowhere_is_no_uv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shim = tmp_path / "uv"
    shim.write_text("#!/bin/sh\nexit 127\n", encoding="utf-8")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert bootstrap.usable_uv() is None
    shim.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    assert bootstrap.usable_uv() == str(shim)


@pytest.mark.parametrize(("python", "said"), [("", "none was found"), ("no-such-python", "no-such-python is none")])
def test_make_refuses_a_python_that_does_not_run(python: str, said: str) -> None:
    done = subprocess.run(["make", "-s", "venv", f"PYTHON={python}"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Error 2" in done.stderr
