"""`premia schema diff`: what a release of the contracts and the models of this checkout differ in, in words.

Goal: whoever changed a model learns whom it breaks, before anybody else does.
Method: `schemas.publish.evolution`, one line for each difference. What breaks nobody is told too.
Refuses: a release that is not there (exit 2), an installation without the development packages (exit 3).
"""

from __future__ import annotations

from typing import Final

import click

EXIT_BREAKS: Final = 1
EXIT_WRONG_USE: Final = 2
EXIT_PART_MISSING: Final = 3


@click.group()
def schema() -> None:
    """Say how the contracts differ from a release."""


@schema.command()
@click.option(
    "--release", "number", type=int, help="Number of the release, as in schemas/published/v1. The newest one otherwise."
)
def diff(number: int | None) -> None:
    """Say how the models differ from a release, and whom that breaks.

    One line for each difference. Exit code 1 if one of them breaks an old reader or an old writer.
    """
    try:
        from schemas.publish import releases as published  # noqa: PLC0415  its libraries are for development
        from schemas.publish.evolution import differences  # noqa: PLC0415
    except ModuleNotFoundError as error:
        click.echo(f"premia: {error.name} is missing; install premia with its development packages: premia[dev]", err=True)
        raise click.exceptions.Exit(EXIT_PART_MISSING) from error
    made = {one.number: one for one in published.releases(published.PUBLISHED) if one.is_released}
    if number is not None and number not in made:
        known = ", ".join(str(one) for one in made) or "none"
        click.echo(f"premia: release {number} is not there; there is {known}", err=True)
        raise click.exceptions.Exit(EXIT_WRONG_USE)
    if not made:
        click.echo("nothing is released yet: schemas/published holds a draft, which may change in any way", err=True)
        return
    against = made[max(made) if number is None else number]
    found = differences(against.schemas, published.present_schemas())
    for difference in found:
        click.echo(str(difference))
    broken = sum(difference.breaks for difference in found)
    click.echo(f"differences from {against.folder.name}: {len(found)}; that break it: {broken}", err=True)
    if broken:
        raise click.exceptions.Exit(EXIT_BREAKS)
