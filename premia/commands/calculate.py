"""`premia calculate`: what sales are entitled to, from files, without Kafka.

Goal: a refiner, an auditor or a programmer repeats any calculation with nothing but the files it rests on.
Method: the loader of `premia registry apply` and the function of the worker. One JSON line for each sale, in the order
given: the entitlement (with null for ids that need an event's headers), or {"rejected": {code, field, message}}.
Refuses: registry, scheme or sale files that cannot be read: one line on stderr with file, line and field, exit 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import BinaryIO, Final

import click
import orjson

from schemas.topics import SALE_BYTES_MAX

EXIT_WRONG_INPUT: Final = 2
EXIT_REJECTED: Final = 4
STDIN: Final = Path("-")


class Day(click.ParamType):
    """A day as YYYY-MM-DD."""

    name = "date"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        from schemas.identifiers import date_from_text  # noqa: PLC0415  loads pydantic, which no help needs

        try:
            return date_from_text(value)
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


DAY: Final = Day()


@click.command()
@click.option("--registry", "registry_file", required=True, type=click.Path(path_type=Path), help="Registry file.")
@click.option("--schemes", "schemes_dir", required=True, type=click.Path(path_type=Path), help="Folder of schemes.")
@click.option("--now", "published_on", type=DAY, help="Day of publication (UTC). Default: today.")
@click.argument("sales", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True), metavar="SALE.json…")
def calculate(registry_file: Path, schemes_dir: Path, published_on: date | None, sales: tuple[Path, ...]) -> None:
    """Calculate sales from files, without Kafka.

    Prints one JSON line for each sale: the entitlement, or {"rejected": {"code", "field", "message"}}. With - as file,
    reads one sale a line from standard input. Exit code 4 if any sale was rejected.
    """
    # They take longer to import than a command's help may.
    from schemas.registry_file import RegistryFileError, load_registry  # noqa: PLC0415
    from services.premium_calculator.adapters.calculating_registry import calculating_registry  # noqa: PLC0415
    from services.premium_calculator.adapters.sale_decision import preview  # noqa: PLC0415
    from services.premium_calculator.domain.calculate import Rejection  # noqa: PLC0415

    try:
        registry = calculating_registry(load_registry(registry_file, schemes_dir).snapshot)
    except RegistryFileError as error:
        click.echo(str(error), err=True)
        raise click.exceptions.Exit(EXIT_WRONG_INPUT) from error
    day = published_on or datetime.now(UTC).date()
    output = click.get_binary_stream("stdout")
    any_rejected = False
    for value in _values(sales):
        result = preview(value, registry, day)
        if isinstance(result, Rejection):
            any_rejected = True
            reason = {"code": result.code.value, "field": result.field, "message": result.message}
            result = orjson.dumps({"rejected": reason})
        output.write(result + b"\n")
    output.flush()
    if any_rejected:
        raise click.exceptions.Exit(EXIT_REJECTED)


def _values(sales: tuple[Path, ...]) -> Iterator[bytes]:
    for file in sales:
        if file == STDIN:
            yield from _lines(click.get_binary_stream("stdin"))
            continue
        try:
            with file.open("rb") as stream:
                # One byte more than is allowed shows that there is too much, however much it is.
                yield stream.read(SALE_BYTES_MAX + 1)
        except OSError as error:
            click.echo(f"{file}: cannot be read: {error.strerror}", err=True)
            raise click.exceptions.Exit(EXIT_WRONG_INPUT) from error


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """The lines that hold something; of a longer one than a sale may be, as much as shows that."""
    while line := stream.readline(SALE_BYTES_MAX + 2):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = stream.readline(SALE_BYTES_MAX)
        if line.strip():
            yield line.rstrip(b"\r\n")
