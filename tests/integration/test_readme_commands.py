"""The README's commands for one's own programme, run as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
TIMEOUT_S: Final = 300
LEFT_OUT: Final = ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL")


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """A person's, with another data folder than the one that this clone may be using."""
    folder = Path(tempfile.mkdtemp(prefix="premia-readme-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as another account that has to pass through
    kept = {name: value for name, value in os.environ.items() if name not in LEFT_OUT and not name.startswith("PREMIA_")}
    yield kept | {"PREMIA_DATA_DIR": str(folder / "data")}
    shutil.rmtree(folder)


@pytest.mark.timeout(2 * TIMEOUT_S)
def test_a_programme_of_ones_own_is_five_commands(environment: dict[str, str]) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"^## With your own programme\n+```\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert block is not None
    commands = [line.split("  #")[0].strip() for line in block.group(1).splitlines()]
    assert (commands[0], commands[-1], len(commands)) == ("make up", "make down", 5)
    try:
        for command in commands[:-1]:
            done = run(command, environment)
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        assert "posted, counts now" in done.stdout
    finally:
        stopped = run(commands[-1], environment)
    assert stopped.returncode == 0
    assert "Stopped " in stopped.stderr


def run(command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, shell=True, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
    )
