"""`premia gaps`: sales that refiners counted and that never arrived, or were rejected and not mended.

Goal: what is lost on the way is asked for, before a cooperative finds that a lot was never paid.
Method: one snapshot, by the reader's login, of what the ledger keeps from sale.outcomes.v1.
"""

from __future__ import annotations

import asyncio
from typing import Final

import click
import orjson

from premia.database import reader
from premia.local.talk import say
from services.ledger.use_cases.sequence_gaps import GapKind, OpenNumbers, sequence_gaps

EXIT_GAPS: Final = 1


@click.command()
@click.option("--refiner", metavar="ID", help="Only of this refiner.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def gaps(refiner: str | None, *, as_json: bool) -> None:
    """Show gaps in the refiners' sequences: numbers that never arrived, and rejected ones that nothing mended.

    A late arrival closes a gap, and so does a mended resend of the lot, whatever number it carries. Exit code 1 if there is
    one.
    """
    found = asyncio.run(_read(refiner))
    for numbers in found:
        click.echo(orjson.dumps(_as_json(numbers)) if as_json else _line(numbers))
    missing = sum(numbers.count for numbers in found if numbers.kind is GapKind.MISSING)
    rejected = sum(numbers.count for numbers in found if numbers.kind is GapKind.REJECTED)
    if not found:
        say("no gap: every number that was counted past has arrived and is settled")
        return
    say(f"{missing:,} missing, {rejected:,} rejected: ask the refiner to send them again; resending is always safe")
    raise click.exceptions.Exit(EXIT_GAPS)


async def _read(refiner: str | None) -> list[OpenNumbers]:
    async with reader() as conn:
        return await sequence_gaps(conn, refiner)


def _line(numbers: OpenNumbers) -> str:
    stretch = f"{numbers.first}" if numbers.count == 1 else f"{numbers.first} to {numbers.last} ({numbers.count:,})"
    since = f"{numbers.since:%Y-%m-%d %H:%M} UTC"
    if numbers.kind is GapKind.MISSING:
        return f"{numbers.refiner_id}  {stretch}  missing since {since}"
    lot = "lot unreadable" if numbers.lot_id is None else f"lot {numbers.lot_id}"
    return f"{numbers.refiner_id}  {stretch}  rejected {since}, {numbers.code}, {lot}, `premia dlq show {numbers.origin}`"


def _as_json(numbers: OpenNumbers) -> dict[str, object]:
    return {
        "refiner_id": numbers.refiner_id,
        "kind": numbers.kind,
        "first": numbers.first,
        "last": numbers.last,
        "count": numbers.count,
        "since": numbers.since,
        "lot_id": numbers.lot_id,
        "revision": numbers.revision,
        "origin": numbers.origin,
        "code": numbers.code,
    }
