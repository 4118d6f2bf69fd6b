"""What every command does: what ends it from outside has exit codes of its own, and NO_COLOR keeps its output plain."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO, Final

import click
import pytest
from click.testing import CliRunner

import verifier.__main__
from premia.__main__ import COMMANDS, main
from schemas.note_signing import NoteKind, new_note_key
from tests.log_files import write_log

ROOT: Final = Path(verifier.__file__).parent.parent
LOG: Final = new_note_key("log.example.org/premia", NoteKind.LOG)
CHECK: Final = ["checkpoint", "log/checkpoint", "--key", LOG.verifier_key()]
WRITING: Final = (["premia", "schemes", "show", "sbg"], ["premia", "verify", *CHECK], ["verifier", *CHECK])


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


def run(command: list[str], folder: Path, output: BinaryIO) -> subprocess.CompletedProcess[str]:
    """A command by its module, in a folder with the log of no leaves."""
    write_log(folder / "log", [], LOG)
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("command", WRITING)
def test_who_stops_reading_is_not_taken_for_a_deviation(tmp_path: Path, command: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody_reads:
        done = run(command, tmp_path, nobody_reads)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("command", WRITING)
def test_a_full_disk_is_told_in_a_line_with_exit_code_3(tmp_path: Path, command: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run(command, tmp_path, full)
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1] == "standard output: No space left on device: it was not written to the end"
    assert "Traceback" not in done.stderr


def test_the_verifier_alone_tells_ctrl_c_as_premia_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_arguments: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(verifier.__main__, "main", interrupted)
    assert (verifier.__main__.run(), capsys.readouterr().err) == (130, "Interrupted.\n")
