"""`premia proof`: save what proves a statement, a lot or a payout.

Goal: one file that its owner keeps, hands on, and has checked by anybody, without asking us again.
Method: leaves by the reader's login, documents from payout, checkpoint and hash tiles from the log.
Refuses: what is not there or not on record yet, and a log that does not answer, with one line.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from premia.connection import needed
from premia.local.talk import say
from premia.service_session import of, payout, run

if TYPE_CHECKING:
    from premia.proof.evidence import Evidence
    from premia.trace.subject import TracedKind
    from verifier.tiles import Source

EXIT_WRONG_INPUT: Final = 2

saved_to = click.option("--save", "file", required=True, type=click.Path(path_type=Path, dir_okay=False), help="New file.")
from_log = click.option("--log", metavar="DIR|URL", help="The log's files; default: the ledger's own (PREMIA_LEDGER_URL).")


@click.group()
def proof() -> None:
    """Save proof bundles, which `premia verify` checks anywhere, offline."""


@proof.command()
@click.argument("name", metavar="ORGANIZATION[/NUMBER]|NUMBER|ID")
@saved_to
@from_log
def statement(name: str, file: Path, log: str | None) -> None:
    """Save the bundle of a statement: all leaves of its payee up to its record, and the statement before it.

    An organization's id alone means its newest statement.
    """
    _save("statement", name, file, log)


@proof.command()
@click.argument("name", metavar="[REFINER/]LOT")
@saved_to
@from_log
def lot(name: str, file: Path, log: str | None) -> None:
    """Save the bundle of a lot: the premiums of all its parties, so do not hand it to one of them."""
    _save("lot", name, file, log)


@proof.command("payout")
@click.argument("name", metavar="ID|ENDTOENDID")
@saved_to
@from_log
def payout_order(name: str, file: Path, log: str | None) -> None:
    """Save the bundle of a payout: what was set aside, what left the bank, and what came back."""
    _save("payout", name, file, log)


def _save(kind: TracedKind, name: str, file: Path, log: str | None) -> None:
    from premia.proof.assemble import assemble  # noqa: PLC0415  loads cryptography

    if file.exists():
        raise click.UsageError(f"{file} is there already: take another name")
    with closing(_source(log)) as source:
        evidence, (statement, previous) = run(_evidence(kind, name))
        content = assemble(evidence, source, statement=statement, previous_statement=previous)
    try:
        file.write_bytes(content)
    except OSError as error:
        say(f"{file}: cannot be written: {error.strerror}")
        raise click.exceptions.Exit(EXIT_WRONG_INPUT) from error
    click.echo(str(file))
    say(f"{of(len(evidence.leaves), 'leaf', 'leaves')} with their proofs, {len(content):,} bytes")
    say(f"next: `premia verify {kind} {file} --key VKEY`, with the log's verifier key")


async def _evidence(kind: TracedKind, name: str) -> tuple[Evidence, list[bytes | None]]:
    from premia.database import reader  # noqa: PLC0415
    from premia.proof.evidence import evidence_of  # noqa: PLC0415
    from premia.trace.subject import newest_statement, the_traced  # noqa: PLC0415

    async with reader() as conn:
        newest = await newest_statement(conn, name) if kind == "statement" else None
        evidence = await evidence_of(conn, newest or await the_traced(conn, name, kind))
    hashes = (evidence.statement_sha256, evidence.previous_sha256)
    if not any(hashes):
        return evidence, [None, None]
    async with payout(None) as client:
        return evidence, [None if one is None else await client.get_bytes(f"/v1/documents/{one}") for one in hashes]


def _source(log: str | None) -> Source:
    from verifier.command_line import WrongUseError, source_of  # noqa: PLC0415

    try:
        return source_of(log or needed("PREMIA_LEDGER_URL"))
    except WrongUseError as error:
        raise click.UsageError(str(error)) from error
