"""`premia balances`: what every account of the ledger holds or held, and whether debits equal credits.

Method: one snapshot, by the reader's login. Balances are debit positive, as published everywhere.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import date, datetime
from typing import Final

import click
import orjson

from premia.amounts import grouped, plain, unit_name
from premia.as_of import Recorded, as_of_in_words, recorded, recorded_options
from premia.database import reader
from services.ledger.use_cases.account_balances import AccountBalance, AccountFilter, account_balances
from services.ledger.use_cases.as_of import AsOf

EXIT_UNBALANCED: Final = 1


@click.command()
@click.option("--owner", "owners", multiple=True, metavar="ID", help="Only accounts of this owner; may be repeated.")
@click.option("--on", "on", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="What took effect by this day.")
@recorded_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each account.")
def balances(
    owners: tuple[str, ...], on: datetime | None, tree_size: int | None, recorded_by: datetime | None, *, as_json: bool
) -> None:
    """Show the ledger's balances, debit positive: what the programme is owed is above zero, what it owes below.

    Of now; or as they were recorded (--tree-size, --recorded-by) and with effect by a day (--on), which gives the same bytes
    whenever it is asked again. Without --owner it also says whether debits equal credits, for each unit; exit code 1 if they
    do not.
    """
    asked = recorded(tree_size, recorded_by)
    past = on is not None or asked != Recorded(None, None)
    accounts, sums = asyncio.run(_show(owners, on, asked if past else None, as_json=as_json))
    if owners:
        if not accounts:
            click.echo(f"no account of {', '.join(owners)}", err=True)
        return
    click.echo(trial_balance_in_words(sums), err=True)
    if any(debits != credits_ for debits, credits_ in sums.values()):
        raise click.exceptions.Exit(EXIT_UNBALANCED)


def trial_balance_in_words(sums: dict[str, tuple[int, int]]) -> str:
    """One sentence for each unit, from (debits, credits) by unit."""
    if not sums:
        return "The ledger is empty."
    sentences = []
    for unit, (debits, credits_) in sorted(sums.items()):
        if debits == credits_:
            sentences.append(f"{unit_name(unit)}: debits equal credits ({grouped(debits, unit)}).")
        else:
            difference = grouped(debits - credits_, unit)
            sentences.append(
                f"{unit_name(unit)}: DEBITS DO NOT EQUAL CREDITS, they differ by {difference}: stop payouts, run `premia fsck`."
            )
    return "\n".join(sentences)


async def _show(
    owners: tuple[str, ...], on: datetime | None, asked: Recorded | None, *, as_json: bool
) -> tuple[int, dict[str, tuple[int, int]]]:
    """`asked` None: as of now."""
    accounts = 0
    sums: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    async with reader() as conn:
        as_of = None
        if asked is not None:
            as_of = AsOf(await asked.resolved(conn), date.max if on is None else on.date())
            click.echo(as_of_in_words(as_of), err=True)
        async for account in account_balances(conn, AccountFilter(owners=owners or None), as_of):
            accounts += 1
            debits, credits_ = sums[account.unit]
            sums[account.unit] = (debits + account.debits, credits_ + account.credits)
            click.echo(_json(account) if as_json else _line(account))
    return accounts, dict(sums)


def _line(account: AccountBalance) -> str:
    return f"{account.name:<48} {grouped(account.balance, account.unit):>24}"


def _json(account: AccountBalance) -> bytes:
    return orjson.dumps(
        {
            "account": account.name,
            "owner_kind": account.owner_kind,
            "owner_id": account.owner_id,
            "purpose": account.purpose,
            "unit": account.unit,
            "balance": plain(account.balance, account.unit),
            "balance_minor": account.balance,
        }
    )
