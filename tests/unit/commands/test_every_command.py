"""What every command does: Ctrl-C and a full disk end it with exit codes of their own, and NO_COLOR keeps its output plain."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from premia.__main__ import COMMANDS, main


@click.command()
def never_ends() -> None:
    """As a command in which somebody presses Ctrl-C."""
    raise KeyboardInterrupt


@click.command()
def colourful() -> None:
    """Says something in red."""
    click.secho("red", fg="red")


@pytest.mark.parametrize(("value", "printed"), [("1", "red\n"), ("", "\x1b[31mred\x1b[0m\n")])
def test_no_color_keeps_output_plain(monkeypatch: pytest.MonkeyPatch, value: str, printed: str) -> None:
    monkeypatch.setitem(COMMANDS, "colourful", (__name__, "colourful", ""))
    monkeypatch.setenv("NO_COLOR", value)
    done = CliRunner().invoke(main, ["colourful"], color=True)
    assert done.stdout == printed


def test_ctrl_c_is_told_in_a_line_with_exit_code_130(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "never-ends", (__name__, "never_ends", ""))
    done = CliRunner().invoke(main, ["never-ends"])
    assert (done.exit_code, done.stderr) == (130, "Interrupted.\n")


def test_a_full_disk_is_told_in_a_line_with_exit_code_3() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "premia", "schemes", "show", "sbg"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1] == "standard output: No space left on device: it was not written to the end"
    assert "Traceback" not in done.stderr
