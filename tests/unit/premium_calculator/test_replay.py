"""The same sales and the same registry always give byte-equal entitlements: the whole sample, by two processes.

The second one hashes texts otherwise and has the registry's entries in another order, so that nothing can come from either.
"""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Final

import schemes
from samples.reader import PROGRAMME_FILE, read_sales
from schemas.entitlement import Replaced
from schemas.registry_file import load_registry
from schemas.registry_snapshot import registry_snapshot
from services.premium_calculator.adapters.calculating_registry import calculating_registry
from services.premium_calculator.adapters.sale_decision import Calculated, SaleRecord, decide, recalculate

ROOT: Final = Path(__file__).resolve().parents[3]
TIMEOUT_S: Final = 240.0
ORIGIN: Final = "gold.sales.v1/0/0"
SALES_MIN: Final = 16_000


def replay(seed: int) -> tuple[int, str]:
    """How many sales were calculated, and a hash of all entitlements and their recalculations, headers included."""
    loaded = load_registry(PROGRAMME_FILE, Path(schemes.__path__[0])).snapshot
    organizations, terms = list(loaded.organizations.items()), list(loaded.schemes.items())
    chance = random.Random(seed)
    chance.shuffle(organizations)
    chance.shuffle(terms)
    registry = calculating_registry(registry_snapshot(loaded.programme, dict(organizations), dict(terms)))
    digest, calculated = hashlib.sha256(), 0
    for sale in read_sales():
        record = SaleRecord(sale.message.key, sale.message.value, sale.message.headers)
        for decided in (decide(record, registry), recalculate(record, registry, Replaced(revision=1, calculation=0))):
            if isinstance(decided, Calculated):
                calculated += 1
                digest.update(decided.value)
                digest.update(repr(decided.headers(ORIGIN)).encode())
    return calculated, digest.hexdigest()


def test_the_sample_replayed_twice_gives_the_same_bytes() -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.unit.premium_calculator.test_replay", str(seed)],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in (1, 2)
    ]
    answers = [process.communicate(timeout=TIMEOUT_S)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert answers[0] == answers[1]
    assert int(answers[0][0]) > 2 * SALES_MIN


if __name__ == "__main__":
    sys.stdout.write(" ".join(map(str, replay(int(sys.argv[1])))))
