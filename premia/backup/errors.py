"""What can be wrong with a backup, or with the place where one is restored."""

from __future__ import annotations

import click

from premia.connection import EXIT_REJECTED


class BackupError(click.ClickException):
    """Nothing was overwritten. The message says what is in the way and what to do."""

    exit_code = EXIT_REJECTED


class DamagedBackupError(click.ClickException):
    """The backup is not what its manifest says."""

    exit_code = 1
