"""What every command does: Ctrl-C ends it with an exit code of its own, and NO_COLOR keeps its output plain."""

from __future__ import annotations

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
