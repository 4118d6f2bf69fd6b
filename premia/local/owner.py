"""End a stack whose owner is gone: `python -m premia.local.owner`, run by supervisord beside the programs.

Goal: a demo or a test session that is killed outright leaves no broker behind.
Method: wait for the owner's process to end, then tell supervisord, our parent, to stop everything.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Final

import psutil

OWNER_VARIABLE: Final = "PREMIA_OWNER_PID"


def main() -> None:
    """Return when the owner has ended and supervisord was told."""
    supervisord = os.getppid()
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int(os.environ[OWNER_VARIABLE])).wait()
    os.kill(supervisord, signal.SIGTERM)


if __name__ == "__main__":
    main()
