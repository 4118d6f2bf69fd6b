"""`premia demo` as a newcomer runs it: the public totals come out, and every command it prints works as it is printed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from samples.reader import FOLDER
from tests.integration import tour

ROOT: Final = Path(__file__).resolve().parents[2]
README: Final = ROOT / "README.md"
PREMIA: Final = str(Path(sys.executable).parent / "premia")
DEMO_TIMEOUT_S: Final = 1_200  # a minute or two on an idle machine; tests assert nothing about it.

pytestmark = pytest.mark.timeout(DEMO_TIMEOUT_S + 300)


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="premia-demo-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as another account that has to pass through
    yield folder / "data"
    run_premia("down", data_dir=folder / "data")
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def printed(data_dir: Path) -> str:
    """What the demo prints when nobody sits at a terminal."""
    done = run_premia("demo", "--data-dir", str(data_dir), data_dir=data_dir)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_premia(*arguments: str, data_dir: Path) -> subprocess.CompletedProcess[str]:
    return run_shell(subprocess.list2cmdline([PREMIA, *arguments]), data_dir)


def run_shell(command: str, data_dir: Path) -> subprocess.CompletedProcess[str]:
    outside = ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL")
    environment = {name: value for name, value in os.environ.items() if name not in outside}
    return subprocess.run(
        command,
        shell=True,
        cwd=ROOT,
        env=environment | {"PREMIA_DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        check=False,
        timeout=DEMO_TIMEOUT_S,
    )


def row(printed: str, label: str) -> str:
    """The text beside a label of the summary."""
    found = re.search(rf"^{re.escape(label)}\s+(.*)$", printed, flags=re.MULTILINE)
    assert found is not None, f"{label!r} is not in\n{printed}"
    return found.group(1)


def test_the_public_totals_come_out(printed: str) -> None:
    planned = json.loads((FOLDER / "planned.json").read_text(encoding="utf-8"))
    assert row(printed, "Fine gold").startswith("16.8 t (")
    assert row(printed, "Premiums accrued") == f"USD {planned['premiums_minor']['USD'] / 100:,.2f}"
    assert row(printed, "Mines supported") == "128, of which 43 have exported"
    assert row(printed, "Beneficiaries, declared") == "32,418 in BO, CO, PE"
    assert row(printed, "Trial balance") == "debits equal credits in every unit"
    assert row(printed, "Sales in").startswith(f"{planned['events']:,} events of {planned['lots']:,} lots")
    rejected = planned["rejected_total"] + planned["conflicts"]
    assert row(printed, "Rejected, as planned").startswith(f"{rejected}: ")
    assert "SINTÉTICOS" in printed


def test_the_readme_shows_what_is_printed(printed: str, data_dir: Path) -> None:
    shown = re.search(r"ends like this.*?^```\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert shown is not None
    now = tour.masked(printed.replace(str(data_dir), ".premia"))
    told = [line.removesuffix(" …") for line in tour.masked(shown.group(1)).splitlines() if line != "…"]
    assert len(told) > 50
    assert [line for line in told if not re.search(r"\d s\b", line) and line not in now] == [], "but for the times"


def test_the_guided_tour_says_what_its_commands_say(printed: str, data_dir: Path) -> None:
    assert printed
    assert run_premia("up", data_dir=data_dir).returncode == 0
    page = tour.PAGE.read_text(encoding="utf-8")
    path = f"{Path(PREMIA).parent}:{os.environ['PATH']}"
    now = tour.walked(page, lambda command: run_shell(f"PATH={path}; {{ {command}; }} 2>&1", data_dir).stdout)
    if os.environ.get("PREMIA_WRITE_TOUR"):
        tour.PAGE.write_text(now, encoding="utf-8")
    assert now == page, "PREMIA_WRITE_TOUR=1 writes what is printed now; read the difference"


def test_every_command_that_is_printed_works_as_it_is_printed(printed: str, data_dir: Path) -> None:
    commands = re.findall(r"^ {4}(\S.*premia .*)$", printed, flags=re.MULTILINE)
    assert len(commands) >= 8
    save_here = data_dir.parent
    for command in commands:
        done = run_shell(command.replace("./", f"{save_here}/").replace("--save .", f"--save {save_here}"), data_dir)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        if " lot REF-CH-01/PE-2025-000123" in command:
            assert "1498.08 USD" in done.stdout
        if " verify statement" in command:
            assert "Nothing deviates." in done.stdout
        if " dlq list" in command:
            assert "0.8444 looks like a fraction" in done.stdout
    assert list(save_here.glob("ORG-PE-012-*.pdf"))


def test_an_accountants_tool_finds_the_whole_ledger_in_balance(printed: str, data_dir: Path) -> None:
    assert printed
    assert run_premia("up", data_dir=data_dir).returncode == 0
    file = data_dir.parent / "sample.beancount"
    exported = run_shell(f"{PREMIA} ledger export --format beancount > {file}", data_dir)
    assert (exported.returncode, "SYNTHETIC DATA" in exported.stderr) == (0, True), exported.stderr
    assert "SYNTHETIC DATA" in file.read_text(encoding="utf-8")
    checked = run_shell(f"{Path(PREMIA).with_name('bean-check')} {file}", data_dir)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_a_second_demo_says_that_it_starts_over_and_refuses_a_stack_that_is_not_its_own(printed: str, data_dir: Path) -> None:
    assert printed
    assert run_premia("up", data_dir=data_dir).returncode == 0
    running = run_premia("demo", "--data-dir", str(data_dir), data_dir=data_dir)
    assert running.returncode == 2
    assert re.search(r"is running: stop it with `.*premia down`", running.stderr)
    assert run_premia("status", data_dir=data_dir).returncode == 0
    run_premia("down", data_dir=data_dir)
    (data_dir / ".demo").unlink()
    done = run_premia("demo", "--data-dir", str(data_dir), data_dir=data_dir)
    assert done.returncode == 2
    assert done.stderr.strip().count("\n") == 0
    assert "holds a stack that is not a demo's" in done.stderr
