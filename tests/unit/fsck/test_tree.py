"""fsck holds the journal's leaves against the files that were published of them, and names leaf, file or checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from premia.fsck.ledger.tree import SealedLog, Tree, read_sealed_log
from schemas.note_signing import NoteKind, new_note_key
from services.ledger.adapters.growing_log import resumed
from services.ledger.adapters.log_folder import LogFolder
from services.ledger.adapters.log_keys import LogKeys

KEYS: Final = LogKeys((new_note_key("fsck.example/ledger", NoteKind.LOG),))
SIZE: Final = 700  # two full tiles and one that is not, and a tile above them
LEAVES: Final = [b'{"leaf_index":%d}' % index for index in range(SIZE)]


def sealed(path: Path, size: int = SIZE) -> Path:
    """The log of the first leaves, as the ledger writes it."""
    path.mkdir(exist_ok=True)
    log = resumed(LogFolder(path), KEYS, 0)
    log.grow(LEAVES[:size])
    log.seal()
    return path


def deviations(log: SealedLog, leaves: list[bytes]) -> list[tuple[str, str]]:
    """Codes and places, where the journal has these leaves."""
    tree = Tree(log)
    found = [deviation for leaf in leaves for deviation in tree.append(leaf)]
    return [(deviation.code.value, deviation.where) for deviation in [*found, *tree.end()]]


def swapped(leaves: list[bytes], one: int, other: int) -> list[bytes]:
    """Two leaves in each other's place."""
    leaves[one], leaves[other] = leaves[other], leaves[one]
    return leaves


def in_file(path: Path, change: Callable[[bytes], bytes]) -> None:
    """A file with other bytes."""
    path.write_bytes(change(path.read_bytes()))


def in_place_of(path: Path) -> None:
    """A folder where a file should be: it cannot be read, whoever asks."""
    path.unlink()
    path.mkdir()


# What was done to the journal or to the folder, and every code that must be found with the place that must be named.
DAMAGES: Final[dict[str, tuple[Callable[[list[bytes], Path], object], dict[str, str]]]] = {
    "a leaf was changed": (
        lambda leaves, _: leaves.__setitem__(300, b"{}"),
        {"LEAF_SEALED_OTHERWISE": "leaf 300", "CHECKPOINT_WRONG": "checkpoint: the root of 700 leaves"},
    ),
    "two leaves were swapped": (
        lambda leaves, _: swapped(leaves, 3, 699),
        {"LEAF_SEALED_OTHERWISE": "leaf 3", "CHECKPOINT_WRONG": "checkpoint: the root of 700 leaves"},
    ),
    "the journal was restored from an old backup": (
        lambda leaves, _: leaves.__delitem__(slice(600, None)),
        {"JOURNAL_BEHIND_LOG": "checkpoint"},
    ),
    "a tile of leaves was changed": (
        lambda _, path: in_file(path / "tile/0/000", lambda content: b"\0" * 32 + content[32:]),
        {"LEAF_SEALED_OTHERWISE": "leaf 0", "LOG_FILE_WRONG": "tile/1/000.p/2"},
    ),
    "a tile above was changed": (
        lambda _, path: in_file(path / "tile/1/000.p/2", lambda content: content[32:] + content[:32]),
        {"LOG_FILE_WRONG": "tile/1/000.p/2"},
    ),
    "a tile is gone": (lambda _, path: (path / "tile/0/001").unlink(), {"LOG_FILE_WRONG": "tile/0/001"}),
    "a published leaf was changed": (
        lambda _, path: in_file(path / "tile/entries/001", lambda content: content.replace(b":300}", b":301}")),
        {"LOG_FILE_WRONG": "tile/entries/001"},
    ),
    "published leaves were cut off": (
        lambda _, path: in_file(path / "tile/entries/002.p/188", lambda content: content[:-1]),
        {"LOG_FILE_WRONG": "tile/entries/002.p/188"},
    ),
    "published leaves are gone": (
        lambda _, path: (path / "tile/entries/000").unlink(),
        {"LOG_FILE_WRONG": "tile/entries/000"},
    ),
    "a tile cannot be read": (lambda _, path: in_place_of(path / "tile/0/001"), {"LOG_FILE_WRONG": "tile/0/001"}),
    "a tile above cannot be read": (
        lambda _, path: in_place_of(path / "tile/1/000.p/2"),
        {"LOG_FILE_WRONG": "tile/1/000.p/2"},
    ),
    "the checkpoint cannot be read": (lambda _, path: in_place_of(path / "checkpoint"), {"LOG_FILE_WRONG": "checkpoint"}),
    "the checkpoint was changed": (
        lambda _, path: in_file(path / "checkpoint", lambda content: content.replace(b"\n", b"\n\n", 1)),
        {"LOG_FILE_WRONG": "checkpoint"},
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_and_named(tmp_path: Path, name: str) -> None:
    damage, expected = DAMAGES[name]
    path, leaves = sealed(tmp_path / "log"), list(LEAVES)
    damage(leaves, path)
    found = deviations(read_sealed_log(path, ()), leaves)
    assert {code for code, _ in found} == set(expected), found
    for code, where in expected.items():
        assert any(place.removeprefix(f"{path}/").startswith(where) for found_code, place in found if found_code == code), found


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, SIZE])
def test_a_log_that_stands_for_the_journal_so_far_has_no_deviation(tmp_path: Path, size: int) -> None:
    log = read_sealed_log(sealed(tmp_path / "log", size), ())
    assert deviations(log, LEAVES[:size]) == []
    assert deviations(log, LEAVES) == []


def test_every_checkpoint_that_was_kept_elsewhere_must_be_extended(tmp_path: Path) -> None:
    kept = []
    for size in (0, 100, 256, SIZE):
        kept.append(tmp_path / f"checkpoint.{size}")
        kept[-1].write_bytes((sealed(tmp_path / f"log.{size}", size) / "checkpoint").read_bytes())
    log = read_sealed_log(None, kept)
    assert deviations(log, LEAVES) == []
    other = [b"other", *LEAVES[1:]]
    assert deviations(log, other) == [
        ("CHECKPOINT_WRONG", f"{tmp_path}/checkpoint.{size}: the root of {size} leaves") for size in (100, 256, SIZE)
    ]
