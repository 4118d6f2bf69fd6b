"""`premia payouts`: settlement cycles and their payouts; approve or cancel a cycle.

A cycle is named by its id, the beginning of its id, or its business date.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from premia.commands.settle import print_cycle
from premia.service_session import (
    as_actor,
    as_json,
    money,
    one_beginning_with,
    payout,
    print_json,
    print_table,
    require_actor,
    run,
)

if TYPE_CHECKING:
    from premia.service_client import ServiceClient


@click.group()
def payouts() -> None:
    """List settlement cycles and payouts, approve them."""


@payouts.command("list")
@as_json
def list_cycles(*, as_json: bool) -> None:
    """Show all settlement cycles, newest first."""
    cycles = run(_get("/v1/cycles"))["cycles"]
    if as_json:
        print_json(cycles)
        return
    if not cycles:
        click.echo("No cycle yet: premia settle --on DATE prepares one.", err=True)
    for cycle in cycles:
        print_cycle(cycle)


@payouts.command()
@click.argument("cycle")
@as_json
def show(cycle: str, *, as_json: bool) -> None:
    """Show one cycle: each payout with its state, each organization that was not paid, the bank files."""
    found = run(_show(cycle))
    if as_json:
        print_json(found)
        return
    print_cycle(found)
    click.echo(f"  id {found['cycle_id']}, at {found['tree_size']} leaves of the ledger's log")
    if found["payouts"]:
        click.echo()
        print_table(
            ["organization", "amount", "account", "state", "booked on", "why"],
            [
                [
                    row["organization_id"],
                    money(row["amount"], row["currency"]),
                    f"…{row['account_last_four']}",
                    row["state"],
                    row["booked_on"] or "",
                    row["code"] or "",
                ]
                for row in found["payouts"]
            ],
            right=[1],
        )
    waiting = [row for row in found["organizations"] if row["outcome"] != "ordered"]
    if waiting:
        click.echo()
        print_table(
            ["not paid", "amount", "why"],
            [[row["organization_id"], money(row["amount"], row["currency"]), row["code"]] for row in waiting],
            right=[1],
        )
    for file in found["files"]:
        total = money(file["total"], file["currency"])
        click.echo(
            f"\nBank file {file['name']}  {file['state']}  {file['payments']} payments  {total}  for {file['executes_on']}"
        )


@payouts.command()
@click.argument("cycle")
@as_actor
@as_json
def approve(cycle: str, *, actor: str | None, as_json: bool) -> None:
    """Approve a prepared cycle: its payouts go to the bank. Another person must have prepared it."""
    _decide(cycle, "approve", actor, as_json=as_json)


@payouts.command()
@click.argument("cycle")
@as_actor
@as_json
def cancel(cycle: str, *, actor: str | None, as_json: bool) -> None:
    """Give up a cycle that was not approved: its money is payable again."""
    _decide(cycle, "cancel", actor, as_json=as_json)


def _decide(cycle: str, verb: str, actor: str | None, *, as_json: bool) -> None:
    require_actor(actor)
    decided = run(_post_decision(cycle, verb, actor))
    if as_json:
        print_json(decided)
        return
    print_cycle(decided)
    following = {
        "approve": f"Next: the bank's answers come by themselves; premia payouts show {decided['cycle_id']} follows them.",
        "cancel": f"Next: premia settle --on {decided['settles_on']} prepares it anew.",
    }
    click.echo(f"Cycle {decided['cycle_id']} is {decided['state']}.\n{following[verb]}", err=True)


async def _get(path: str) -> Any:
    async with payout(None) as client:
        return await client.get(path)


async def _show(name: str) -> dict[str, Any]:
    async with payout(None) as client:
        found: dict[str, Any] = await client.get(f"/v1/cycles/{await _id_of(client, name)}")
        return found


async def _post_decision(name: str, verb: str, actor: str | None) -> dict[str, Any]:
    async with payout(actor) as client:
        decided: dict[str, Any] = await client.post(f"/v1/cycles/{await _id_of(client, name)}/{verb}")
        return decided


async def _id_of(client: ServiceClient, name: str) -> str:
    """The id of the cycle that is meant. Raises Rejected if it is none or several."""
    cycles = (await client.get("/v1/cycles"))["cycles"]
    # The newest first: of several cycles for a date the earlier ones were cancelled or empty.
    by_date: list[str] = [cycle["cycle_id"] for cycle in cycles if cycle["settles_on"] == name][:1]
    if by_date:
        return by_date[0]
    return one_beginning_with(name, [cycle["cycle_id"] for cycle in cycles], "cycle", "premia payouts list")
