"""`premia ledger`: one account of the ledger, posting by posting; and the whole of it in formats of others.

Method: by the reader's login, in one snapshot, streamed: memory does not grow with the ledger. An export says whose ledger it
is and whether it is synthetic, so the published registry is asked first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

import click
import orjson

from premia.amounts import grouped, plain, unit_name
from premia.as_of import Recorded, as_of_in_words, recorded, recorded_options
from premia.commands.rebuild import rebuild
from premia.database import reader
from premia.kafka import kafka_servers, run
from premia.ledger_export.heading import Heading
from services.ledger.domain.account import AccountKey
from services.ledger.use_cases.account_postings import (
    BEFORE_THE_FIRST,
    AccountPosting,
    Period,
    account_postings,
    find_account,
    period_balances,
)
from services.ledger.use_cases.as_of import AsOf
from services.ledger.use_cases.read_suspense import FROM_THE_OLDEST, OpenBooking, SuspensePlace, read_suspense

if TYPE_CHECKING:
    from services.runtime.database import Connection

PAGE_ROWS: Final = 1_000  # an account of millions of postings passes through, whatever their number
OUTER_PARTS: Final = 2  # purpose and unit, at the end of an account's name


class UnknownAccount(click.ClickException):
    """No such account, or not yet."""

    exit_code = 2


@click.group()
def ledger() -> None:
    """Read accounts and suspense, export the ledger, rebuild what is derived of it."""


ledger.add_command(rebuild)


@ledger.command()
@click.argument("name", metavar="ACCOUNT")
@click.option("--from", "first", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="First day; default: from the start.")
@click.option("--to", "last", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Last day; default: without end.")
@recorded_options
@click.option("--json", "as_json", is_flag=True, help="JSON lines: opening, one for each posting, closing.")
def account(
    name: str,
    first: datetime | None,
    last: datetime | None,
    tree_size: int | None,
    recorded_by: datetime | None,
    *,
    as_json: bool,
) -> None:
    """Show the postings of ACCOUNT (such as org:ORG-PE-012:payable:USD) between its opening and closing balance.

    By the days on which they took effect, in the order in which they were recorded. The same --tree-size and days give the same
    bytes, whatever was posted since.
    """
    key = _account_key(name)
    period = Period(date.min if first is None else first.date(), date.max if last is None else last.date())
    if period.last < period.first:
        raise click.UsageError("--to lies before --from")
    asyncio.run(_show(key, period, recorded(tree_size, recorded_by), as_json=as_json))


@ledger.command()
@click.option("--json", "as_json", is_flag=True, help="JSON lines.")
def suspense(*, as_json: bool) -> None:
    """Show bookings that nobody could name yet, oldest first, with what is still open of each."""
    asyncio.run(_show_suspense(as_json=as_json))


async def _show_suspense(*, as_json: bool) -> None:
    after, found = FROM_THE_OLDEST, 0
    async with reader() as conn:
        while page := await read_suspense(conn, after=after, limit=PAGE_ROWS):
            for booking in page:
                click.echo(orjson.dumps(booking) if as_json else _suspended(booking))
            found += len(page)
            after = SuspensePlace(page[-1].booked_on, page[-1].booking_key)
    if not found:
        click.echo("Nothing is in suspense.", err=True)


def _suspended(booking: OpenBooking) -> str:
    direction = "arrived" if booking.arrived else "left"
    rest = "" if booking.open_amount == booking.amount else f" of {grouped(booking.amount, booking.unit)}"
    amount = f"{grouped(booking.open_amount, booking.unit)}{rest} {booking.unit}"
    return f"{booking.booked_on}  {amount} {direction}  {booking.booking_key}"


@ledger.command()
@click.option("--format", "form", type=click.Choice(["beancount", "csv", "jsonl"]), required=True, help="What to write.")
@recorded_options
def export(form: str, tree_size: int | None, recorded_by: datetime | None) -> None:
    """Write the whole ledger to stdout, as recorded in the first leaves of its log, by default in all of them.

    beancount: a journal with what each account must hold, for bean-check and fava. csv: a row for each transfer. jsonl: each
    leaf as it was hashed. The same --tree-size gives the same bytes.
    """
    run(_export(form, recorded(tree_size, recorded_by)))


async def _export(form: str, asked: Recorded) -> None:
    from premia.ledger_export import beancount, leaves, rows  # noqa: PLC0415
    from premia.published_registry import published_registry  # noqa: PLC0415

    lines = {"beancount": beancount.beancount_lines, "csv": rows.csv_lines, "jsonl": leaves.json_lines}[form]
    snapshot = (await published_registry(kafka_servers())).in_force
    programme = None if snapshot is None else snapshot.programme
    async with reader() as conn:
        heading = Heading(
            programme_id="" if programme is None else programme.id,
            programme_name="" if programme is None else programme.name,
            synthetic=None if programme is None else programme.synthetic,
            tree_size=await asked.resolved(conn),
        )
        out = click.get_text_stream("stdout", encoding="utf-8")
        async for line in lines(conn, heading):
            out.write(line + "\n")
        out.flush()
    for sentence in heading.sentences():
        click.echo(sentence, err=True)


def _account_key(name: str) -> AccountKey:
    """An owner's id may hold colons; what is around it holds none."""
    owner_kind, _, rest = name.partition(":")
    parts = rest.rsplit(":", OUTER_PARTS)
    if len(parts) != OUTER_PARTS + 1 or not all(parts):
        raise click.UsageError(f"{name} is no account: write KIND:OWNER:PURPOSE:UNIT, as `premia balances` does")
    return AccountKey(owner_kind, *parts)


async def _show(key: AccountKey, period: Period, asked: Recorded, *, as_json: bool) -> None:
    async with reader() as conn:
        size = await asked.resolved(conn)
        account_id = await find_account(conn, key)
        if account_id is None:
            raise UnknownAccount(f"no account {':'.join(key)}: `premia balances` lists them")
        balances = await period_balances(conn, account_id, size, period)
        click.echo(as_of_in_words(AsOf(size, period.last)), err=True)
        _print_balance("opening", balances.opening, key, as_json=as_json)
        balance = balances.opening
        async for posting in _postings(conn, account_id, size, period):
            balance += posting.amount
            click.echo(_json(posting, balance, key.unit) if as_json else _line(posting, balance, key.unit))
        _print_balance("closing", balances.closing, key, as_json=as_json)
        assert balance == balances.closing, "the postings of a period lead from its opening to its closing balance"


async def _postings(conn: Connection, account_id: int, tree_size: int, period: Period) -> AsyncIterator[AccountPosting]:
    after = BEFORE_THE_FIRST
    while True:
        page = await account_postings(conn, account_id, tree_size, period, after=after, limit=PAGE_ROWS)
        for posting in page:
            yield posting
        if len(page) < PAGE_ROWS:
            return
        after = page[-1].place


def _print_balance(what: str, balance: int, key: AccountKey, *, as_json: bool) -> None:
    if as_json:
        told = {"account": ":".join(key), what: plain(balance, key.unit), f"{what}_minor": balance}
        click.echo(orjson.dumps(told))
    else:
        click.echo(f"{what:<78} {'':>18} {grouped(balance, key.unit):>18} {unit_name(key.unit)}")


def _line(posting: AccountPosting, balance: int, unit: str) -> str:
    other = f"{posting.owner_kind}:{posting.owner_id}:{posting.purpose}"
    lot = "" if posting.lot_id is None else f" {posting.refiner_id}/{posting.lot_id}"
    what = f"{posting.effective_on} leaf {posting.leaf_index} {posting.kind} {other}{lot}"
    return f"{what:<78} {grouped(posting.amount, unit):>18} {grouped(balance, unit):>18}"


def _json(posting: AccountPosting, balance: int, unit: str) -> bytes:
    return orjson.dumps(
        {
            "leaf_index": posting.leaf_index,
            "number": posting.number,
            "transaction_id": str(posting.transaction_id),
            "kind": posting.kind,
            "effective_on": posting.effective_on,
            "recorded_at": posting.recorded_at,
            "against": f"{posting.owner_kind}:{posting.owner_id}:{posting.purpose}:{unit}",
            "refiner_id": posting.refiner_id,
            "lot_id": posting.lot_id,
            "amount": plain(posting.amount, unit),
            "amount_minor": posting.amount,
            "balance": plain(balance, unit),
            "balance_minor": balance,
        }
    )
