"""`premia statements`: issue, list, show and save premium statements."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import click

from premia.connection import Rejected
from premia.service_session import (
    as_actor,
    as_json,
    money,
    of,
    payout,
    print_json,
    print_table,
    reject_refused,
    require_actor,
    run,
)

if TYPE_CHECKING:
    from premia.service_client import ServiceClient

DAY = click.DateTime(["%Y-%m-%d"])


@click.group()
def statements() -> None:
    """Issue and list statements."""


@statements.command()
@click.option("--from", "first", required=True, type=DAY, metavar="DATE", help="First day of the period.")
@click.option("--to", "last", required=True, type=DAY, metavar="DATE", help="Last day of the period.")
@click.option("--issued-on", type=DAY, metavar="DATE", help="Business day of issue; default today.")
@click.option("--for", "organizations", multiple=True, metavar="ID|paid|all", help="For whom; default: all that were paid.")
@as_actor
@as_json
def issue(first: Any, last: Any, issued_on: Any, organizations: tuple[str, ...], actor: str | None, *, as_json: bool) -> None:
    """Issue the statements of a period. Issued ones never change: asking again answers with them."""
    require_actor(actor)
    whom: str | list[str] = list(organizations) or "paid"
    if len(organizations) == 1 and organizations[0] in {"paid", "all"}:
        whom = organizations[0]
    body: dict[str, Any] = {
        "period": {"from": first.date().isoformat(), "to": last.date().isoformat()},
        "organizations": whom,
    }
    if issued_on is not None:
        body["issued_on"] = issued_on.date().isoformat()
    answers = run(_post(body, actor))
    if as_json:
        print_json(answers)
    else:
        done = [row for row in answers if not row["refused"]]
        for row in done:
            verb = "issued" if row["created"] else "issued before"
            click.echo(f"{row['organization_id']}  no. {row['number']}  {verb}  {row['statement_id']}")
        created = sum(row["created"] for row in done)
        click.echo(f"{of(created, 'statement')} issued, {len(done) - created} were there already.", err=True)
        click.echo("Next: premia statements show ID --save FOLDER writes one as PDF and JSON.", err=True)
    reject_refused(answers, lambda row: str(row["organization_id"]))


@statements.command("list")
@click.option("--organization", metavar="ID", help="Only of this organization.")
@as_json
def list_statements(organization: str | None, *, as_json: bool) -> None:
    """Show issued statements, newest period first."""
    found = run(_list(organization))
    if as_json:
        print_json(found)
        return
    print_table(
        ["organization", "no.", "from", "to", "issued by", "id"],
        [
            [
                row["organization_id"],
                str(row["number"]),
                row["period_from"],
                row["period_to"],
                row["issued_by"],
                row["statement_id"],
            ]
            for row in found
        ],
        right=[1],
    )


@statements.command()
@click.argument("name", metavar="ID")
@click.option("--save", type=click.Path(path_type=Path, file_okay=False), help="Write PDF and JSON into this folder.")
@as_json
def show(name: str, save: Path | None, *, as_json: bool) -> None:
    """Show a statement's balances; ID is a statement's, or an organization's for its newest one."""
    row, document, pdf = run(_show(name))
    if as_json:
        print_json(document)
    else:
        payee = document["payee"]
        click.echo(f"{document['statement_number']}  {payee['name']} ({payee['id']})")
        click.echo(f"  {document['period_from']} to {document['period_to']}, {of(len(document['postings']), 'posting')}")
        for balance in document["balances"]:
            for label in ("opening", "premiums", "adjustments", "deducted", "transferred", "returned", "closing"):
                click.echo(f"  {label:<12} {money(balance[label], balance['currency']):>20}")
        click.echo(f"  JSON sha256 {row['json_sha256']}\n  PDF  sha256 {row['pdf_sha256']}")
    if save is not None:
        save.mkdir(parents=True, exist_ok=True)
        stem = f"{document['payee']['id']}-{document['statement_number']}"
        for suffix, content in ((".pdf", pdf.pdf), (".json", pdf.json)):
            path = save / f"{stem}{suffix}"
            path.write_bytes(content)
            click.echo(f"wrote {path}", err=True)


class _Documents:
    def __init__(self, pdf: bytes, json: bytes) -> None:
        self.pdf, self.json = pdf, json


async def _post(body: dict[str, Any], actor: str | None) -> list[dict[str, Any]]:
    async with payout(actor) as client:
        answers: list[dict[str, Any]] = (await client.post("/v1/statements", body))["statements"]
        return answers


async def _list(organization: str | None) -> list[dict[str, Any]]:
    async with payout(None) as client:
        return await _statements(client, organization)


async def _statements(client: ServiceClient, organization: str | None) -> list[dict[str, Any]]:
    asked = "" if organization is None else f"?{urlencode({'organization': organization})}"
    found: list[dict[str, Any]] = (await client.get(f"/v1/statements{asked}"))["statements"]
    return found


async def _show(name: str) -> tuple[dict[str, Any], dict[str, Any], _Documents]:
    import orjson  # noqa: PLC0415

    async with payout(None) as client:
        found = [row for row in await _statements(client, None) if name in {row["statement_id"], row["organization_id"]}]
        if not found:
            raise Rejected(f"there is no statement {name}, nor one of an organization {name}: premia statements list")
        json = await client.get_bytes(f"/v1/documents/{found[0]['json_sha256']}")
        pdf = await client.get_bytes(f"/v1/documents/{found[0]['pdf_sha256']}")
        return found[0], orjson.loads(json), _Documents(pdf, json)
