"""Watching the stack from the foreground: what dies is said at once, with its last log lines."""

from __future__ import annotations

import threading
from typing import Final

from premia.local.accidents import deaths, last_words, newly_dead
from premia.local.programs import PROGRAMS
from premia.local.stack import LocalStack
from premia.local.talk import say

INTERVAL_S: Final = 1.0


def watch(stack: LocalStack, ended: threading.Event) -> None:
    """Say what dies, until `ended` is set or nothing is supervised any more. Runs in the foreground or in a thread."""
    before = stack.processes()
    while not ended.wait(INTERVAL_S):
        now = stack.processes()
        if not now:
            say("The stack was stopped from elsewhere.")
            return
        for name in newly_dead(before, now):
            own_deaths = [death for death in deaths(stack.supervisor.logs_dir) if death.name == name]
            how = own_deaths[-1].how if own_deaths else "it is not known how"
            becomes = "it does not start any more" if now[name].given_up else "it is started again"
            say(f"{PROGRAMS[name].title} died ({how}); {becomes}. Its last words:")
            for line in last_words(stack.log_file(name)) or ["(none)"]:
                say(f"  {name} | {line}")
        before = now
