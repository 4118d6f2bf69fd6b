"""`premia witness`: watch a log, and sign what it shows.

Goal: a programme's owner or donor runs this on a machine of their own, with the log's public key and nothing else of Premia.
Method: C2SP tlog-witness. The ledger sends its checkpoints; what contradicts an earlier one is refused, kept and told of.
Refuses: keys, files or addresses that cannot be used, with one line and exit 2.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from services.runtime.settings import ListenAddress

PORT_MAX: Final = 65_535


def _address(_context: click.Context, _parameter: click.Parameter, text: str) -> ListenAddress:
    from services.runtime.settings import ListenAddress  # noqa: PLC0415

    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > PORT_MAX:
        raise click.BadParameter("must be HOST:PORT, e.g. 127.0.0.1:8090; port 0 takes a free one")
    return ListenAddress(host, int(port))


@click.command()
@click.option(
    "--log", "log_keys", required=True, multiple=True, metavar="VKEY", help="Verifier key of the log; repeat it for a new key."
)
@click.option(
    "--key",
    "key_file",
    required=True,
    type=click.Path(path_type=Path),
    help="The witness's key, made by `premia keys witness`.",
)
@click.option(
    "--state", required=True, type=click.Path(path_type=Path), help="File to remember in; a new one is made on first use."
)
@click.option(
    "--listen", default="127.0.0.1:8090", show_default=True, callback=_address, metavar="HOST:PORT", help="Where to listen."
)
def witness(log_keys: tuple[str, ...], key_file: Path, state: Path, listen: ListenAddress) -> None:
    """Sign the checkpoints of one log, as long as each extends the one before.

    The log's operator is given the address, POST /add-checkpoint. Keep the state file as carefully as the key: who starts
    without it believes the next checkpoint, whatever came before. Evidence of a fork lies beside it, and
    premia_witness_alarms_total at /metrics counts it.
    """
    from premia.witness.memory import Memory, WitnessStateError  # noqa: PLC0415
    from premia.witness.server import Witness, run_witness  # noqa: PLC0415
    from schemas.note_signing import NoteKeyError, NoteKind, read_note_key  # noqa: PLC0415
    from services.runtime.key_file import KeyFileError, read_key_file  # noqa: PLC0415
    from services.runtime.process import run_service  # noqa: PLC0415
    from verifier.note import KeyTextError, read_verifier_key  # noqa: PLC0415

    try:
        trusted = [read_verifier_key(text, NoteKind.LOG) for text in log_keys]
    except KeyTextError as error:
        raise click.UsageError(f"--log {error}") from error
    if len({key.name for key in trusted}) != 1:
        raise click.UsageError("--log: all keys must be of one log; run a witness for each log")
    try:
        key = read_note_key(read_key_file(key_file).decode(errors="replace"), NoteKind.WITNESS)
        memory = Memory(state, trusted, read_verifier_key(key.verifier_key(), NoteKind.WITNESS))
    except NoteKeyError as error:
        raise click.UsageError(f"{key_file}: {error}") from error
    except (KeyFileError, WitnessStateError) as error:
        raise click.UsageError(str(error)) from error
    run_service("witness", partial(run_witness, Witness(key, trusted, memory), listen))
