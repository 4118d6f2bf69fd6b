"""`premia lot`: the story of one lot, from the first sale event to the last transfer.

Goal: who asks "why this amount" sees every revision with what became of it, what each party is entitled to as of it, and the
transfers that were posted, each with the leaf of the log that proves it.
Method: one snapshot, by the reader's login; lines are read from the stored bytes of the entitlements.
Refuses: a lot id that several refiners use, unless the refiner is named; a lot that never came: exit 2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, Final

import click
import orjson

from premia.amounts import grouped, plain, unit_name
from premia.database import reader
from services.ledger.domain.entitlement import Cause
from services.ledger.use_cases.lot_story import LotStory, StoryRevision, StoryTransfer, find_lots, lot_story

EXIT_UNKNOWN: Final = 2


class UnknownLot(click.ClickException):
    """No lot of that name, or more than one."""

    exit_code = EXIT_UNKNOWN


@click.command()
@click.argument("name", metavar="[REFINER/]LOT")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def lot(name: str, *, as_json: bool) -> None:
    """Show what became of one lot: revisions, outcomes, lines and transfers.

    The refiner may be left out where the lot's id is unique.
    """
    story = asyncio.run(_read(name))
    if as_json:
        click.echo(orjson.dumps(_as_json(story)))
        return
    for line in _lines(story):
        click.echo(line)


async def _read(name: str) -> LotStory:
    refiner_id, _, lot_id = name.rpartition("/")
    async with reader() as conn:
        found = await find_lots(conn, lot_id, refiner_id or None)
        if not found:
            raise UnknownLot(f"no accepted sale of lot {name}; rejected ones are in `premia dlq list`")
        if len(found) > 1:
            several = ", ".join("/".join(key) for key in found)
            raise UnknownLot(f"several refiners have a lot {lot_id}: name one of {several}")
        return await lot_story(conn, *found[0])


def _lines(story: LotStory) -> Iterator[str]:
    yield f"Lot {story.refiner_id}/{story.lot_id}"
    for revision in story.revisions:
        entitlement = orjson.loads(revision.value)
        yield ""
        yield (
            f"Revision {revision.revision}{_calculation(revision)} · {entitlement['stage']} · {entitlement['status']}"
            f" · {_outcome(revision)}"
        )
        yield (
            f"  {_from(revision)} {revision.sale_id} at {revision.origin}, effective {revision.effective_on}, recorded"
            f" {revision.recorded_at:%Y-%m-%d %H:%M:%S} UTC"
        )
        if entitlement["fine_weight_g"] is not None:
            yield f"  {entitlement['fine_weight_g']} g fine gold, fineness {entitlement['fineness_permille']} ‰"
        yield from _entitled(entitlement)
        for transfer in revision.transfers:
            yield _transfer_line(transfer)
    for refused in story.refused:
        yield ""
        yield f"Revision {refused.revision} · refused · {refused.code}"
        against = "" if refused.known_origin is None else f", which conflicts with {refused.known_origin}"
        yield f"  sale {refused.sale_id} at {refused.origin}{against}"


def _calculation(revision: StoryRevision) -> str:
    return f", calculation {revision.calculation}" if revision.calculation else ""


def _from(revision: StoryRevision) -> str:
    return "sale" if revision.cause == Cause.SALE else "recalculated from sale"


def _outcome(revision: StoryRevision) -> str:
    return f"{revision.detail}, counts now" if revision.counts else revision.detail


def _entitled(entitlement: dict[str, Any]) -> Iterator[str]:
    for premium in entitlement["premiums"]:
        scheme = f"{premium['scheme_id']} {premium['scheme_version']}"
        for line in premium["lines"]:
            reason = f"  ({line['reason']})" if line["reason"] else ""
            role = line["role"].replace("_", " ")
            yield (
                f"    {line['organization_id']:<16} {role:<14} {scheme:<24} {line['fine_weight_g']:>14} g"
                f" {line['amount']:>16} {premium['currency']}{reason}"
            )


def _transfer_line(transfer: StoryTransfer) -> str:
    amount = f"{grouped(transfer.amount, transfer.unit)} {unit_name(transfer.unit)}"
    return f"    leaf {transfer.leaf_index}: {amount}, debit {transfer.debit}, credit {transfer.credit}"


def _as_json(story: LotStory) -> dict[str, Any]:
    return {
        "refiner_id": story.refiner_id,
        "lot_id": story.lot_id,
        "revisions": [
            {
                "revision": revision.revision,
                "calculation": revision.calculation,
                "cause": revision.cause,
                "sale": {"source": revision.sale_source, "id": revision.sale_id, "hash": revision.sale_hash},
                "origin": revision.origin,
                "sequence": revision.sequence,
                "effective_on": revision.effective_on,
                "recorded_at": revision.recorded_at,
                "outcome": revision.detail,
                "counts": revision.counts,
                "entitlement": orjson.loads(revision.value),
                "transfers": [
                    {
                        "leaf_index": transfer.leaf_index,
                        "number": transfer.number,
                        "debit": f"{transfer.debit}:{transfer.unit}",
                        "credit": f"{transfer.credit}:{transfer.unit}",
                        "amount": plain(transfer.amount, transfer.unit),
                        "unit": transfer.unit,
                        "stage": transfer.stage,
                        "scheme_id": transfer.scheme_id,
                    }
                    for transfer in revision.transfers
                ],
            }
            for revision in story.revisions
        ],
        "refused": [
            {
                "origin": refused.origin,
                "code": refused.code,
                "revision": refused.revision,
                "sale_id": refused.sale_id,
                "known_origin": refused.known_origin,
                "recorded_at": refused.recorded_at,
            }
            for refused in story.refused
        ],
    }
