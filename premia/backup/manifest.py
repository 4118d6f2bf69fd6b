"""What a backup says of itself: manifest.json, written last.

Goal: a backup that is whole is known to be, years later, and what it is a backup of is known without unpacking it.
Method: every file with its size and SHA-256; the migrations that the database had; the size of the log's tree and its root, of
the same snapshot as the database's copy. A folder without a manifest is no backup.
Refuses: a file that is missing, too many or other than it says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from premia.backup.errors import DamagedBackupError

MANIFEST: Final = "manifest.json"
FORMAT: Final = "premia.backup.v1"
MANIFEST_BYTES_MAX: Final = 256 * 1024 * 1024  # 150 bytes a file; a million documents.
CHUNK_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class KeptFile:
    """One file, by its path in the backup."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class KeptMigration:
    """A migration that the database had."""

    schema: str
    number: int
    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """See the module. `root`: of the tree over all leaves of the journal, in hex. `taken_at`: RFC 3339."""

    taken_at: str
    postgresql: str
    tree_size: int
    root: str
    roles: tuple[str, ...]
    migrations: tuple[KeptMigration, ...]
    files: tuple[KeptFile, ...]


def kept_file(backup: Path, path: Path) -> KeptFile:
    """What the manifest says of a file of the backup."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return KeptFile(path.relative_to(backup).as_posix(), size, digest.hexdigest())


def files_below(folder: Path) -> Iterator[Path]:
    """All files of a folder, in order."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def write_manifest(backup: Path, manifest: Manifest) -> None:
    """Write it whole: a backup that was interrupted has none."""
    partial = backup / f".{MANIFEST}"
    partial.write_text(json.dumps({"format": FORMAT, **asdict(manifest)}, indent=1) + "\n", encoding="utf-8")
    partial.rename(backup / MANIFEST)


def read_manifest(backup: Path) -> Manifest:
    """The manifest, without a look at the files. Raises DamagedBackupError."""
    path = backup / MANIFEST
    try:
        if path.stat().st_size > MANIFEST_BYTES_MAX:
            raise DamagedBackupError(f"{path} is too large to be a manifest")
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format") != FORMAT:
            raise DamagedBackupError(f"{path} is not of the format {FORMAT}: was it made by another version of Premia?")
        content["files"] = tuple(KeptFile(**file) for file in content["files"])
        content["migrations"] = tuple(KeptMigration(**migration) for migration in content["migrations"])
        return Manifest(**content | {"roles": tuple(content["roles"])})
    except FileNotFoundError as error:
        raise DamagedBackupError(f"{path} is missing: this is no backup, or it was interrupted") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedBackupError(f"{path} is no manifest of a backup: it was changed, or cut off") from error


def check_files(backup: Path, manifest: Manifest) -> None:
    """Raises DamagedBackupError unless all files, and no others, are there as the manifest says."""
    expected = {file.path: file for file in manifest.files}
    there = {path.relative_to(backup).as_posix() for path in files_below(backup)} - {MANIFEST}
    if missing := sorted(expected.keys() - there):
        raise DamagedBackupError(f"{_first(missing)} missing from the backup")
    if added := sorted(there - expected.keys()):
        raise DamagedBackupError(f"{_first(added)} no part of the backup")
    for path, file in expected.items():
        if kept_file(backup, backup / path) != file:
            raise DamagedBackupError(f"{path} was changed since the backup was made")


def _first(paths: Sequence[str]) -> str:
    others = len(paths) - 1
    return f"{paths[0]} is" if others == 0 else f"{paths[0]} and {others:,} other{'s' if others > 1 else ''} are"
