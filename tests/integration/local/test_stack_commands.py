"""`premia up`, `status`, `logs`, `down` as a person uses them; warnings of any Python in between are errors."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from premia.local.limits import STOP_TIMEOUT_S
from premia.local.state import read_state
from tests.integration.local.conftest import command_variables, processes_of, until

PREMIA = Path(sys.executable).parent / "premia"  # the tests' shell does not find it by its name
Premia = Callable[..., subprocess.CompletedProcess[str]]


def test_up_status_logs_down_and_up_again(premia: Premia, folder: Path) -> None:
    first = premia("up")
    assert first.returncode == 0, first.stderr
    assert re.search(r"^Kafka +127\.0\.0\.1:\d+$", first.stdout, re.MULTILINE)
    assert f"Stop: {PREMIA} down" in first.stderr
    assert "password" not in first.stdout

    second = premia("up")
    assert (second.returncode, second.stdout) == (0, first.stdout)

    status = premia("status", "--json")
    assert status.returncode == 0
    found = json.loads(status.stdout)
    assert found["ready"] is True
    assert len(found["programs"]) == 6
    shown = premia("status")
    assert shown.returncode == 0
    assert "Worth doing next:" in shown.stdout

    log = premia("logs", "ledger", "-n", "1")
    assert log.stdout == "PREMIA_LEDGER_HTTP serves\n"

    started = time.monotonic()
    down = premia("down")
    assert time.monotonic() - started < STOP_TIMEOUT_S
    assert down.returncode == 0
    assert re.search(r"^Stopped .*kafka.*postgres.*ledger", down.stderr)
    assert processes_of(folder / ".premia") == []

    again = premia("down")
    assert (again.returncode, again.stderr) == (0, "Nothing was running.\n")
    assert premia("status").returncode == 1


def test_infrastructure_alone_leaves_the_database_empty_for_a_backup(premia: Premia) -> None:
    started = premia("up", "--infrastructure")
    assert started.returncode == 0, started.stderr
    assert "Kafka " in started.stdout
    assert "Ledger" not in started.stdout, "it does not run"
    assert f"Next: {PREMIA} restore FOLDER" in started.stderr
    programs = {program["name"]: program["ready"] for program in json.loads(premia("status", "--json").stdout)["programs"]}
    assert {name for name, ready in programs.items() if ready} == {"kafka", "postgres", "bank"}
    migrated = premia("migrate")
    assert "applied ledger 0001_journal" in migrated.stdout
    premia("down")


def test_without_a_stack_status_says_what_to_do_and_down_does_nothing(premia: Premia) -> None:
    status = premia("status")
    assert status.returncode == 1
    assert f"    {PREMIA} up\n" in status.stdout
    assert premia("down").returncode == 0
    logs = premia("logs", "ledger")
    assert logs.returncode == 3
    assert "ledger has not run here (premia up)" in logs.stderr


def test_an_unknown_service_is_wrong_use(premia: Premia) -> None:
    logs = premia("logs", "leger")
    assert logs.returncode == 2
    assert "'ledger'" in logs.stderr


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stack_in_the_foreground_ends_whole_when_it_is_told_to(
    folder: Path, stand_ins: Path, premia: Premia, signal_number: signal.Signals
) -> None:
    process = _up_in_the_foreground(folder, stand_ins)
    started = time.monotonic()
    process.send_signal(signal_number)
    _, said = process.communicate(timeout=2 * STOP_TIMEOUT_S)
    assert time.monotonic() - started < STOP_TIMEOUT_S
    assert process.returncode == 0
    assert "Stopped " in said
    assert processes_of(folder / ".premia") == []


def test_a_stack_in_the_foreground_does_not_outlive_a_process_that_is_killed(
    folder: Path, stand_ins: Path, premia: Premia
) -> None:
    process = _up_in_the_foreground(folder, stand_ins)
    process.kill()
    process.communicate()
    until(lambda: processes_of(folder / ".premia") == [], "everything is gone")


def test_ctrl_c_while_starting_leaves_nothing(folder: Path, stand_ins: Path, premia: Premia) -> None:
    process = _premia_up(folder, stand_ins)
    until(lambda: processes_of(folder / ".premia"), "something was started")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=2 * STOP_TIMEOUT_S)
    assert process.returncode == 130
    assert processes_of(folder / ".premia") == []


def test_a_service_that_waits_is_up_and_says_for_what(premia: Premia, folder: Path) -> None:
    (folder / ".premia" / "documents").mkdir(parents=True)
    (folder / ".premia" / "documents" / "waits").write_text("no registry yet: `premia registry apply`", encoding="utf-8")
    up = premia("up")
    assert up.returncode == 0, up.stderr
    assert "premium calculator is up and waits: no registry yet: `premia registry apply`" in up.stderr
    status = premia("status", "--json")
    assert status.returncode == 1
    found = json.loads(status.stdout)
    assert {program["name"]: program["ready"] for program in found["programs"]}["ledger"] is False
    assert found["next"][0] == {
        "why": "premium calculator waits for it",
        "command": f"{PREMIA} registry apply FILE --schemes DIR",
    }


def test_a_start_that_fails_leaves_nothing_running(premia: Premia, folder: Path) -> None:
    (folder / ".premia" / "documents").mkdir(parents=True)
    (folder / ".premia" / "documents" / "PREMIA_PAYOUT_HTTP").touch()
    failed = premia("up")
    assert failed.returncode == 3
    assert "payout | PREMIA_PAYOUT_HTTP: told not to start" in failed.stderr
    assert processes_of(folder / ".premia") == []


def test_a_taken_port_is_named_and_new_ones_can_be_chosen(premia: Premia, folder: Path) -> None:
    assert premia("up").returncode == 0
    premia("down")
    state = read_state(folder / ".premia")
    assert state is not None
    with socket.create_server(("127.0.0.1", state.ports["ledger"])):
        refused = premia("up")
        assert refused.returncode == 2
        assert f"port {state.ports['ledger']}, written down for ledger, is in use" in refused.stderr
        assert f"(pid {os.getpid()})" in refused.stderr
        assert processes_of(folder / ".premia") == []
        assert premia("up", "--new-ports").returncode == 0
    assert premia("status").returncode == 0


def test_damaged_state_is_one_line_and_exit_2(premia: Premia, folder: Path) -> None:
    (folder / ".premia").mkdir()
    (folder / ".premia" / "state.json").write_text("{", encoding="utf-8")
    refused = premia("up")
    assert refused.returncode == 2
    assert re.fullmatch(r"Error: .*state\.json is damaged .*; remove .* to start over\n", refused.stderr)
    (folder / ".premia" / "state.json").unlink()


def test_a_folder_that_cannot_be_made_is_one_line_and_exit_2(premia: Premia, folder: Path) -> None:
    (folder / "file").touch()
    refused = premia("up", "--data-dir", str(folder / "file" / "stack"))
    assert refused.returncode == 2
    assert "choose another folder with --data-dir" in refused.stderr


def _premia_up(folder: Path, stand_ins: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "premia", "up", *options]
    return subprocess.Popen(
        command, cwd=folder, env=command_variables(stand_ins), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _up_in_the_foreground(folder: Path, stand_ins: Path) -> subprocess.Popen[str]:
    process = _premia_up(folder, stand_ins, "--foreground")
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if line == "Stays until Ctrl-C.\n":
            return process
    raise AssertionError(said)
