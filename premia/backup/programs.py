"""PostgreSQL's own programs for copies of databases.

Goal: a server of any version that Premia runs on is copied by a program that can read it.
Method: pg_dump and pg_restore that are on PATH, else those of the local stack's package: the first that is not older than the
server. The password goes through the environment, never through the arguments, which everybody on a machine can see.
Refuses: where there is none, with the version that is needed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from premia.backup.errors import BackupError

VERSION: Final = re.compile(r"\(PostgreSQL\) (\d+)")


def program(name: str, server_major: int) -> str:
    """The path of `pg_dump` or `pg_restore`. Raises BackupError."""
    found = {}
    for path in _candidates(name):
        told = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
        version = VERSION.search(told.stdout)
        if version is not None:
            found[path] = int(version.group(1))
            if found[path] >= server_major:
                return path
    there = ", ".join(f"{path} is {version}" for path, version in found.items()) or "none was found"
    raise BackupError(f"{name} of PostgreSQL {server_major} or newer is needed ({there}): install it, or put it on PATH")


def run(command: list[str], url: str) -> None:
    """Run a program on the database at `url`. Raises BackupError with what it said."""
    parts = urlsplit(url)
    login, password = unquote(parts.username or ""), unquote(parts.password or "")
    host = parts.netloc.rpartition("@")[2]
    without_password = urlunsplit(parts._replace(netloc=f"{parts.username}@{host}" if login else host))
    environment = {**os.environ, "PGPASSWORD": password, "PGCONNECT_TIMEOUT": "10"}
    done = subprocess.run(  # noqa: S603
        [*command, f"--dbname={without_password}"], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = done.stderr.strip() or f"exit code {done.returncode}"
        raise BackupError(f"{Path(command[0]).name} failed: {said}")


def _candidates(name: str) -> Iterator[str]:
    on_path = shutil.which(name)
    if on_path is not None:
        yield on_path
    from premia.local.postgres import programs_dir  # noqa: PLC0415  # there only with the local stack's packages

    packaged = programs_dir() / "bin" / name
    if packaged.is_file():
        yield str(packaged)
