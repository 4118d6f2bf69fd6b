"""`premia accounts`: payment accounts, proposed by one person and verified by another.

Method: without details the account that the registry claims is proposed; `--file` gives others. Account numbers show by their
last four digits only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from premia.connection import Rejected
from premia.service_session import (
    as_actor,
    as_json,
    of,
    payout,
    print_json,
    print_table,
    reject_refused,
    require_actor,
    run,
)

EXIT_WRONG_INPUT: Final = 2


@click.group()
def accounts() -> None:
    """Propose and verify payment accounts (two persons)."""


@accounts.command("list")
@click.option("--state", type=click.Choice(["proposed", "verified", "replaced", "withdrawn"]), help="Only those.")
@click.option("--organization", metavar="ID", help="Only of this organization.")
@as_json
def list_accounts(state: str | None, organization: str | None, *, as_json: bool) -> None:
    """Show accounts with who proposed and who verified them."""
    found = run(_list(state, organization))
    if as_json:
        print_json(found)
        return
    print_table(
        ["organization", "currency", "account", "state", "proposed by", "verified by", "how", "checked on", "id"],
        [
            [
                row["organization_id"],
                row["currency"],
                f"…{row['last_four']}",
                row["state"],
                row["proposed_by"],
                row["verified_by"] or "",
                row["method"] or row["reason"] or "",
                row["checked_on"] or "",
                row["account_id"],
            ]
            for row in found
        ],
    )


@accounts.command()
@click.argument("organizations", nargs=-1, metavar="[ORGANIZATION]…")
@click.option("--currency", default="USD", show_default=True, help="The account's currency.")
@click.option("--all", "everybody", is_flag=True, help="Everybody whose account in the registry was not proposed yet.")
@click.option("--file", "file", type=click.Path(path_type=Path), help="YAML or JSON with accounts: a list with details.")
@as_actor
@as_json
def propose(
    organizations: tuple[str, ...],
    currency: str,
    file: Path | None,
    actor: str | None,
    *,
    everybody: bool,
    as_json: bool,
) -> None:
    """Propose payment accounts: what the registry claims for ORGANIZATIONs, or the details in --file.

    Another person verifies them.
    """
    require_actor(actor)
    if bool(organizations) + everybody + (file is not None) != 1:
        raise click.UsageError("name organizations, or give --all, or --file")
    entries = [{"organization_id": id_, "currency": currency} for id_ in organizations]
    if file is not None:
        entries = _entries(file)
    answers = run(_propose(None if everybody else entries, actor))
    if as_json:
        print_json(answers)
    else:
        created = [row for row in answers if not row["refused"] and row["created"]]
        for row in created:
            click.echo(f"{row['organization_id']}  {row['currency']}  proposed  {row['account_id']}")
        there = len([row for row in answers if not row["refused"]]) - len(created)
        click.echo(f"{of(len(created), 'account')} proposed, {there} were there already.", err=True)
        click.echo(
            "Next: another person verifies them: premia accounts verify --all --method HOW --on DATE --as ACTOR", err=True
        )
    reject_refused(answers, lambda row: str(row["organization_id"]))


@accounts.command()
@click.argument("names", nargs=-1, metavar="[ACCOUNT_OR_ORGANIZATION]…")
@click.option("--all", "everybody", is_flag=True, help="Every account that waits for verification.")
@click.option("--method", required=True, help="How it was checked, e.g. call_back.")
@click.option("--on", "on", required=True, type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="When it was checked.")
@click.option("--evidence", help="Reference of the document that shows it.")
@as_actor
@as_json
def verify(
    names: tuple[str, ...],
    method: str,
    on: Any,
    evidence: str | None,
    actor: str | None,
    *,
    everybody: bool,
    as_json: bool,
) -> None:
    """Verify proposed accounts, as another person than the one who proposed them. They are payable then."""
    require_actor(actor)
    if bool(names) == everybody:
        raise click.UsageError("name accounts or organizations, or give --all")
    check = {"method": method, "on": on.date().isoformat(), "evidence": evidence}
    answers = run(_verify(names, check, actor))
    if as_json:
        print_json(answers)
    else:
        done = [row for row in answers if not row["refused"]]
        click.echo(f"{of(len(done), 'account')} verified.", err=True)
        click.echo("Next: premia settle --on DATE pays to them.", err=True)
    reject_refused(answers, lambda row: str(row["account_id"]))


def _entries(file: Path) -> list[dict[str, Any]]:
    import yaml  # noqa: PLC0415

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        click.echo(f"{file}: cannot be read: {' '.join(str(error).split())}", err=True)
        raise click.exceptions.Exit(EXIT_WRONG_INPUT) from error
    rows = content.get("accounts") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "organization_id" in row for row in rows):
        click.echo(f"{file}: accounts: must be a list of accounts, each with organization_id, currency and details", err=True)
        raise click.exceptions.Exit(EXIT_WRONG_INPUT)
    outside = ("organization_id", "currency")
    return [
        {
            **{name: row[name] for name in outside if name in row},
            "details": row.get("details") or {name: value for name, value in row.items() if name not in outside},
        }
        for row in rows
    ]


async def _list(state: str | None, organization: str | None) -> list[dict[str, Any]]:
    from urllib.parse import urlencode  # noqa: PLC0415

    asked = {name: value for name, value in (("state", state), ("organization", organization)) if value is not None}
    async with payout(None) as client:
        found: list[dict[str, Any]] = (await client.get(f"/v1/accounts?{urlencode(asked)}"))["accounts"]
        return found


async def _propose(entries: list[dict[str, Any]] | None, actor: str | None) -> list[dict[str, Any]]:
    async with payout(actor) as client:
        if entries is None:
            entries = (await client.get("/v1/accounts/claims"))["claims"]
        if not entries:
            return []
        answers: list[dict[str, Any]] = (await client.post("/v1/accounts/propose", {"accounts": entries}))["accounts"]
        return answers


async def _verify(names: tuple[str, ...], check: dict[str, Any], actor: str | None) -> list[dict[str, Any]]:
    async with payout(actor) as client:
        waiting = (await client.get("/v1/accounts?state=proposed"))["accounts"]
        if names:
            unknown = set(names) - {row[key] for row in waiting for key in ("account_id", "organization_id")}
            if unknown:
                raise Rejected(f"no account waits for verification under {', '.join(sorted(unknown))}: premia accounts list")
            waiting = [row for row in waiting if {row["account_id"], row["organization_id"]} & set(names)]
        if not waiting:
            return []
        body = {"accounts": [{"account_id": row["account_id"], **check} for row in waiting]}
        answers: list[dict[str, Any]] = (await client.post("/v1/accounts/verify", body))["accounts"]
        return answers
