"""`premia trace`: the one story from sale to bank and back.

Goal: whoever holds any paper of it (a lot, a payout, a bank reference, a statement) sees every event, posting and booking that
belongs to it, in the order of business days, each posting with the leaf of the log that records it.
Method: one snapshot of ledger and payout, by the reader's login. Who decided about a recalculation is on Kafka, which is asked
only if there is one; without Kafka the story is told without these persons, and says so.
Refuses: a name that nothing has, or that several things have: exit 2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING
from uuid import UUID

import click
import orjson

from premia.connection import Unreachable
from premia.database import reader
from premia.kafka import kafka_servers, told_if_unreachable
from premia.trace.story_lines import story_lines

if TYPE_CHECKING:
    from premia.trace.event import TraceEvent
    from premia.trace.subject import Traced
    from services.premium_calculator.recalculations import Recalculation


@click.command()
@click.argument("name", metavar="NAME")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def trace(name: str, *, as_json: bool) -> None:
    """Tell the one story of a lot, a payout or a statement, from sale to bank and back, by business day.

    NAME is a lot (REFINER/LOT), a payout's id, the bank's EndToEndId, or a statement's id or number (ORGANIZATION/NUMBER). The
    refiner of a lot and the organization of a statement may be left out where the rest is unique.
    """
    about, events = asyncio.run(_read(name))
    if as_json:
        told = {"about": {"kind": about.kind, **asdict(about)}, "events": [asdict(event) for event in events]}
        click.echo(orjson.dumps(told, default=str))  # asyncpg has a UUID of its own
        return
    click.echo("\n".join(story_lines(about, events)))


async def _read(name: str) -> tuple[Traced, list[TraceEvent]]:
    from premia.trace.story import story_of  # noqa: PLC0415  takes longer to import than a command's help may
    from premia.trace.subject import the_traced  # noqa: PLC0415

    async with reader() as conn:
        about = await the_traced(conn, name)
        return about, await story_of(conn, about, _recalculations_of)


async def _recalculations_of(entitlement_ids: Collection[UUID]) -> Mapping[UUID, Recalculation]:
    # They take longer to import than a command's help may.
    from premia.trace.recalculations import recalculations_of  # noqa: PLC0415
    from services.premium_calculator.errors import UnreadableRecalculationError  # noqa: PLC0415

    try:
        with told_if_unreachable():
            return await recalculations_of(kafka_servers(), entitlement_ids)
    except (Unreachable, UnreadableRecalculationError) as error:
        click.echo(f"who approved a recalculation is not told: {error}", err=True)
        return {}
