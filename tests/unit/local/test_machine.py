"""What a machine lacks is said in one line, with exit code 2."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import sys
from pathlib import Path

import click
import pytest

from premia.local.limits import DISK_FREE_MB_MIN, MEMORY_AVAILABLE_MB_MIN
from premia.local.machine import MEGABYTE, check_installation, check_room

PLENTY = 64_000 * MEGABYTE


def refusal_of(call: object) -> click.ClickException:
    with pytest.raises(click.ClickException) as refusal:
        call()  # type: ignore[operator]
    assert refusal.value.exit_code == 2
    assert "\n" not in refusal.value.message
    return refusal.value


def test_this_machine_will_do(tmp_path: Path) -> None:
    check_installation()
    check_room(tmp_path / "not" / "there" / "yet", PLENTY)


@pytest.mark.parametrize("version", [(3, 10, 14), (3, 14, 0)])
def test_another_python_is_refused(monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int]) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    assert "Python 3.11, 3.12 or 3.13 is needed" in refusal_of(check_installation).message


def test_another_platform_is_refused_and_told_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    assert "set KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL" in refusal_of(check_installation).message


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "jgo" else find_spec(name))
    message = refusal_of(check_installation).message
    assert message.startswith("jgo not installed in ")
    assert "make venv" in message


def test_a_full_disk_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    full = shutil._ntuple_diskusage(100, 99, (DISK_FREE_MB_MIN - 1) * MEGABYTE)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: full)
    assert f"{DISK_FREE_MB_MIN} MB of free disk are needed" in refusal_of(lambda: check_room(tmp_path, PLENTY)).message


def test_little_memory_is_refused(tmp_path: Path) -> None:
    message = refusal_of(lambda: check_room(tmp_path, (MEMORY_AVAILABLE_MB_MIN - 1) * MEGABYTE)).message
    assert f"{MEMORY_AVAILABLE_MB_MIN} MB of free memory are needed" in message


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert "choose another folder with --data-dir" in refusal_of(lambda: check_room(tmp_path / "file" / "x", PLENTY)).message
