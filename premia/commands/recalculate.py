"""`premia recalculate`: what a changed registry or scheme changes in the past, agreed to by two persons.

Goal: nobody is surprised by a correction: every lot with old, new and difference before anything is done; a preview for each
organization before the second person agrees; afterwards what the ledger made of it.
Method: lots by `premia.recalculation`; the calculator's HTTP API keeps what was prepared and publishes what was approved. A
preview is computed anew each time, against the ledger as it is then, and compared with what was prepared.
Refuses: what the calculator refuses, with its code: exit 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from premia.connection import EXIT_REJECTED
from premia.database import reader
from premia.kafka import kafka_servers, run
from premia.party_outcome import totals_of
from premia.published_registry import published_registry
from premia.recalculation import PastChanges, past_changes
from premia.recalculation_outcome import LedgerStates, ledger_states
from premia.recalculation_preview import Preview, organization_names, preview_of, refused_lots
from premia.recalculation_report import changes_as_json, parties_as_json, print_lots, print_parties, tell_changes
from premia.service_session import (
    as_actor,
    as_json,
    calculator,
    of,
    one_beginning_with,
    print_json,
    require_actor,
    wait_until,
)
from schemas.recalculation import LOTS_MAX, RecalculationRequest
from services.premium_calculator.adapters.calculating_registry import calculating_registry

if TYPE_CHECKING:
    from premia.service_client import ServiceClient

EXIT_WRONG_INPUT: Final = 2
MOMENT_CHARS: Final = len("2026-11-23T21:30")


class NoRegistry(click.ClickException):
    """Nothing was ever applied, so nothing was ever calculated."""

    exit_code = EXIT_WRONG_INPUT

    def __init__(self) -> None:
        super().__init__("no registry was ever applied: premia registry apply")


class _PreparesByDefault(click.Group):
    """`premia recalculate --dry-run` is `premia recalculate prepare --dry-run`: preparing is what the word says."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does, with the subcommand added where none is named."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["prepare", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_PreparesByDefault)
def recalculate() -> None:
    """Calculate lots again that the registry changed in the past.

    Without a subcommand: prepare. Nothing is published before a second person approves.
    """


@recalculate.command()
@click.option("--dry-run", is_flag=True, help="Only list the lots that would change, and the sums.")
@as_actor
@as_json
def prepare(actor: str | None, *, dry_run: bool, as_json: bool) -> None:
    """Find every lot that the registry in force would calculate otherwise, and prepare to calculate it again.

    Compares all lots whose latest calculation is of an older registry version. Another person looks at what was prepared
    (`premia recalculate show`) and approves it.
    """
    if not dry_run:
        require_actor(actor)
    names, found = run(_find())
    if dry_run and as_json:
        print_json(changes_as_json(found))
    elif not as_json:
        if dry_run:
            print_lots(found.changes)
            click.echo()
        print_parties(found.parties(), found.totals(), names)
    tell_changes(found)
    if dry_run:
        return
    if not found.changes:
        if as_json:
            print_json({"recalculation_id": None, "lots": 0})
        return
    prepared = run(_prepare(found, actor))
    if as_json:
        print_json(prepared)
    id_ = prepared["recalculation_id"]
    verb = "prepared" if prepared["created"] else f"was {prepared['state']} before; nothing was changed"
    click.echo(f"Recalculation {id_} of {of(prepared['lots'], 'lot')} {verb}.", err=True)
    if len(found.changes) > LOTS_MAX:
        click.echo(
            f"{of(len(found.changes) - LOTS_MAX, 'lot')} more than one takes: prepare again when it is posted.", err=True
        )
    if prepared["state"] == "prepared":
        click.echo(f"Next: another person looks at it and approves it: premia recalculate show {id_}", err=True)


@recalculate.command("list")
@as_json
def list_all(*, as_json: bool) -> None:
    """Show all recalculations, newest first."""
    found = run(_list())
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("None yet: premia recalculate --dry-run tells whether one is needed.", err=True)
    for one in found:
        click.echo(_line(one))


@recalculate.command()
@click.argument("name", metavar="ID")
@as_json
def show(name: str, *, as_json: bool) -> None:
    """Show one recalculation: what each organization had and gets.

    While it waits for its decision, computed anew against the lots as they are now, and compared with what was prepared. Once
    published: as the ledger has it. The beginning of the ID is enough where it is unique.
    """
    found, preview = run(_show(name))
    totals = totals_of(preview.parties, preview.lots)
    if as_json:
        print_json({**found, **preview.facts, **parties_as_json(preview.parties, totals)})
        return
    click.echo(_line(found))
    click.echo(f"  registry {found['registry_version']}")
    print_parties(preview.parties, totals, preview.names)
    for note in preview.notes:
        click.echo(note, err=True)


@recalculate.command()
@click.argument("name", metavar="ID")
@click.option("--wait", is_flag=True, help="Return when the ledger has answered for every lot.")
@as_actor
@as_json
def approve(name: str, actor: str | None, *, wait: bool, as_json: bool) -> None:
    """Approve a recalculation, as another person than the one who prepared it. It is published at once.

    The ledger posts the differences; lots that moved on meanwhile are left as they are. With --wait: exit code 4 if any lot was
    refused.
    """
    require_actor(actor)
    found = run(_decide(name, "approve", actor))
    click.echo(f"Recalculation {found['recalculation_id']} of {of(found['lots'], 'lot')} is {found['state']}.", err=True)
    refused = False
    if wait:
        found, states, left = run(_wait(found["recalculation_id"]))
        found["ledger"] = states.as_json()
        refused = bool(found["refused"] or states.refused)
        published = f"Published {found['published']:,}. {states.in_words(left_out=found['refused'])}"
        for note in (*refused_lots(found), published, _left(left)):
            click.echo(note, err=True)
    else:
        click.echo(f"Next: premia recalculate show {found['recalculation_id']} tells what the ledger made of it.", err=True)
    if as_json:
        print_json(found)
    if refused:
        raise click.exceptions.Exit(EXIT_REJECTED)


@recalculate.command()
@click.argument("name", metavar="ID")
@as_actor
@as_json
def withdraw(name: str, actor: str | None, *, as_json: bool) -> None:
    """Give up a recalculation that was not approved. The same can be prepared again."""
    require_actor(actor)
    found = run(_decide(name, "withdraw", actor))
    if as_json:
        print_json(found)
    click.echo(f"Recalculation {found['recalculation_id']} is withdrawn: nothing was changed.", err=True)


# --- what the commands do -----------------------------------------------------------------------------------------------


async def _find() -> tuple[Mapping[str, str], PastChanges]:
    servers = kafka_servers()
    in_force = (await published_registry(servers)).in_force
    if in_force is None:
        raise NoRegistry
    async with reader() as conn:
        return organization_names(in_force), await past_changes(conn, servers, calculating_registry(in_force))


async def _prepare(found: PastChanges, actor: str | None) -> dict[str, Any]:
    lots = tuple(change.to_recalculate() for change in found.changes[:LOTS_MAX])
    asked = RecalculationRequest(registry_version=found.registry_version, lots=lots)
    async with calculator(actor) as client:
        prepared: dict[str, Any] = await client.post("/v1/recalculations", asked.model_dump(mode="json"))
    return prepared


async def _list() -> list[dict[str, Any]]:
    async with calculator(None) as client:
        found: list[dict[str, Any]] = (await client.get("/v1/recalculations"))["recalculations"]
    return found


async def _decide(name: str, decision: str, actor: str | None) -> dict[str, Any]:
    async with calculator(actor) as client:
        decided: dict[str, Any] = await client.post(f"/v1/recalculations/{await _id_of(client, name)}/{decision}")
    return decided


async def _id_of(client: ServiceClient, name: str) -> str:
    ids = [one["recalculation_id"] for one in (await client.get("/v1/recalculations"))["recalculations"]]
    return one_beginning_with(name, ids, "recalculation", "premia recalculate list")


async def _show(name: str) -> tuple[dict[str, Any], Preview]:
    async with calculator(None) as client:
        found: dict[str, Any] = await client.get(f"/v1/recalculations/{await _id_of(client, name)}")
    return found, await preview_of(found, kafka_servers())


async def _wait(id_: str) -> tuple[dict[str, Any], LedgerStates, PastChanges]:
    async with calculator(None) as client:
        path = f"/v1/recalculations/{id_}"

        async def published() -> bool:
            return bool((await client.get(path))["state"] == "published")

        await wait_until(published, "the calculator to publish it")
        found: dict[str, Any] = await client.get(path)

    async def answered() -> bool:
        async with reader() as conn:
            left_out: int = found["refused"]
            return (await ledger_states(conn, found["content"])).waiting <= left_out

    await wait_until(answered, "the ledger to answer for every lot")
    async with reader() as conn:
        states = await ledger_states(conn, found["content"])
    return found, states, (await _find())[1]


def _line(one: Mapping[str, Any]) -> str:
    decided = f", by {one['decided_by']}" if one["decided_by"] else ""
    left_out = f", {one['refused']} left out" if one["refused"] else ""
    return (
        f"{one['recalculation_id']}  {one['state']}{decided}  {of(one['lots'], 'lot')}{left_out}"
        f"  prepared by {one['prepared_by']} at {one['prepared_at'][:MOMENT_CHARS]} UTC"
    )


def _left(left: PastChanges) -> str:
    if not left.changes:
        return "No lot on an older registry version would change any more."
    return f"{of(len(left.changes), 'lot')} on an older registry version would change: premia recalculate prepares them."
