"""A command's help answers at once: no module of a command loads a client of Kafka, PostgreSQL or HTTP until it is run.

What is measured is what is loaded, not how long it takes: on an idle machine such a client is 0.1 to 0.3 s.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from premia.__main__ import COMMANDS, main

CLIENTS = ("aiohttp", "aiokafka", "asyncpg", "faust")


def loaded_by(modules: list[str]) -> list[str]:
    """`module loads client` for each that does, in a new interpreter."""
    code = (
        "import importlib, sys\n"
        f"for module in {modules!r}:\n"
        f"    before = {{name for name in {CLIENTS!r} if name in sys.modules}}\n"
        "    importlib.import_module(module)\n"
        f"    for name in {CLIENTS!r}:\n"
        "        if name in sys.modules and name not in before:\n"
        "            print(module, 'loads', name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_no_command_loads_a_client_before_it_is_run() -> None:
    assert loaded_by(sorted({module for module, _, _ in COMMANDS.values()})) == []


def test_a_module_that_loads_one_is_seen() -> None:
    assert loaded_by(["premia.kafka_topics"]) == ["premia.kafka_topics loads aiokafka"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_is_for(name: str) -> None:
    shown = CliRunner().invoke(main, [name, "--help"])
    assert shown.exit_code == 0, shown.output
    assert shown.output.lower().startswith("usage: ")
