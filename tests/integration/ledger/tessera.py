"""An independent judge of logs: fsck of transparency-dev/tessera, built with Go.

Method: `go install` at a pinned version into the cache that the local stack's jars lie in; half a minute the first time. It
exits 0 whatever it finds, so what it says decides.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from premia.local.jars import cache_dir

VERSION: Final = "v1.0.4"
BUILD_S_MAX: Final = 280  # pytest ends a test after 300 s
CHECK_S_MAX: Final = 60
SUCCESS: Final = re.compile(r"Successfully fsck'd log with size (\d+) ")

needs_go = pytest.mark.skipif(
    shutil.which("go") is None, reason="Go is not installed: the log is not checked by tessera's fsck"
)


@cache
def fsck_program() -> Path:
    """The program; built if it is not there yet."""
    folder = cache_dir() / f"tessera-{VERSION}"
    program = folder / "fsck"
    if not program.exists():
        command = ["go", "install", f"github.com/transparency-dev/tessera/cmd/fsck@{VERSION}"]
        made = subprocess.run(
            command, env={**os.environ, "GOBIN": str(folder)}, capture_output=True, text=True, timeout=BUILD_S_MAX, check=False
        )
        assert made.returncode == 0, made.stderr
    return program


def fsck(url: str, key_file: Path, token: str = "") -> int | str:
    """Check the log at `url` (http or file). Returns its size, or what is wrong."""
    command = [str(fsck_program()), f"-storage_url={url}", f"-public_key={key_file}", "-ui=false", "-N=4", "-logtostderr"]
    if token:
        command.append(f"-bearer_token={token}")
    said = subprocess.run(command, capture_output=True, text=True, timeout=CHECK_S_MAX, check=False).stderr
    found = SUCCESS.search(said)
    return said if found is None or "failed" in said else int(found[1])
