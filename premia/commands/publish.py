"""`premia publish FILE…`: sales from files to gold.sales.v1.

Goal: a refiner's back office sends a file, sees a receipt for each event, learns what became of it, and may send the same
file again.
Method: each sale becomes a CloudEvent whose id derives from its content (unless told), so a rerun is a duplicate that
everybody recognises. Words and options stand here, the work in premia.publishing, which loads a client of Kafka.
Refuses: by place, publishing everything else (exit 4): what premia.publishing.files refuses, and rows of a table that make
no valid sale. A file that cannot be read: nothing is published (exit 2).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

import click
import orjson

from premia.kafka import kafka_servers, run
from premia.local.talk import say
from premia.moment import Moment

EXIT_REFUSED: Final = 4
OUTCOMES_TIMEOUT_S: Final = 30.0  # an outcome takes milliseconds; half a minute covers services that are just starting.


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True), metavar="FILE…")
@click.option("--id", "event_id", help="Id of the event, where FILE is one sale. Default: derived from its content.")
@click.option("--time", "published_at", type=Moment(), help="Time of the events (ce_time). Default: now, or the event's own.")
@click.option("--from", "starts_at", type=Moment(), help="Of a file of events: publish those at or after this time.")
@click.option("--until", "ends_before", type=Moment(), help="Of a file of events: publish those before this time.")
@click.option("--check", is_flag=True, help="Only check all of FILE…; publish nothing. Exit code 1 if anything is wrong.")
@click.option("--registry", "registry_file", type=click.Path(path_type=Path), help="With --check: the programme's registry.")
@click.option("--schemes", "schemes_dir", type=click.Path(path_type=Path), help="With --check: the folder of schemes.")
@click.option("--key", "key_file", type=click.Path(path_type=Path), help="Sign with this private key, see `premia keys new`.")
@click.option("--key-id", help="With --key: the key's id in the registry.")
@click.option("--wait", is_flag=True, help="Wait for what becomes of each event; exit code 4 if one is rejected.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0),
    default=OUTCOMES_TIMEOUT_S,
    show_default=True,
    help="With --wait: how many seconds, after all were published. Exit code 3 if an outcome is missing then.",
)
@click.option("--json", "as_json", is_flag=True, help="Print every receipt, outcome or fault as a JSON line.")
def publish(
    files: tuple[Path, ...],
    *,
    event_id: str | None,
    published_at: datetime | None,
    starts_at: datetime | None,
    ends_before: datetime | None,
    check: bool,
    registry_file: Path | None,
    schemes_dir: Path | None,
    key_file: Path | None,
    key_id: str | None,
    wait: bool,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Publish sales from files: one sale (.json), one a line (.jsonl), a table (.csv), or a file of events; each also as .gz.

    A table has a first row that names its columns, separated by semicolons or commas, and a row for each source of a lot;
    docs/publishing.md has them all. Needed are refiner_id, lot_id, revision, sequence, stage, exporter_id, payer_id, sold_on,
    melt_weight, melt_weight_unit, schemes, organization_id.

    Prints a receipt for each event, or their number. Publishing the same file again is safe. Exit code 4 if anything of
    a file was refused; the rest of it was published.
    """
    from premia.publishing import prepare  # noqa: PLC0415  takes longer to import than a command's help may
    from premia.publishing.send import publish_events  # noqa: PLC0415

    events, faults = prepare.read_events(files, published_at, starts_at, ends_before)
    if event_id is not None:
        if len(events) != 1:
            raise click.UsageError(f"--id is for one event, and there are {len(events):,}")
        events = [replace(events[0], id=event_id)]
    signer = prepare.read_signer(key_file, key_id)
    if signer is not None:
        events = prepare.signed_events(events, signer, faults)
    if check:
        prepare.check_events(events, faults, prepare.read_registry(registry_file, schemes_dir), as_json=as_json)
        return
    if registry_file is not None or schemes_dir is not None:
        raise click.UsageError("--registry and --schemes are for --check")
    fitting = prepare.fitting_events(events, faults)
    rejected = 0
    if fitting:
        rejected = run(publish_events(kafka_servers(), fitting, wait_s=timeout_s if wait else None, as_json=as_json))
    elif not as_json:
        click.echo("published 0 events")
    for fault in faults:
        if as_json:
            click.echo(orjson.dumps(fault.as_json()))
        else:
            say(f"{fault}; not published")
    if faults and fitting:
        say(f"the other {len(fitting):,} were published: correct these and publish the whole file again, that is safe")
    if faults or rejected:
        raise click.exceptions.Exit(EXIT_REFUSED)
