"""The verifier and the libraries that the specifications come from (Go) check what the other one made.

Goal: what we call a note, a cosignature or a proof is what everybody else calls one.
Method: independent/main.go, built with golang.org/x/mod/sumdb and transparency-dev/formats, makes logs and checks ours.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from premia.local.jars import cache_dir
from schemas.note_signing import NoteKind, new_note_key
from tests.log_files import checkpoint, write_log
from verifier.checkpoint import TrustedKeys, open_checkpoint
from verifier.merkle import leaf_hash, root_of_inclusion, verify_consistency
from verifier.note import LOG_KIND, WITNESS_KIND, read_verifier_key
from verifier.tiles import Folder, Tiles

SOURCES = Path(__file__).parent / "independent"
BUILD_S_MAX = 280  # pytest ends a test after 300 s
RUN_S_MAX = 60

pytestmark = pytest.mark.skipif(
    shutil.which("go") is None,
    reason="Go is not installed: no independent implementation checks notes, cosignatures and proofs",
)


@pytest.fixture(scope="module")
def independent() -> Path:
    """The program, built if it is not there yet."""
    content = b"".join((SOURCES / name).read_bytes() for name in ("main.go", "go.mod", "go.sum"))
    program = cache_dir() / f"independent-{sha256(content).hexdigest()[:16]}"
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        made = subprocess.run(
            ["go", "build", "-o", str(program), "."],
            cwd=SOURCES,
            capture_output=True,
            text=True,
            timeout=BUILD_S_MAX,
            check=False,
        )
        assert made.returncode == 0, made.stderr
    return program


def hashes(texts: list[str] | None) -> list[bytes]:
    return [b64decode(text) for text in texts or []]


@pytest.mark.parametrize("size", [1, 2, 7, 64, 100])
def test_what_the_other_implementation_made_verifies_here(independent: Path, size: int) -> None:
    made = subprocess.run([independent, "make", str(size)], capture_output=True, timeout=RUN_S_MAX, check=True)
    told: dict[str, Any] = json.loads(made.stdout)
    keys = TrustedKeys(
        (read_verifier_key(told["LogKey"], LOG_KIND),), (read_verifier_key(told["WitnessKey"], WITNESS_KIND),), 1
    )
    opened = open_checkpoint(told["Checkpoint"].encode(), keys, "theirs")
    assert (opened.tree_size, opened.root) == (size, b64decode(told["Root"]))
    assert [signed.at_unix_s is not None for signed in opened.witnessed] == [True]
    for one in told["Inclusion"]:
        root = root_of_inclusion(leaf_hash(b64decode(one["Leaf"])), one["Index"], size, hashes(one["Proof"]))
        assert root == opened.root
    for one in told["Consistency"]:
        verify_consistency(one["OldSize"], b64decode(one["OldRoot"]), size, opened.root, hashes(one["Proof"]))
    assert len(told["Inclusion"]) == len(told["Consistency"]) == size


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 600])
def test_what_is_made_here_verifies_with_the_other_implementation(independent: Path, tmp_path: Path, size: int) -> None:
    log, witness = new_note_key("ours.example/log", NoteKind.LOG), new_note_key("ours.example/witness", NoteKind.WITNESS)
    leaves = [f"leaf {number}".encode() for number in range(size)]
    tiles = Tiles(Folder(write_log(tmp_path, leaves, log)), size)
    told = {
        "LogKey": log.verifier_key(),
        "WitnessKey": witness.verifier_key(),
        "Checkpoint": checkpoint(leaves, log, witness),
        "Size": size,
        "Root": text(tiles.root(size)),
        "Inclusion": [
            {"Index": index, "Leaf": text(leaf), "Proof": [text(one) for one in tiles.inclusion(index, size)]}
            for index, leaf in enumerate(leaves)
        ],
        "Consistency": [
            {"OldSize": old, "OldRoot": text(tiles.root(old)), "Proof": [text(one) for one in tiles.consistency(old, size)]}
            for old in range(1, size + 1)
        ],
    }
    assert judged(independent, told) == (0, f"{size} {size}\n", "")
    told["Inclusion"][0]["Leaf"] = text(b"another leaf")
    assert judged(independent, told)[0] == 1


def judged(independent: Path, told: dict[str, Any]) -> tuple[int, str, str]:
    done = subprocess.run(
        [independent, "check"], input=json.dumps(told), capture_output=True, text=True, timeout=RUN_S_MAX, check=False
    )
    return done.returncode, done.stdout, done.stderr


def text(content: bytes) -> str:
    return b64encode(content).decode()
