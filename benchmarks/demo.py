"""How long a whole programme takes: `python -m benchmarks.demo` runs `premia demo` in a folder of its own.

Aim: 60 s on 2 cores with downloads done, start and stop included, at most 1.5 GB of memory. The table is the demo's own.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> None:
    """Run the demo and print where its time went."""
    folder = Path(tempfile.mkdtemp(prefix="premia-bench-demo-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as another account that has to pass through
    try:
        done = subprocess.run(
            [sys.executable, "-m", "premia", "demo", "--stop", "--data-dir", str(folder / "data")],
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        shutil.rmtree(folder)
    table = done.stdout[done.stdout.index("Elapsed") :].partition("\n\n")[0]
    print(f"demo (aim 60 s, 1.5 GB)\n{table}")


if __name__ == "__main__":
    main()
