"""The verifier over a large log: time and peak memory of `python -m verifier log`, beside hashing the same leaves alone.

Method: PREMIA_BENCH_LEAVES premiums (1,000,000 by default) of 200 organizations are written as a log, leaf by leaf. The
verifier runs as a process of its own, with the entries and with the hashes alone, and its peak memory is what the system
says. The baseline reads the same files and computes each leaf's hash and nothing else. Target: below 300 MB.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from schemas.note_signing import NoteKind, new_note_key
from verifier.merkle import GrowingTree, leaf_hash
from verifier.tiles import ENTRY_LENGTH_BYTES, TILE_WIDTH, subtree_root, tile_path

LEAVES: Final = int(os.environ.get("PREMIA_BENCH_LEAVES", "1000000"))
ORGANIZATIONS: Final = 200
MEMORY_MB_MAX: Final = 300
ZEROS: Final = "0" * 64


def leaf(index: int) -> bytes:
    """A premium of 1.3 KB, as most leaves are."""
    organization = f"ORG-PE-{index % ORGANIZATIONS:03}"
    scope: dict[str, Any] = {"lot_id": f"PE-{index:09}", "refiner_id": "REF-CH-01", "revision": 1, "stage": "final"}
    owner = {"owner_id": organization, "owner_kind": "org"}
    weight, amount = f"{1 + index % 5000}.109", f"{1 + index % 5000}.08"
    payer, refiner = {"owner_id": "PAY-01", "owner_kind": "payer"}, {"owner_id": "REF-CH-01", "owner_kind": "refiner"}
    told = {
        "cause": {
            "calculation": 0,
            "entitlement_id": "a57cb863-69ef-58be-bf80-e71e19f4945d",
            "explanation": [
                {
                    "rule": "mean",
                    "step": "assay",
                    "values": {"buyer": "873.1", "fineness_permille": "873.3", "seller": "873.5"},
                },
                {"rule": "per_mass", "step": "premium", "values": {"currency": "USD", "scheme_id": "sbg", "total": amount}},
            ],
            "fine_weight_g": weight,
            "fineness_permille": "873.3",
            "kind": "entitlement",
            "lot_id": scope["lot_id"],
            "refiner_id": "REF-CH-01",
            "registry_version": f"sha256:{ZEROS}",
            "revision": 1,
            "sale": {"hash": f"sha256:{ZEROS}", "id": str(index), "source": "/refiners/REF-CH-01"},
            "sold_on": "2025-03-14",
            "stage": "final",
            "status": "settleable",
        },
        "effective_on": "2025-03-14",
        "gold": {"fine_weight_g": weight, "previous_fine_weight_g": "0.000"},
        "kind": "premium",
        "leaf_index": index,
        "lines": [
            {
                "amount": amount,
                "currency": "USD",
                "eligible": True,
                "fine_weight_g": weight,
                "payer_id": "PAY-01",
                "previous_amount": "0.00",
                "reason": None,
                "role": "producer",
                "scheme_id": "sbg",
                "scheme_version": "2019-07",
            }
        ],
        "nonce": hashlib.md5(str(index).encode(), usedforsecurity=False).hexdigest(),
        "part": 1,
        "parts": 1,
        "recorded_at": "2026-11-23T21:22:05.339016Z",
        "subject": {"id": organization, "kind": "org"},
        "subject_number": index // ORGANIZATIONS + 1,
        "transaction_id": "cad40bd9-1cfb-5ecb-92be-f62e0bbd23c9",
        "transfers": [
            {
                "amount_minor": int(amount.replace(".", "")),
                "credit": owner | {"purpose": "payable"},
                "debit": payer | {"purpose": "receivable"},
                "scope": scope | {"payer_id": "PAY-01", "role": "producer", "scheme_id": "sbg"},
                "unit": "USD",
            },
            {
                "amount_minor": int(weight.replace(".", "")),
                "credit": owner | {"purpose": "gold"},
                "debit": refiner | {"purpose": "gold"},
                "scope": scope,
                "unit": "AU-MG",
            },
        ],
    }
    return json.dumps(told, separators=(",", ":"), sort_keys=True).encode()


def write_log(folder: Path) -> str:
    """Write the log. Returns its verifier key."""
    tree, levels = GrowingTree(), list[list[bytes]]()
    numbers: list[int] = []
    bundle: list[bytes] = []

    def add(hash_of_subtree: bytes, level: int) -> None:
        if level == len(levels):
            levels.append([])
            numbers.append(0)
        levels[level].append(hash_of_subtree)
        if len(levels[level]) == TILE_WIDTH:
            full = levels[level]
            _write(folder / tile_path(level, numbers[level], TILE_WIDTH), b"".join(full))
            levels[level], numbers[level] = [], numbers[level] + 1
            add(subtree_root(full), level + 1)

    for index in range(LEAVES):
        content = leaf(index)
        bundle.append(len(content).to_bytes(ENTRY_LENGTH_BYTES, "big") + content)
        if len(bundle) == TILE_WIDTH or index == LEAVES - 1:
            _write(folder / tile_path("entries", index // TILE_WIDTH, len(bundle)), b"".join(bundle))
            bundle = []
        tree.append(leaf_hash(content))
        add(leaf_hash(content), 0)
    for level, hashes in enumerate(levels):
        if hashes:
            _write(folder / tile_path(level, numbers[level], len(hashes)), b"".join(hashes))
    key = new_note_key("bench.example/log", NoteKind.LOG)
    text = f"{key.name}\n{LEAVES}\n{b64encode(tree.root()).decode()}\n"
    (folder / "checkpoint").write_text(f"{text}\n{key.sign(text)}", encoding="utf-8")
    return key.verifier_key()


def leaves_of(folder: Path) -> Iterator[bytes]:
    """All leaves, read from the files."""
    for number in range(-(-LEAVES // TILE_WIDTH)):
        content = (folder / tile_path("entries", number, min(TILE_WIDTH, LEAVES - number * TILE_WIDTH))).read_bytes()
        at = 0
        while at < len(content):
            length = int.from_bytes(content[at : at + ENTRY_LENGTH_BYTES], "big")
            yield content[at + ENTRY_LENGTH_BYTES : at + ENTRY_LENGTH_BYTES + length]
            at += ENTRY_LENGTH_BYTES + length


def verified(folder: Path, key: str) -> tuple[float, float]:
    """Processor seconds and peak megabytes of the verifier over the files."""
    done = subprocess.Popen([sys.executable, "-m", "verifier", "log", str(folder), "--key", key], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(done.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, "the verifier found a deviation"
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def main() -> None:
    """Print time and memory. Exit 1 if the verifier took more memory than it may."""
    with tempfile.TemporaryDirectory(prefix="premia-bench-") as name:
        folder = Path(name)
        key = write_log(folder)
        started = time.process_time()
        count = sum(1 for one in leaves_of(folder) if leaf_hash(one))
        baseline_s = time.process_time() - started
        print(f"{count:,} leaves; reading and hashing them alone: {baseline_s:.1f} s of one processor")
        whole_s, whole_mb = verified(folder, key)
        print(f"verifier, with entries:  {whole_s:.1f} s, {whole_s / baseline_s:.1f} times that, at most {whole_mb:.0f} MB")
        for file in (folder / "tile" / "entries").rglob("*"):
            if file.is_file():
                file.unlink()
        hashes_s, hashes_mb = verified(folder, key)
        print(f"verifier, hashes alone:  {hashes_s:.1f} s, at most {hashes_mb:.0f} MB")
        print(f"target: below {MEMORY_MB_MAX} MB")
        sys.exit(max(whole_mb, hashes_mb) >= MEMORY_MB_MAX)


if __name__ == "__main__":
    main()
