"""The key that a local stack's ledger signs its log with, made once; its public half lies beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from premia.local.environment import LOG_KEY_FILE, LOG_VERIFIER_FILE
from schemas.note_signing import NoteKind, new_note_key, read_note_key
from services.runtime.key_file import read_key_file, write_key_file

# Everything that a local stack holds is synthetic, and its log says so.
ORIGIN: Final = "demo.premia.example/ledger"


def ensure_log_key(data_dir: Path) -> None:
    """Make the key if there is none yet, and write its public half. Raises KeyFileError, NoteKeyError."""
    file = data_dir / LOG_KEY_FILE
    if not file.exists():
        write_key_file(file, f"{new_note_key(ORIGIN, NoteKind.LOG).text()}\n".encode())
    verifiers = [read_note_key(line, NoteKind.LOG).verifier_key() for line in read_key_file(file).decode().splitlines() if line]
    (data_dir / LOG_VERIFIER_FILE).write_text("".join(f"{verifier}\n" for verifier in verifiers), encoding="utf-8")
