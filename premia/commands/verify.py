"""`premia verify`: what Premia put on record, checked offline.

Goal: the same command as `python -m verifier`, for who has Premia installed; it also reads a statement's PDF.
Method: everything is the package verifier's, which shares no code with what made the log. This file only adds the PDF.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from verifier.command_line import PdfCopy


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
    options_metavar="",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="COMMAND …")
def verify(arguments: tuple[str, ...]) -> None:
    """Check statements, lots, payouts, checkpoints and the whole log, offline and without the database."""
    from verifier.command_line import main  # noqa: PLC0415  loads cryptography, which `premia --help` has no use for

    raise click.exceptions.Exit(main(arguments, "premia verify", _read_pdf))


def _read_pdf(content: bytes) -> PdfCopy:
    from premia.statement_pdf import read_statement_pdf  # noqa: PLC0415  loads the typesetter

    return read_statement_pdf(content)
