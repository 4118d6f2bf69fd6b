"""`premia keys`: keys that a refiner signs its sales with, and that a log and its witnesses sign checkpoints with.

Goal: everybody makes their own key, and only the public part ever leaves their machine.
Method: the private key goes to a new file that only its owner may read; the public part is printed as it is needed: a refiner's
as lines of the registry, a log's or witness's as a verifier key (C2SP signed-note).
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from premia.local.talk import say
from premia.signing import write_new_key
from schemas.note_signing import NoteKeyError, NoteKind, new_note_key
from schemas.verifying_key import is_key_id
from services.runtime.key_file import KeyFileError, write_key_file

EXIT_WRONG_INPUT: Final = 2


@click.group()
def keys() -> None:
    """Make keys: a refiner's for its sales, the ledger's for its log, a witness's for the log."""


@keys.command()
@click.option("--id", "key_id", required=True, metavar="KEY-ID", help="Name of the key: letters, digits, '.', '_' or '-'.")
@click.option("--out", "file", required=True, type=click.Path(path_type=Path), help="New file for the private key.")
def new(key_id: str, file: Path) -> None:
    """Make an Ed25519 key: the private part goes to a file, the public part is printed as the registry has it.

    To follow an old key, let the new one begin before the old one ends: both are taken in between. A stolen key is taken out
    of the registry, whatever its dates.
    """
    if not is_key_id(key_id):
        raise click.UsageError(f"{key_id!r} cannot be the id of a key: use 1 to 64 letters, digits, '.', '_' or '-'")
    try:
        public_key = write_new_key(file)
    except KeyFileError as error:
        raise _refused(error) from error
    click.echo("signature_required: true")
    click.echo("signing_keys:")
    click.echo(f"  - {{key_id: '{key_id}', public_key: '{public_key}', from: {datetime.now(UTC):%Y-%m-%d}}}")
    say(f"wrote the private key to {file}, mode 600: keep it, nobody can make it again")
    say("next: these lines go under the refiner in the registry file, then `premia registry apply`,")
    say(f"then `premia publish FILE --key {file} --key-id {key_id}`")


@keys.command()
@click.argument("name")
@click.option("--out", "file", required=True, type=click.Path(path_type=Path), help="New file for the private key.")
def witness(name: str, file: Path) -> None:
    """Make the key of a witness: the private part goes to a file, the verifier key is printed.

    NAME says whose witness it is, like a host name with a path: witness.example.org/premia. It stands in every cosignature.
    """
    _new_note_key(name, NoteKind.WITNESS, file)
    say(f"next: give the line above to whoever checks the log, and run `premia witness --log VKEY --key {file} --state FILE`")


@keys.command()
@click.argument("origin")
@click.option("--out", "file", required=True, type=click.Path(path_type=Path), help="New file for the private key.")
def log(origin: str, file: Path) -> None:
    """Make a key of the ledger's log: the private part goes to a file, the verifier key is printed.

    ORIGIN is the log's name for ever, like the address it is served at without https://: ledger.example.org/premia. To follow
    an old key, make another with the same ORIGIN and add its line to the old key's file: both sign until the old line is
    taken out. Whoever checks the log needs the new verifier key before that.
    """
    _new_note_key(origin, NoteKind.LOG, file)
    say(f"next: PREMIA_LEDGER_LOG_KEY={file} for the ledger; give the line above to auditors and witnesses")


def _new_note_key(name: str, kind: NoteKind, file: Path) -> None:
    try:
        key = new_note_key(name, kind)
    except NoteKeyError as error:
        raise click.UsageError(str(error)) from error
    try:
        write_key_file(file, f"{key.text()}\n".encode())
    except KeyFileError as error:
        raise _refused(error) from error
    click.echo(key.verifier_key())
    say(f"wrote the private key to {file}, mode 600: keep it, nobody can make it again")


def _refused(error: KeyFileError) -> click.exceptions.Exit:
    say(str(error))
    return click.exceptions.Exit(EXIT_WRONG_INPUT)
