"""How `premia` is called from where the person is, so that a command can be pasted as it is printed."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from premia.local.state import DATA_DIR_VARIABLE, chosen_data_dir


def premia_command(data_dir: Path) -> str:
    """`premia` where the shell finds this very one, else its path; with the data folder where that is not the chosen one."""
    program = Path(sys.executable).parent / "premia"
    found = shutil.which("premia")
    shown = "premia" if found is not None and Path(found) == program else shown_path(program)
    prefix = "" if data_dir == chosen_data_dir() else f"{DATA_DIR_VARIABLE}={shlex.quote(str(data_dir))} "
    return prefix + shlex.quote(shown)


def shown_path(path: Path) -> str:
    """A path as it is written from the present folder."""
    here = os.path.relpath(path)
    return str(path) if here.startswith("..") else here
