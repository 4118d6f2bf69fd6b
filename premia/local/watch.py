"""Watching the stack from the foreground: what dies is said at once, with its last log lines."""

from __future__ import annotations

import threading
from typing import Final

from premia.local.accidents import deaths, last_words
from premia.local.programs import PROGRAMS
from premia.local.stack import LocalStack
from premia.local.talk import say

INTERVAL_S: Final = 1.0


def watch(stack: LocalStack, ended: threading.Event) -> None:
    """Say what dies, from the stack's start on, until `ended` is set or nothing is supervised any more.

    Runs in the foreground or in a thread.
    """
    told = 0
    while not ended.wait(INTERVAL_S):
        processes = stack.processes()
        if not processes:
            if not ended.is_set():
                say("The stack was stopped from elsewhere.")
            return
        found = deaths(stack.supervisor.logs_dir)
        for death in found[told:]:
            becomes = "it does not start any more" if processes[death.name].given_up else "it is started again"
            say(f"{PROGRAMS[death.name].title} died ({death.how}); {becomes}. Its last words:")
            for line in last_words(stack.log_file(death.name)) or ["(none)"]:
                say(f"  {death.name} | {line}")
        told = len(found)
