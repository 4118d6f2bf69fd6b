"""The keys that the log signs with.

Method: Ed25519 note keys in Go's text form, one a line; from the file PREMIA_LEDGER_LOG_KEY or the variable
PREMIA_LEDGER_LOG_KEY_TEXT. Their one name is the log's origin. The checkpoint gets a signature of each, so that a key is
followed by another without a gap: both sign until everybody has the new one.
Refuses: no key, keys of several names, and what is no key, as SettingError, without showing any of it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from schemas.note_signing import NoteKey, NoteKeyError, NoteKind, read_note_key
from services.ledger.adapters.signed_note import Note, read_signatures, read_verifier_key
from services.runtime.key_file import KeyFileError, read_key_file
from services.runtime.settings import SettingError

KEYS_MAX: Final = 4  # a key and the one that follows it; more than twice that would be a mistake.
FILE: Final = "PREMIA_LEDGER_LOG_KEY"
TEXT: Final = "PREMIA_LEDGER_LOG_KEY_TEXT"


@dataclass(frozen=True, slots=True)
class LogKeys:
    """At least one key; all have the log's origin as their name."""

    keys: tuple[NoteKey, ...]

    @property
    def origin(self) -> str:
        """The log's name."""
        return self.keys[0].name

    def signed(self, text: str) -> Note:
        """The text with a signature of each key."""
        return Note(text, read_signatures("".join(key.sign(text) for key in self.keys)))

    def have_signed(self, note: Note) -> bool:
        """Whether one of the keys signed the note, and no signature that claims to be of one of them is wrong."""
        verifiers = [read_verifier_key(key.verifier_key()) for key in self.keys]
        claims = [(key, signature) for key in verifiers for signature in note.signatures if key.claimed(signature)]
        return bool(claims) and all(key.verifies(note.text, signature) for key, signature in claims)


def log_keys() -> LogKeys:
    """The keys of the environment. Raises SettingError."""
    if text := os.environ.get(TEXT, ""):
        return keys_of(text, TEXT)
    file = os.environ.get(FILE, "")
    if not file:
        raise SettingError(f"{FILE} is not set: name the file of the log's key, which `premia keys log` makes")
    try:
        return keys_of(read_key_file(Path(file)).decode(errors="replace"), FILE)
    except KeyFileError as error:
        raise SettingError(f"{FILE}: {error}") from error


def keys_of(text: str, setting: str) -> LogKeys:
    """The keys of some lines; `setting` is named in what is refused. Raises SettingError."""
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        keys = tuple(read_note_key(line, NoteKind.LOG) for line in lines)
    except NoteKeyError as error:
        raise SettingError(f"{setting}: one of its lines {error}") from error
    if not 0 < len(keys) <= KEYS_MAX:
        raise SettingError(f"{setting}: one to {KEYS_MAX} keys, one a line; these are {len(keys)}")
    if len({key.name for key in keys}) > 1 or len({key.hash for key in keys}) < len(keys):
        raise SettingError(f"{setting}: all keys have the log's origin as their name, and each is there once")
    return LogKeys(keys)
