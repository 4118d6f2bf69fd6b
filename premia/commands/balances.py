"""`premia balances`: what every account of the ledger holds, and whether debits equal credits.

Method: one snapshot, by the reader's login. Balances are debit positive, as published everywhere.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Final

import click
import orjson

from premia.amounts import grouped, plain, unit_name
from premia.database import reader
from services.ledger.use_cases.account_balances import AccountBalance, account_balances

EXIT_UNBALANCED: Final = 1


@click.command()
@click.option("--owner", "owners", multiple=True, metavar="ID", help="Only accounts of this owner; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each account.")
def balances(owners: tuple[str, ...], *, as_json: bool) -> None:
    """Show the ledger's balances, debit positive: what the programme is owed is above zero, what it owes below.

    Without --owner it also says whether debits equal credits, for each unit; exit code 1 if they do not.
    """
    accounts, sums = asyncio.run(_show(owners, as_json=as_json))
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


async def _show(owners: tuple[str, ...], *, as_json: bool) -> tuple[int, dict[str, tuple[int, int]]]:
    accounts = 0
    sums: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    async with reader() as conn:
        async for account in account_balances(conn, owners):
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
