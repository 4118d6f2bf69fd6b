"""`premia publish FILE…`: sales from files to gold.sales.v1.

Goal: a refiner's back office sends a file, sees a receipt for each event, and may send the same file again.
Method: `premia.sale_events` reads and sends; this command chooses, orders and tells.
Refuses: by file and line, publishing everything else (exit 4). A file that cannot be read: exit 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import orjson

from premia.kafka import kafka_servers, run
from premia.local.talk import progress
from premia.sale_events import SaleEvent, Unpublishable, by_size, read_events, send_events
from schemas.cloudevents import time_from_text
from services.runtime.kafka import start_producer

EXIT_REFUSED: Final = 4
EVENTS_MAX: Final = 500_000  # of one call, held in memory to be put in order: 0.5 GB; the sample has 17,000.
NAMED_RECEIPTS_MAX: Final = 20  # a screen; above it a count says more.


class _Moment(click.ParamType):
    name = "datetime"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            return time_from_text(str(value))
        except ValueError:
            self.fail(f"{value!r}: write a time as 2025-03-14T10:00:00Z", param, ctx)


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True), metavar="FILE…")
@click.option("--id", "event_id", help="Id of the event, where FILE is one sale. Default: derived from its content.")
@click.option("--time", "published_at", type=_Moment(), help="Time of the events (ce_time). Default: now, or the event's own.")
@click.option("--from", "starts_at", type=_Moment(), help="Of a file of events: publish those at or after this time.")
@click.option("--until", "ends_before", type=_Moment(), help="Of a file of events: publish those before this time.")
@click.option("--json", "as_json", is_flag=True, help="Print every receipt as a JSON line.")
def publish(
    files: tuple[Path, ...],
    *,
    event_id: str | None,
    published_at: datetime | None,
    starts_at: datetime | None,
    ends_before: datetime | None,
    as_json: bool,
) -> None:
    """Publish sales from files: one sale (.json), one a line (.jsonl), or a file of events, each also as .gz.

    Prints a receipt for each event, or their number. Publishing the same file again is safe. Exit code 4 if anything of
    a file was refused; the rest of it was published.
    """
    now = datetime.now(UTC)
    events: list[SaleEvent] = []
    refusals: list[Unpublishable] = []
    for found in read_events(files, published_at or now):
        if isinstance(found, Unpublishable):
            refusals.append(found)
        elif (starts_at is None or found.at >= starts_at) and (ends_before is None or found.at < ends_before):
            events.append(found)
        if len(events) > EVENTS_MAX:
            raise click.UsageError(f"more than {EVENTS_MAX:,} events: give fewer files at once")
    if event_id is not None:
        if len(events) != 1:
            raise click.UsageError(f"--id is for one event, and there are {len(events):,}")
        events = [replace(events[0], id=event_id)]
    events.sort(key=lambda event: event.at)  # stable: events of one time stay in the order of their file
    if published_at is not None:
        events = [replace(event, at=published_at) for event in events]
    fitting, too_large = by_size(events)
    if fitting:
        run(_publish(kafka_servers(), fitting, as_json=as_json))
    elif not as_json:
        click.echo("published 0 events")
    for refusal in (*refusals, *too_large):
        click.echo(f"{refusal.place}: {refusal.message}; not published", err=True)
    if refusals or too_large:
        raise click.exceptions.Exit(EXIT_REFUSED)


async def _publish(servers: str, events: Sequence[SaleEvent], *, as_json: bool) -> None:
    producer = await start_producer(servers)
    try:
        with progress("publishing", len(events)) as advance:
            async for delivered in send_events(producer, events):
                advance(len(delivered))
                if as_json or len(events) <= NAMED_RECEIPTS_MAX:
                    for event, place in delivered:
                        _receipt(event, place, as_json=as_json)
    finally:
        await producer.stop()
    if not as_json and len(events) > NAMED_RECEIPTS_MAX:
        click.echo(f"published {len(events):,} events of {events[0].at:%Y-%m-%d} to {events[-1].at:%Y-%m-%d}")


def _receipt(event: SaleEvent, origin: str, *, as_json: bool) -> None:
    key = event.key.decode(errors="replace")
    if as_json:
        receipt = {"origin": origin, "source": event.source, "id": event.id, "key": key, "bytes": len(event.value)}
        click.echo(orjson.dumps(receipt))
    else:
        click.echo(f"published {key} as {origin} id {event.id}")
