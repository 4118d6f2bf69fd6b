"""`premia recalculate`: what a changed registry or scheme changes in the past, agreed to by two persons.

Goal: nobody is surprised by a correction: every lot with old, new and difference before anything is done; a preview for each
organization before the second person agrees; afterwards what the ledger made of it.
Method: lots by `premia.recalculation`; the calculator's HTTP API keeps what was prepared and publishes what was approved. A
preview is computed anew each time, against the ledger as it is then, and compared with what was prepared.
Refuses: what the calculator refuses, with its code: exit 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import click

from premia.connection import EXIT_REJECTED, Rejected
from premia.database import reader
from premia.kafka import kafka_servers, run
from premia.party_outcome import PartyOutcome, totals_of
from premia.published_registry import published_registry
from premia.recalculation import PastChanges, past_changes
from premia.recalculation_outcome import LedgerStates, ledger_states, posted_outcomes
from premia.recalculation_report import changes_as_json, parties_as_json, print_lots, print_parties, tell_changes
from premia.service_client import ServiceClient
from premia.service_session import as_actor, as_json, calculator, of, print_json, require_actor, wait_until
from schemas.recalculation import LOTS_MAX, RecalculationRequest
from schemas.registry_snapshot import RegistrySnapshot
from services.premium_calculator.adapters.calculating_registry import calculating_registry

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
    if dry_run or not found.changes:
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
        for note in (*_refused_lots(found), f"Published {found['published']:,}; {states}.", _left(left)):
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


@dataclass(frozen=True, slots=True)
class _Preview:
    """What a recalculation does to whom: `lots` of them, `facts` for --json, `notes` for people."""

    names: Mapping[str, str] = field(default_factory=dict)
    parties: Sequence[PartyOutcome] = ()
    lots: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()


async def _find() -> tuple[Mapping[str, str], PastChanges]:
    servers = kafka_servers()
    in_force = (await published_registry(servers)).in_force
    if in_force is None:
        raise NoRegistry
    async with reader() as conn:
        return _names(in_force), await past_changes(conn, servers, calculating_registry(in_force))


def _names(snapshot: RegistrySnapshot) -> Mapping[str, str]:
    return {id_: organization.name for id_, organization in snapshot.organizations.items()}


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
    found: list[str] = [id_ for id_ in ids if id_.startswith(name)]
    if len(found) != 1:
        several = f"{len(found)} recalculations begin" if found else "no recalculation begins"
        raise Rejected(f"{several} with {name}: premia recalculate list shows them")
    return found[0]


async def _show(name: str) -> tuple[dict[str, Any], _Preview]:
    async with calculator(None) as client:
        found: dict[str, Any] = await client.get(f"/v1/recalculations/{await _id_of(client, name)}")
    servers = kafka_servers()
    in_force = (await published_registry(servers)).in_force
    assert in_force is not None, "a recalculation was prepared under a registry"
    if found["state"] == "withdrawn":
        return found, _Preview()
    async with reader() as conn:
        if found["state"] != "prepared":
            states = await ledger_states(conn, found["content"])
            parties = await posted_outcomes(conn, found["content"])
            facts = {"ledger": states.as_json()}
            return found, _Preview(
                _names(in_force), parties, states.accepted, facts, (*_refused_lots(found), _sentence(states, found))
            )
        if found["registry_version"] != in_force.version:
            return found, _Preview(notes=("Another registry is in force by now: withdraw this one and prepare again.",))
        now = await past_changes(conn, servers, calculating_registry(in_force))
    return found, _as_of_now(found, now, _names(in_force))


def _as_of_now(found: Mapping[str, Any], now: PastChanges, names: Mapping[str, str]) -> _Preview:
    """What approving does now: the lots that are still as they were prepared."""
    prepared = {(lot["refiner_id"], lot["lot_id"], lot["entitlement_id"]) for lot in found["content"]}
    changes = []
    for change in now.changes:
        lot = change.to_recalculate()
        if (lot.refiner_id, lot.lot_id, str(lot.entitlement_id)) in prepared:
            changes.append(change)
    still = PastChanges(now.registry_version, now.compared, tuple(changes))
    moved_on, others = len(prepared) - len(changes), len(now.changes) - len(changes)
    notes = [f"As of now: {of(len(changes), 'lot')} of {len(prepared):,} are as they were prepared."]
    if moved_on:
        notes.append(f"{of(moved_on, 'lot')} moved on since, and would be left as they are now.")
    if others:
        notes.append(f"{of(others, 'lot')} would change that this one does not have: prepare again afterwards.")
    notes.append(f"Next: another person than {found['prepared_by']} approves it, or anybody gives it up:")
    notes.append(f"  premia recalculate approve {found['recalculation_id']} --as ACTOR")
    facts = {"as_prepared": len(changes), "moved_on": moved_on, "not_in_it": others}
    return _Preview(names, still.parties(), len(changes), facts, notes)


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


def _refused_lots(found: Mapping[str, Any]) -> list[str]:
    named = found["refused_lots"]
    notes = [f"{lot['refiner_id']}/{lot['lot_id']} was left out: {lot['code']}: {lot['message']}" for lot in named]
    if found["refused"] and found["refused"] > len(named):
        notes.append(f"{found['refused']} lots in all were left out.")
    return notes


def _sentence(states: LedgerStates, found: Mapping[str, Any]) -> str:
    on_their_way = found["lots"] - (found["refused"] or 0) - states.accepted - sum(states.refused.values())
    return f"{str(states)[:1].upper()}{str(states)[1:]}." if not on_their_way else f"{on_their_way} on their way."


def _left(left: PastChanges) -> str:
    if not left.changes:
        return "No lot on an older registry version would change any more."
    return f"{of(len(left.changes), 'lot')} on an older registry version would change: premia recalculate prepares them."
