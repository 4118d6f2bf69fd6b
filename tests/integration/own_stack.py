"""A whole local stack for one test: Kafka, PostgreSQL, bank and the real services, in a folder of its own.

Method: what `premia up` does, by its own code; commands run as processes with the stack's variables, as a person's would.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from premia.commands.demo import BANK_OPENS_AT
from premia.commands.stack import bring_up
from premia.local.logs import last_lines
from premia.local.programs import SERVICES
from premia.local.stack import LocalStack

COMMAND_TIMEOUT_S: Final = 120
LOG_LINES: Final = 60  # of each service, shown where a test failed: the folder is gone then
# A stack that is to be killed must be ours, whatever the session's other tests use.
OUTSIDE: Final = frozenset({"KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL"})


@contextmanager
def own_stack() -> Iterator[LocalStack]:
    """A stack that is up, its bank's clock where the sample begins. Stopped and removed with the block."""
    folder = Path(tempfile.mkdtemp(prefix="premia-tests-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as another account that has to pass through
    environ = {name: value for name, value in os.environ.items() if name not in OUTSIDE and not name.startswith("PREMIA_")}
    stack = LocalStack(folder / "stack", bank_clock=BANK_OPENS_AT, environ=environ, ends_with_caller=True)
    try:
        bring_up(stack)
        yield stack
    except BaseException:
        for name in SERVICES:
            print(f"--- the end of {name}'s log", *last_lines(stack.log_file(name), LOG_LINES), sep="\n")
        raise
    finally:
        stack.remove()
        shutil.rmtree(folder)


def run_command(stack: LocalStack, *arguments: object) -> subprocess.CompletedProcess[str]:
    """`premia ARGUMENTS…` on a stack, however it ends."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "premia", *map(str, arguments)],
        env=stack.command_environment(),
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )
