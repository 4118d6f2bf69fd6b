"""As of when: options of commands that read the ledger as it was recorded, or as it takes effect.

Goal: what is printed can be printed again to the byte: it says the tree size that it was made at.
Refuses: a tree size that the ledger does not have yet: exit 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from premia.moment import END, Moment
from services.ledger.use_cases.as_of import AsOf, present_tree_size, tree_size_at

if TYPE_CHECKING:
    from services.runtime.database import Connection

_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Recorded:
    """What counts as recorded: the first `tree_size` leaves, or those recorded by a moment; neither: all of now."""

    tree_size: int | None
    moment: datetime | None

    async def resolved(self, conn: Connection) -> int:
        """The tree size. Raises UsageError (exit 2) for one that is not there yet."""
        present = await present_tree_size(conn)
        if self.moment is not None:
            return await tree_size_at(conn, self.moment)
        if self.tree_size is None:
            return present
        if self.tree_size > present:
            raise click.UsageError(f"the ledger has {present} leaves, not {self.tree_size}")
        return self.tree_size


def recorded_options(command: _Command) -> _Command:
    """`--tree-size` and `--recorded-by`, for a command that makes a `Recorded` of them by `recorded`."""
    for option in (
        click.option(
            "--recorded-by",
            type=Moment(END),
            help="As recorded by this time, e.g. 2025-03-14T10:00:00Z, or by the end of a day in UTC.",
        ),
        click.option("--tree-size", type=click.IntRange(min=0), help="As recorded in the first so many leaves of the log."),
    ):
        command = option(command)
    return command


def recorded(tree_size: int | None, recorded_by: datetime | None) -> Recorded:
    """What the two options say. Raises UsageError if both are given."""
    if tree_size is not None and recorded_by is not None:
        raise click.UsageError("--tree-size and --recorded-by say the same thing: give one of them")
    return Recorded(tree_size, recorded_by)


def as_of_in_words(as_of: AsOf) -> str:
    """`As of tree size 1200, with effect by 2025-03-31.`"""
    effect = "" if as_of.effective_on == date.max else f", with effect by {as_of.effective_on}"
    return f"As of tree size {as_of.tree_size}{effect}."
