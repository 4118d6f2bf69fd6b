"""`premia corrections`: opening balances and corrections of the ledger, proposed by one person and approved by another.

Goal: whoever approves reads the postings themselves, made by the code that will post them, and what they do to each balance.
Method: the ledger's HTTP API. A proposal is named by its id or the beginning of it. Each line is an account of the subject
against suspense; `--reverses` takes a posted transaction of the subject back instead.
Refuses: what the ledger refuses, with its code: exit 4.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import orjson

from premia.amounts import grouped, unit_name
from premia.service_session import (
    as_actor,
    as_json,
    ledger,
    of,
    one_beginning_with,
    print_json,
    print_table,
    require_actor,
    run,
)

if TYPE_CHECKING:
    from premia.service_client import ServiceClient

ID_CHARS_SHOWN: Final = 8  # enough to tell a few proposals apart, short enough to type
LINE_PARTS: Final = 3  # purpose, unit, amount
LINE: Final = "PURPOSE:UNIT:AMOUNT"


@click.group()
def corrections() -> None:
    """Open and correct balances of the ledger (two persons)."""


@corrections.command()
@click.option("--subject", metavar="KIND:ID", help="Whose accounts, e.g. org:ORG-PE-012, payer:PAY-01 or programme:ID.")
@click.option("--debit", "debits", multiple=True, metavar=LINE, help="Debit this account of the subject, credit suspense.")
@click.option("--credit", "credits_", multiple=True, metavar=LINE, help="Credit this account of the subject, debit suspense.")
@click.option("--scheme", "scheme_id", metavar="ID", help="Scheme of a payable.")
@click.option("--payer", "payer_id", metavar="ID", help="Payer of a payable.")
@click.option("--booking", "booking_key", metavar="KEY", help="Booking in suspense that the lines clear.")
@click.option("--reverses", metavar="TRANSACTION", help="Take this transaction of the subject back.")
@click.option("--open", "opens", is_flag=True, help="An opening balance: from before the ledger began.")
@click.option("--on", "on", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Business day that it counts for.")
@click.option("--reason", metavar="CODE", help="Why, as a code in capitals; it stands in the ledger's leaf.")
@click.option("--text", metavar="WORDS", help="Why, in words; only their hash stands in the leaf.")
@click.option("--file", "file", type=click.Path(path_type=Path), help="JSON with a whole proposal.")
@as_actor
@as_json
def propose(file: Path | None, actor: str | None, *, as_json: bool, **given: Any) -> None:
    """Propose an opening balance or a correction. Nothing is posted before another person approves."""
    require_actor(actor)
    if (file is None) == (given["subject"] is None):
        raise click.UsageError("give --subject with what is to be posted, or --file")
    proposal = _from_options(given) if file is None else _from_file(file)
    shown = run(_post("/v1/corrections", actor, proposal))
    _print(shown, as_json=as_json)
    _next(f"another person looks and approves: premia corrections approve {_short(shown)} --as ACTOR")


@corrections.command("list")
@click.option("--state", type=click.Choice(["proposed", "approved", "withdrawn"]), help="Only those.")
@as_json
def list_corrections(state: str | None, *, as_json: bool) -> None:
    """Show all proposals, newest first."""
    found = run(_list(state))
    if as_json:
        print_json(found["corrections"])
        return
    if not found["corrections"]:
        click.echo("Nothing was proposed.", err=True)
        return
    print_table(
        ["id", "kind", "subject", "effective on", "reason", "state", "proposed by", "decided by", "leaf"],
        [
            [
                _short(row),
                row["kind"],
                f"{row['subject']['kind']}:{row['subject']['id']}",
                row["effective_on"],
                row["reason"]["code"],
                row["state"],
                row["proposed_by"],
                row["decided_by"] or "",
                "" if row["leaf_index"] is None else str(row["leaf_index"]),
            ]
            for row in found["corrections"]
        ],
        right=[8],
    )
    if not found["complete"]:
        click.echo(f"Only the newest {of(len(found['corrections']), 'proposal')} of more.", err=True)


@corrections.command()
@click.argument("correction")
@as_json
def show(correction: str, *, as_json: bool) -> None:
    """Show one proposal: who proposed it and why, what it would post now, and what that does to each balance."""
    _print(run(_named(correction)), as_json=as_json)


@corrections.command()
@click.argument("correction")
@as_actor
@as_json
def approve(correction: str, actor: str | None, *, as_json: bool) -> None:
    """Approve a proposal: it is posted. Another person must have proposed it."""
    require_actor(actor)
    shown = run(_decide(correction, "approve", actor))
    _print(shown, as_json=as_json)
    subject = f"{shown['subject']['kind']}:{shown['subject']['id']}"
    if not as_json:
        undo = f"premia corrections propose --subject {subject} --reverses {shown['transaction_id']} …"
        click.echo(f"Should it be wrong: {undo}", err=True)


@corrections.command()
@click.argument("correction")
@as_actor
@as_json
def withdraw(correction: str, actor: str | None, *, as_json: bool) -> None:
    """Give up a proposal that was not approved."""
    require_actor(actor)
    _print(run(_decide(correction, "withdraw", actor)), as_json=as_json)


def _from_options(given: dict[str, Any]) -> dict[str, Any]:
    from uuid import uuid4  # noqa: PLC0415

    kind, colon, subject_id = given["subject"].partition(":")
    if not colon:
        raise click.UsageError("--subject is KIND:ID, e.g. org:ORG-PE-012")
    for name in ("on", "reason", "text"):
        if given[name] is None:
            raise click.UsageError(f"--{name} is needed: whoever approves must know the day and the reason")
    scope = {name: given[name] for name in ("scheme_id", "payer_id", "booking_key") if given[name] is not None}
    sides = [("debit", text) for text in given["debits"]] + [("credit", text) for text in given["credits_"]]
    return {
        "correction_id": str(uuid4()),
        "kind": "open" if given["opens"] else "correct",
        "subject": {"kind": kind, "id": subject_id},
        "effective_on": given["on"].date().isoformat(),
        "reason": {"code": given["reason"], "text": given["text"]},
        "reverses": given["reverses"],
        "lines": [_line(side, text) | scope for side, text in sides],
    }


def _line(side: str, text: str) -> dict[str, str]:
    parts = text.split(":")
    if len(parts) != LINE_PARTS:
        raise click.UsageError(f"--{side} is {LINE}, e.g. payable:USD:98.08; not {text}")
    purpose, unit, amount = parts
    return {"purpose": purpose, "unit": unit, "side": side, "amount": amount}


def _from_file(file: Path) -> dict[str, Any]:
    try:
        content = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise click.UsageError(f"{file}: cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise click.UsageError(f"{file}: must be one proposal, an object with correction_id, kind, subject and so on")
    return content


def _print(shown: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(shown)
        return
    subject = f"{shown['subject']['kind']}:{shown['subject']['id']}"
    what = "Opening balance" if shown["kind"] == "open" else "Correction"
    click.echo(click.style(f"{what} of {subject}, effective {shown['effective_on']}: {shown['state']}", bold=True))
    click.echo(f"  id {shown['correction_id']}, proposed by {shown['proposed_by']}")
    click.echo(f"  {shown['reason']['code']}: {shown['reason']['text']}")
    if shown["reverses"]:
        click.echo(f"  takes back transaction {shown['reverses']}")
    if shown["decided_by"]:
        click.echo(f"  {shown['state']} by {shown['decided_by']}")
    if shown["leaf_index"] is not None:
        click.echo(f"  posted as transaction {shown['transaction_id']}, leaf {shown['leaf_index']}")
    if shown["preview"] is not None:
        _print_preview(shown["preview"])


def _print_preview(preview: dict[str, Any]) -> None:
    if preview["code"] != "POSTED":
        click.echo(f"\nWould be refused now: {preview['code']}: {preview['message']}")
        return
    # Each transfer debits what it credits, so there is no difference to show: the sentence says that it was looked at.
    click.echo("\nWould post, debits equal credits:")
    for transfer in preview["transfers"]:
        amount = f"{grouped(transfer['amount_minor'], transfer['unit'])} {unit_name(transfer['unit'])}"
        click.echo(f"  {amount}, debit {_account(transfer['debit'])}, credit {_account(transfer['credit'])}")
    click.echo()
    print_table(
        ["account", "before", "after", ""],
        [
            [
                _account(change),
                grouped(change["before_minor"], change["unit"]),
                grouped(change["after_minor"], change["unit"]),
                unit_name(change["unit"]),
            ]
            for change in preview["balances"]
        ],
        right=[1, 2],
    )


def _account(account: dict[str, str]) -> str:
    return f"{account['owner_kind']}:{account['owner_id']}:{account['purpose']}"


def _short(shown: dict[str, Any]) -> str:
    return str(shown["correction_id"])[:ID_CHARS_SHOWN]


def _next(step: str) -> None:
    click.echo(f"Next: {step}", err=True)


async def _list(state: str | None) -> dict[str, Any]:
    async with ledger(None) as client:
        found: dict[str, Any] = await client.get("/v1/corrections" + (f"?state={state}" if state else ""))
        return found


async def _post(path: str, actor: str | None, body: object) -> dict[str, Any]:
    async with ledger(actor) as client:
        shown: dict[str, Any] = await client.post(path, body)
        return shown


async def _named(name: str) -> dict[str, Any]:
    async with ledger(None) as client:
        found: dict[str, Any] = await client.get(f"/v1/corrections/{await _id_of(client, name)}")
        return found


async def _decide(name: str, verb: str, actor: str | None) -> dict[str, Any]:
    async with ledger(actor) as client:
        decided: dict[str, Any] = await client.post(f"/v1/corrections/{await _id_of(client, name)}/{verb}")
        return decided


async def _id_of(client: ServiceClient, name: str) -> str:
    """The id of the proposal that is meant. Raises Rejected if it is none or several."""
    ids = [row["correction_id"] for row in (await client.get("/v1/corrections"))["corrections"]]
    return one_beginning_with(name, ids, "proposal", "premia corrections list")
