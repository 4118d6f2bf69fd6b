"""The state of the stack as one value: for `premia status`, its JSON, and what to do next."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from premia.local.accidents import deaths, last_words
from premia.local.advice import Advice, advice
from premia.local.invocation import premia_command
from premia.local.memory import family_bytes
from premia.local.programs import PROGRAMS, SERVICES
from premia.local.stack import LocalStack
from premia.local.whole import Whole, whole

MEGABYTE: Final = 1024 * 1024


# Supervisord's states in words; it calls a program "starting" for its first seconds, whatever it does already.
_STATES: Final = {
    "RUNNING": "running",
    "STARTING": "running",
    "BACKOFF": "restarting",
    "EXITED": "restarting",
    "FATAL": "failed",
}


@dataclass(frozen=True, slots=True)
class ProgramState:
    """One program as a person asks about it. Times in seconds, memory in MB; None where there is no process."""

    name: str
    title: str
    state: str
    ready: bool
    pid: int | None
    uptime_s: int | None
    memory_mb: int | None
    port: int
    log: str
    trouble: str | None
    deaths: int
    last_words: list[str]


@dataclass(frozen=True, slots=True)
class StackReport:
    """Everything that `premia status` shows."""

    data_dir: str
    running: bool
    ready: bool
    external: dict[str, str]
    programs: list[ProgramState]
    whole: Whole | None
    next: list[Advice]


def report(stack: LocalStack) -> StackReport:
    """Look at every program once. `ready` is whether all of them can be used."""
    premia = premia_command(stack.data_dir)
    if not stack.exists():
        return StackReport(
            str(stack.data_dir),
            running=False,
            ready=False,
            external={},
            programs=[],
            whole=None,
            next=advice([], None, premia=premia),
        )
    processes = stack.processes()
    died = deaths(stack.supervisor.logs_dir) if processes else []
    programs = []
    for name in (*stack.local_infrastructure(), *SERVICES):
        info = processes.get(name)
        runs = info is not None and info.runs
        times = sum(death.name == name for death in died)
        programs.append(
            ProgramState(
                name=name,
                title=PROGRAMS[name].title,
                state=_STATES.get(info.state, "stopped") if info else "stopped",
                ready=runs and stack.is_ready(name),
                pid=info.pid if info and runs else None,
                uptime_s=int(time.time()) - info.started_at_s if info and runs else None,
                memory_mb=round(family_bytes([info.pid]) / MEGABYTE) if info and runs else None,
                port=stack.state.ports[name],
                log=str(stack.log_file(name)),
                trouble=stack.trouble(name) if runs else None,
                deaths=times,
                last_words=last_words(stack.log_file(name)) if times else [],
            )
        )
    seen = whole(stack.state.ports) if processes else None
    external = {"kafka": stack.state.external_kafka, "postgres": stack.state.external_database}
    return StackReport(
        data_dir=str(stack.data_dir),
        running=bool(processes),
        ready=all(program.ready for program in programs),
        external={name: _without_login(address) for name, address in external.items() if address},
        programs=programs,
        whole=seen,
        next=advice(programs, seen, premia=premia),
    )


def _without_login(url: str) -> str:
    """A server's address as it may be shown: without user and password."""
    return url.rpartition("@")[2]
