"""A local stack has one key of its log, made at its first start."""

from __future__ import annotations

import stat
from pathlib import Path

from premia.local.environment import LOG_KEY_FILE, LOG_VERIFIER_FILE
from premia.local.log_key import ORIGIN, ensure_log_key
from schemas.note_signing import NoteKind, new_note_key, read_note_key


def test_the_key_is_made_once_and_its_public_half_lies_beside_it(tmp_path: Path) -> None:
    ensure_log_key(tmp_path)
    file = tmp_path / LOG_KEY_FILE
    first = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    key = read_note_key(first, NoteKind.LOG)
    assert key.name == ORIGIN
    assert ORIGIN.startswith("demo."), "all that a local stack holds is synthetic"
    ensure_log_key(tmp_path)
    assert file.read_text() == first
    assert (tmp_path / LOG_VERIFIER_FILE).read_text() == f"{key.verifier_key()}\n"


def test_a_key_that_a_person_added_is_handed_out_too(tmp_path: Path) -> None:
    ensure_log_key(tmp_path)
    following = new_note_key(ORIGIN, NoteKind.LOG)
    with (tmp_path / LOG_KEY_FILE).open("a") as file:
        file.write(f"{following.text()}\n")
    ensure_log_key(tmp_path)
    assert following.verifier_key() in (tmp_path / LOG_VERIFIER_FILE).read_text().splitlines()
