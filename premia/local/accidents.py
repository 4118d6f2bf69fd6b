"""Deaths of supervised programs: seen while they happen, and read from supervisord's log afterwards.

Goal: a person sees that something died, how, and the last thing it said, without looking for it.
Method: supervisord notes every exit in its log and starts the program again; the launcher writes a line into the program's log
at each start, so that the last words of the one before are the lines above it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from premia.local.launch import START_MARK
from premia.local.limits import LAST_LOG_LINES
from premia.local.logs import last_lines
from premia.local.programs import PROGRAMS

SUPERVISOR_LOG_LINES_MAX: Final = 2000  # hours of a restart loop; older deaths are not worth telling
SEARCHED_LINES_MAX: Final = 400
_EXITED: Final = re.compile(r"^(?P<at>[\d-]+ [\d:]+),\d+ \w+ exited: (?P<name>\w+) \((?P<how>[^;)]*)")
_SUPERVISOR_STARTED: Final = "supervisord started with pid"


@dataclass(frozen=True, slots=True)
class Death:
    """One unplanned end of a program. `at` is local time as supervisord writes it."""

    name: str
    at: str
    how: str


def deaths(logs_dir: Path) -> list[Death]:
    """Unplanned ends since supervisord started, oldest first."""
    found: list[Death] = []
    for line in last_lines(logs_dir / "supervisord.log", SUPERVISOR_LOG_LINES_MAX):
        if _SUPERVISOR_STARTED in line:
            found = []
        elif (match := _EXITED.match(line)) and match["name"] in PROGRAMS:
            found.append(Death(match["name"], match["at"], match["how"]))
    return found


def last_words(log_file: Path) -> list[str]:
    """The last lines of the process before the present one."""
    lines = last_lines(log_file, SEARCHED_LINES_MAX)
    starts = [number for number, line in enumerate(lines) if START_MARK in line]
    if len(starts) > 1:
        lines = lines[starts[-2] + 1 : starts[-1]]
    return [line for line in lines if START_MARK not in line][-LAST_LOG_LINES:]
