"""Troubles of the local stack, as exceptions that carry the exit code of the command.

Two kinds: the machine lacks something or the request is wrong (exit 2); a part that is needed does not come up (exit 3).
The message is one line that says what to do.
"""

from __future__ import annotations

from typing import Final

import click

EXIT_INTERRUPTED: Final = 130  # as shells report a program that Ctrl-C ended; click's own 1 means that a check found something


class MachineNotReady(click.ClickException):
    """Something that the local stack needs is missing or in the way on this machine."""

    exit_code = 2


class StackUnreachable(click.ClickException):
    """A part of the stack did not come up, or cannot be reached."""

    exit_code = 3
