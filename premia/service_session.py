"""Commands that speak to a service: as whom, and how its answers look.

Goal: a command that changes something says what changed, its id, and the next step; a refusal is one line, exit 4.
Method: the client of one actor; `--as` picks the token that the local stack keeps, PREMIA_TOKEN is taken everywhere else.
Reading needs some actor's token too, whoever's.
Refuses: a service that does not answer or no token, with one line and exit 3.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
import orjson

from premia.connection import EXIT_REJECTED, Rejected, Unreachable, actor_token, environment, needed
from premia.local.state import chosen_data_dir
from premia.local.tokens import read_tokens

if TYPE_CHECKING:
    from premia.service_client import ServiceClient

WAIT_S: Final = 60.0  # the ledger answers a cycle's reservations within a second; a minute is a ledger that is down.
POLL_S: Final = 0.1
_Result = TypeVar("_Result")

as_actor = click.option("--as", "actor", metavar="ACTOR", help="Who acts. Needs the actor's token; default: PREMIA_TOKEN.")
as_json = click.option("--json", "as_json", is_flag=True, help="JSON, as the service answered.")


@asynccontextmanager
async def payout(actor: str | None) -> AsyncIterator[ServiceClient]:
    """A client of payout in the name of `actor`; None: of PREMIA_TOKEN, or of anybody for reading. Raises Unreachable."""
    async with _service("payout", actor) as client:
        yield client


@asynccontextmanager
async def calculator(actor: str | None) -> AsyncIterator[ServiceClient]:
    """As `payout`, for the premium calculator."""
    async with _service("calculator", actor) as client:
        yield client


@asynccontextmanager
async def ledger(actor: str | None) -> AsyncIterator[ServiceClient]:
    """As `payout`, for the ledger."""
    async with _service("ledger", actor) as client:
        yield client


@asynccontextmanager
async def _service(name: str, actor: str | None) -> AsyncIterator[ServiceClient]:
    import aiohttp  # noqa: PLC0415  takes longer to import than a command's help may

    from premia.service_client import ServiceClient  # noqa: PLC0415

    known = environment()
    url = needed(f"PREMIA_{name.upper()}_URL", known)
    async with aiohttp.ClientSession() as session:
        yield ServiceClient(session, name, url, _token(actor))


def run(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a command's coroutine."""
    return asyncio.run(work)


def require_actor(actor: str | None) -> None:
    """Changing something needs a named person. Raises UsageError (exit 2)."""
    if actor is None and not environment().get("PREMIA_TOKEN"):
        raise click.UsageError("who acts? give --as ACTOR (an actor of the programme's registry), or set PREMIA_TOKEN")


async def wait_until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait for a condition. Raises Unreachable (exit 3) after a minute."""
    deadline = time.monotonic() + WAIT_S
    while not await condition():
        if time.monotonic() > deadline:
            raise Unreachable(f"waited {WAIT_S:.0f} s for {what}: `premia status` says what is not running")
        await asyncio.sleep(POLL_S)


def one_beginning_with(name: str, ids: Iterable[str], what: str, list_command: str) -> str:
    """The one id that is meant by its beginning. Raises Rejected (exit 4) if it is none or several."""
    found = [id_ for id_ in ids if id_.startswith(name.lower())]
    if len(found) != 1:
        many = f"{of(len(found), what)} begin with" if found else f"there is no {what}"
        raise Rejected(f"{many} {name}: {list_command} shows them all")
    return found[0]


def print_json(body: object) -> None:
    """One JSON document."""
    click.echo(orjson.dumps(body, option=orjson.OPT_INDENT_2))


def print_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), err: bool = False
) -> None:
    """Columns as wide as they need; those in `right` are aligned to the right. `err`: on stderr, where it is no data."""
    lines = [list(headings), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    for number, line in enumerate(lines):
        cells = [
            cell.rjust(widths[column]) if column in right else cell.ljust(widths[column]) for column, cell in enumerate(line)
        ]
        click.echo(click.style("  ".join(cells).rstrip(), bold=number == 0), err=err)


def money(amount: str, currency: str) -> str:
    """`USD 1,498.08`."""
    return f"{currency} {Decimal(amount):,}"


def of(count: int, one: str, many: str | None = None) -> str:
    """`1 payout`, `2 payouts`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def reject_refused(entries: Sequence[dict[str, Any]], name: Callable[[dict[str, Any]], str]) -> None:
    """Tell which entries of a bulk request were refused. Raises Exit (4) if any was."""
    refused = [entry for entry in entries if entry["refused"]]
    for entry in refused:
        click.echo(f"{name(entry)}: {entry['refused']['code']}: {entry['refused']['message']}", err=True)
    if refused:
        raise click.exceptions.Exit(EXIT_REJECTED)


def _token(actor: str | None) -> str:
    if actor is not None:
        return actor_token(actor)
    token = environment().get("PREMIA_TOKEN") or next(iter(read_tokens(chosen_data_dir()).values()), None)
    if not token:
        raise Unreachable("no token: set PREMIA_TOKEN, or start a local stack with `premia up`")
    return token
