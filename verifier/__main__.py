"""`python -m verifier`.

Goal: exit code 1 means that something deviates, and nothing else.
Method: what ends the program from outside has exit codes of its own, those of `premia`: 130 for Ctrl-C, 141 where nobody reads
what is written, 3 where it cannot be written.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from verifier.command_line import UNREACHABLE, main

INTERRUPTED: Final = 130
NOBODY_READS: Final = 141  # as shells report a program that was ended by SIGPIPE


def run() -> int:
    """Check what the arguments ask for. Returns the exit code."""
    try:
        return main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        return INTERRUPTED
    except OSError as error:  # of standard output: what cannot be read is told where it is read
        # What is left to be written would be tried again at the end, and fail there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return NOBODY_READS
        sys.stderr.write(f"standard output: {error.strerror}: it was not written to the end\n")
        return UNREACHABLE


if __name__ == "__main__":
    sys.exit(run())
