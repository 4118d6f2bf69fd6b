"""Progress and talk, on a terminal and elsewhere."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from premia.local import talk

SLOW_STEP = """
from premia.local import talk
talk.PROGRESS_AFTER_S = 0.0
with talk.progress("A step", 2) as outer, talk.progress("Another") as inner:
    outer(1)
    inner(0)
    talk.say("said meanwhile")
talk.say("said afterwards")
"""


def test_a_step_is_quiet_without_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(talk, "PROGRESS_AFTER_S", -1.0)
    with talk.progress("A step", 2) as advance:
        advance(1)
        talk.say("said meanwhile")
    assert capsys.readouterr() == ("", "said meanwhile\n")


def test_without_a_terminal_a_long_step_says_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(talk, "PROGRESS_AFTER_S", -1.0)
    monkeypatch.setattr(talk, "PROGRESS_LINE_S", -1.0)
    with talk.progress("A step", 2_000) as advance, talk.progress("Another") as tick:
        advance(1_500)
        tick(0)
    assert capsys.readouterr() == ("", "A step: 1,500 of 2,000\nAnother: 0 s\n")


def test_a_quick_step_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with talk.progress("A step") as advance:
        advance(0)
    assert capsys.readouterr() == ("", "")


def test_bars_and_lines_share_a_terminal() -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run([sys.executable, "-c", SLOW_STEP], stderr=theirs, check=True, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert done.returncode == 0
    assert "A step" in shown
    assert "Another" in shown
    assert shown.count("said meanwhile\r\n") == 1
    assert shown.endswith("said afterwards\r\n")
