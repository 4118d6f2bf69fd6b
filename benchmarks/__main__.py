"""`python -m benchmarks` (`make bench`): every number beside its baseline, one after the other, nothing else running."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

BENCHMARKS: Final = (
    "engine",
    "worker",
    "latency",
    "rebalance",
    "ledger",
    "ledger_peers",
    "ledger_growth",
    "ledger_reading",
    "sealing",
    "verify",
    "demo",
)


def main() -> None:
    """Run all, each as a process of its own; the exit code says how many missed their target or failed."""
    failed = 0
    for name in BENCHMARKS:
        print(f"\n== {name}", flush=True)
        failed += subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode != 0
    sys.exit(failed)


if __name__ == "__main__":
    main()
