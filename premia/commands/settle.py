"""`premia settle`: prepare the settlement cycle of a business date.

Method: payout decides and asks the ledger to set the money aside; a second person then approves with `premia payouts approve`.
Asking again for the same date answers with the cycle that is there.
"""

from __future__ import annotations

from typing import Any

import click

from premia.service_session import (
    as_actor,
    as_json,
    money,
    of,
    payout,
    print_json,
    require_actor,
    run,
    wait_until,
)


@click.command()
@click.option("--on", "on", required=True, type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Business date.")
@click.option("--wait", is_flag=True, help="Return when the ledger has answered every reservation.")
@as_actor
@as_json
def settle(on: Any, *, wait: bool, actor: str | None, as_json: bool) -> None:
    """Prepare the settlement cycle of a business date: what is paid, what is carried over, what is on hold.

    Nothing leaves before a second person approves it.
    """
    require_actor(actor)
    cycle = run(_settle(on.date().isoformat(), actor, wait=wait))
    if as_json:
        print_json(cycle)
        return
    print_cycle(cycle)
    verb = "prepared" if cycle["created"] else "was there already; nothing was changed"
    click.echo(f"Cycle {cycle['cycle_id']} {verb}.", err=True)
    if cycle["state"] in {"preparing", "prepared"}:
        click.echo(f"Next: another person approves it: premia payouts approve {cycle['cycle_id']} --as ACTOR", err=True)


async def _settle(on: str, actor: str | None, *, wait: bool) -> dict[str, Any]:
    async with payout(actor) as client:
        cycle: dict[str, Any] = await client.post("/v1/cycles", {"on": on})
        if wait:
            path = f"/v1/cycles/{cycle['cycle_id']}"

            async def answered() -> bool:
                return bool((await client.get(path))["state"] != "preparing")

            await wait_until(answered, "the ledger to answer the reservations")
            cycle = {**await client.get(path), "created": cycle["created"]}
    return cycle


def print_cycle(cycle: dict[str, Any]) -> None:
    """A cycle in a few lines: who decided, and what became of the money."""
    approved = f", approved by {cycle['approved_by']}" if cycle["approved_by"] else ""
    click.echo(f"Cycle {cycle['settles_on']}  {cycle['state']}  prepared by {cycle['prepared_by']}{approved}")
    for result in cycle["results"]:
        organizations = of(result["organizations"], "organization")
        why = f"  {result['code']}" if result["code"] else ""
        label = {"ordered": "to pay", "carried_over": "carried over", "held": "on hold"}[result["outcome"]]
        click.echo(f"  {label:<12}  {money(result['amount'], result['currency']):>20}  {organizations}{why}")
    if not cycle["results"]:
        click.echo("  nothing is due")
    states = ", ".join(f"{count} {state}" for state, count in cycle["orders"].items())
    if states:
        click.echo(f"  payouts: {states}")
