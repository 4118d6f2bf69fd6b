"""Printed commands can be pasted where they were printed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from premia.local.invocation import premia_command

PROGRAM = Path(sys.executable).parent / "premia"


def test_the_path_as_seen_from_here_unless_the_shell_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREMIA_DATA_DIR", raising=False)
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.chdir(PROGRAM.parents[2])
    default = Path(".premia").absolute()
    assert premia_command(default) == str(PROGRAM.relative_to(PROGRAM.parents[2]))
    monkeypatch.setenv("PATH", str(PROGRAM.parent))
    assert premia_command(default) == "premia"


def test_the_folder_is_said_where_the_command_would_take_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(PROGRAM.parent))
    monkeypatch.delenv("PREMIA_DATA_DIR", raising=False)
    assert premia_command(Path("/data of/stack")) == "PREMIA_DATA_DIR='/data of/stack' premia"
    monkeypatch.setenv("PREMIA_DATA_DIR", "/data of/stack")
    assert premia_command(Path("/data of/stack")) == "premia"
