"""`premia dlq`: events that could not be used, and what can be done about them.

Goal: nothing is dropped. Everybody can see what was refused, for which field, and where its bytes are; and once the cause is
mended, the same event is judged again.
Method: words and options stand here, the work in premia.dead_letters, which loads a client of Kafka.
Refuses: to redrive what a redrive cannot help (exit 4).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeVar

import click

from premia.dead_letters.wanted import Filter, State
from premia.kafka import kafka_servers, run
from premia.local.talk import say
from premia.moment import Moment

EXIT_REFUSED: Final = 4
TIMEOUT_S: Final = 30.0  # a sale is answered in milliseconds; half a minute covers a service that is just starting.

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _filtered(command: _Command) -> _Command:
    for option in (
        click.option("--until", type=Moment(), help="Only those that were refused before this time."),
        click.option("--since", type=Moment(), help="Only those that were refused at or after this time."),
        click.option("--refiner", metavar="ID", help="Only those of this refiner."),
        click.option("--code", help="Only those that were last refused with this code."),
    ):
        command = option(command)
    return command


@click.group()
def dlq() -> None:
    """List, show, export and redrive events that could not be used."""


@dlq.command(name="list")
@_filtered
@click.option("--state", type=click.Choice([state.value for state in State]), help="Only those in this state.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(
    code: str | None, refiner: str | None, since: datetime | None, until: datetime | None, state: str | None, *, as_json: bool
) -> None:
    """List events that could not be used, each origin once with its last state, oldest first."""
    from premia.dead_letters.telling import tell_letters  # noqa: PLC0415  takes longer to import than a command's help may

    run(tell_letters(kafka_servers(), Filter(code, refiner, since, until, state), as_json=as_json))


@dlq.command()
@click.argument("origin")
@click.option("--raw", is_flag=True, help="Print the original bytes of the value and nothing else.")
def show(origin: str, *, raw: bool) -> None:
    """Show one event: why it was refused and how often, its headers, key and value.

    ORIGIN is topic/partition/offset, as `premia dlq list` prints it.
    """
    from premia.dead_letters.telling import tell_letter  # noqa: PLC0415  takes longer to import than a command's help may

    run(tell_letter(kafka_servers(), origin, raw=raw))


@dlq.command()
@_filtered
@click.option("--state", type=click.Choice([state.value for state in State]), help="Only those in this state.")
def export(code: str | None, refiner: str | None, since: datetime | None, until: datetime | None, state: str | None) -> None:
    """Write events to standard output, one JSON object a line: reason, headers, and the event as it was sent.

    Those of gold.sales.v1 can be corrected and published: `premia publish FILE.jsonl`. The value is under "value" where it is
    JSON whose bytes can be made again, else in base64 under "raw".
    """
    from premia.dead_letters.telling import export_letters  # noqa: PLC0415  takes longer to import than a command's help may

    written = run(export_letters(kafka_servers(), Filter(code, refiner, since, until, state)))
    say(f"exported {written} events")


@dlq.command()
@click.argument("origins", nargs=-1, metavar="[ORIGIN…]")
@_filtered
@click.option("--all", "everything", is_flag=True, help="All that are not settled.")
@click.option("--dry-run", is_flag=True, help="Only say what would be published again.")
@click.option("--wait", is_flag=True, help="Wait for what becomes of each sale; exit code 4 if one is rejected again.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=0), default=TIMEOUT_S, show_default=True, help="Seconds.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def redrive(
    origins: tuple[str, ...],
    *,
    code: str | None,
    refiner: str | None,
    since: datetime | None,
    until: datetime | None,
    everything: bool,
    dry_run: bool,
    wait: bool,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Publish events again, as they were, after the cause was mended: those of ORIGIN…, or those that the options name.

    Their ids and origins stay the same, so nothing is counted twice, and redriving twice does no harm.
    """
    from premia.dead_letters.redriving import redrive_letters  # noqa: PLC0415  takes longer to import than a command's help may

    wanted = Filter(code, refiner, since, until)
    if not origins and wanted.is_empty and not everything:
        raise click.UsageError("name origins, filter with --code, --refiner, --since or --until, or say --all")
    wait_s = timeout_s if wait else None
    if run(redrive_letters(kafka_servers(), origins, wanted, dry_run=dry_run, wait_s=wait_s, as_json=as_json)):
        raise click.exceptions.Exit(EXIT_REFUSED)
