"""Become one program of the stack: `python -m premia.local.launch NAME`, called by supervisord.

Goal: each process sees what it needs and nothing else: no service password in PostgreSQL's environment, no root for PostgreSQL.
Method: read what the stack remembers, then exec. Supervisord's configuration thereby holds no secret and no path to escape.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from premia.local import kafka, postgres
from premia.local.environment import LOOPBACK, environment_of
from premia.local.jars import JarCache, cache_dir, locked_jars
from premia.local.programs import SERVICE_MODULES
from premia.local.state import DATA_DIR_VARIABLE, StackState, read_state

SUPERVISED_VARIABLE: Final = "PREMIA_SUPERVISED"  # marks the processes of a stack, so that orphans can be found
PASSED_ON: Final = ("PATH", "PYTHONPATH", "HOME", "LANG", "LC_ALL", "TMPDIR", SUPERVISED_VARIABLE)
NEVER_MS: Final = 24 * 3600 * 1000  # the bank looks into its drop folder when it is asked to
CLOCK_FILE: Final = "clock"
START_MARK: Final = "premia: starting "  # in each log, so that the last words of the process before can be found


def bank_command(data_dir: Path, state: StackState) -> list[str]:
    """The mock bank; after a restart its clock goes on from where it was last set."""
    folder = data_dir / "bank"
    command = [sys.executable, "-m", "mockbank", "--quiet", "--host", LOOPBACK, "--port", str(state.ports["bank"])]
    command += ["--db", str(folder / "bank.sqlite"), "--cutoff", "23:59"]
    command += ["--drop-dir", str(folder / "outgoing"), "--pickup-dir", str(folder / "incoming")]
    command += ["--drop-settle-ms", "0", "--drop-interval-ms", str(NEVER_MS)]
    clock = bank_clock(folder / CLOCK_FILE, state.bank_clock)
    return [*command, "--clock", clock] if clock else command


def bank_clock(clock_file: Path, start: str | None) -> str | None:
    """When the bank's clock starts: where it was last set, else at the stack's choice, else (None) now."""
    last_set = clock_file.read_text(encoding="ascii").strip() if clock_file.exists() else None
    if last_set is None:
        return start
    if start is None and datetime.fromisoformat(last_set).replace(tzinfo=UTC) < datetime.now(UTC):
        return None
    return last_set


def service_environment(name: str, known: Mapping[str, str]) -> dict[str, str]:
    """What a service may know: everything but databases that are not its own, the administrator's above all."""
    own = f"PREMIA_{name.upper()}_DATABASE_URL"
    return {variable: value for variable, value in known.items() if variable == own or not variable.endswith("DATABASE_URL")}


def become(name: str, data_dir: Path, state: StackState) -> None:
    """Replace this process by the program. Does not return."""
    few = {variable: os.environ[variable] for variable in PASSED_ON if variable in os.environ}
    match name:
        case "kafka":
            command = kafka.serve_command(JarCache(cache_dir(), locked_jars()).class_path())
            os.chdir(data_dir / "kafka")
            environment = few
        case "postgres":
            home = Path(state.postgres_dir)
            command = postgres.serve_command(postgres.installed_programs(home), home, state.ports["postgres"])
            environment = few
            if account := postgres.server_account():
                os.setgroups([])
                os.setgid(account.gid)
                os.setuid(account.uid)
        case "bank":
            command = bank_command(data_dir, state)
            environment = few
        case _:
            command = [sys.executable, "-P", "-m", SERVICE_MODULES[name]]
            environment = service_environment(name, {**os.environ, **environment_of(data_dir, state)})
    os.execve(command[0], command, environment)  # noqa: S606


def main() -> None:
    """Entry point for supervisord."""
    data_dir = Path(os.environ[DATA_DIR_VARIABLE])
    state = read_state(data_dir)
    assert state is not None, "supervisord is started after state.json was written"
    name = sys.argv[1]
    sys.stdout.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {START_MARK}{name}, pid {os.getpid()}\n")
    sys.stdout.flush()
    become(name, data_dir, state)


if __name__ == "__main__":
    main()
