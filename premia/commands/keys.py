"""`premia keys new`: a key that a refiner signs its sales with.

Goal: a refiner makes its own key, and only the public part ever leaves its machine.
Method: the private key goes to a new file that only its owner may read; the registry's lines are printed, ready to be sent to
whoever keeps the registry.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from premia.local.talk import say
from premia.signing import KeyFileError, write_new_key
from schemas.verifying_key import is_key_id

EXIT_WRONG_INPUT: Final = 2


@click.group()
def keys() -> None:
    """Make keys that refiners sign their sales with."""


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
        say(str(error))
        raise click.exceptions.Exit(EXIT_WRONG_INPUT) from error
    click.echo("signature_required: true")
    click.echo("signing_keys:")
    click.echo(f"  - {{key_id: '{key_id}', public_key: '{public_key}', from: {datetime.now(UTC):%Y-%m-%d}}}")
    say(f"wrote the private key to {file}, mode 600: keep it, nobody can make it again")
    say("next: these lines go under the refiner in the registry file, then `premia registry apply`,")
    say(f"then `premia publish FILE --key {file} --key-id {key_id}`")
