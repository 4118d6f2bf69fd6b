"""Logs: their end, what is added, and what a process said last."""

from __future__ import annotations

from pathlib import Path

from premia.local.accidents import Death, deaths, last_words
from premia.local.launch import START_MARK
from premia.local.logs import follow, last_lines

SUPERVISORD_LOG = """\
2026-05-01 10:00:00,001 INFO supervisord started with pid 1
2026-05-01 10:00:01,002 WARN exited: ledger (exit status 9; not expected)
2026-05-02 10:00:00,001 INFO supervisord started with pid 2
2026-05-02 10:00:01,000 INFO spawned: 'ledger' with pid 3
2026-05-02 10:00:02,002 WARN exited: ledger (exit status 70; not expected)
2026-05-02 10:00:03,003 INFO exited: payout (exit status 0; expected)
2026-05-02 10:00:04,004 WARN exited: kafka (terminated by SIGKILL; not expected)
2026-05-02 10:00:05,005 WARN stopped: bank (terminated by SIGTERM)
"""


def test_the_last_lines_of_a_log_longer_than_a_block(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("".join(f"line {number} é\n" for number in range(20_000)), encoding="utf-8")
    assert last_lines(path, 3) == ["line 19997 é", "line 19998 é", "line 19999 é"]
    assert len(last_lines(path, 15_000)) == 15_000
    assert last_lines(path, 0) == []


def test_a_log_that_does_not_exist_has_no_lines(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "x.log", 5) == []


def test_following_gives_the_end_then_what_is_added_also_after_rotation(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("one\ntwo\n", encoding="utf-8")
    lines = follow(path, 1)
    assert next(lines) == "two"
    with path.open("a", encoding="utf-8") as file:
        file.write("three\n")
    assert next(lines) == "three"
    path.rename(tmp_path / "x.log.1")
    path.write_text("four\n", encoding="utf-8")
    assert next(lines) == "four"


def test_unplanned_ends_since_supervisord_started(tmp_path: Path) -> None:
    (tmp_path / "supervisord.log").write_text(SUPERVISORD_LOG, encoding="utf-8")
    assert deaths(tmp_path) == [
        Death("ledger", "2026-05-02 10:00:02", "exit status 70"),
        Death("payout", "2026-05-02 10:00:03", "exit status 0"),
        Death("kafka", "2026-05-02 10:00:04", "terminated by SIGKILL"),
    ]


def test_last_words_are_those_of_the_process_before_the_present_one(tmp_path: Path) -> None:
    path = tmp_path / "ledger.log"
    path.write_text(f"{START_MARK}1\nold\n{START_MARK}2\nserving\ntraceback\n{START_MARK}3\nserving\n", encoding="utf-8")
    assert last_words(path) == ["serving", "traceback"]


def test_last_words_of_a_process_that_was_not_started_again(tmp_path: Path) -> None:
    path = tmp_path / "ledger.log"
    path.write_text(f"{START_MARK}1\ntraceback\n", encoding="utf-8")
    assert last_words(path) == ["traceback"]
