"""Ctrl-C ends any command with a line and an exit code of its own: 1 would say that a check found something."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from premia.__main__ import COMMANDS, main


@click.command()
def never_ends() -> None:
    """As a command in which somebody presses Ctrl-C."""
    raise KeyboardInterrupt


def test_ctrl_c_is_told_in_a_line_with_exit_code_130(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "never-ends", (__name__, "never_ends", ""))
    done = CliRunner().invoke(main, ["never-ends"])
    assert (done.exit_code, done.stderr) == (130, "Interrupted.\n")
