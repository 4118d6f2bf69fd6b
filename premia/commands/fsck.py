"""`premia fsck`: the invariants of the ledger, recomputed.

Goal: an operator or auditor learns whether the books are right, and if not, every place where they are not.
Method: checkers of premia.fsck in one snapshot of the reader's login. Exit code 1 if anything deviates.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import click
import orjson

from premia.database import reader
from premia.fsck.deviation import Checked, Deviation
from premia.fsck.ledger_journal import check_journal
from premia.fsck.ledger_lots import check_lots

EXIT_DEVIATIONS: Final = 1
SHOWN_MAX: Final = 1_000  # books with more deviations are restored from a backup, not mended row by row.

CHECKS: Final[tuple[Callable[[Any, Checked], AsyncIterator[Deviation]], ...]] = (check_journal, check_lots)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each deviation.")
def fsck(*, as_json: bool) -> None:
    """Recompute and check the invariants of the ledger.

    Reads only. Names every deviation on standard output; exit code 1 if there is one.
    """
    started = time.monotonic()
    checked = Checked()
    found = asyncio.run(_check(checked, as_json=as_json))
    looked_at = ", ".join(f"{number:,} {what}" for what, number in checked.counts.items()) or "an empty ledger"
    click.echo(f"checked {looked_at} in {time.monotonic() - started:.1f} s", err=True)
    if found == 0:
        click.echo("no deviation: journal, balances and lots agree", err=True)
        return
    more = f" (only the first {SHOWN_MAX:,} are shown)" if found > SHOWN_MAX else ""
    click.echo(f"{found:,} deviations{more}: stop payouts and find the cause before anything is mended", err=True)
    raise click.exceptions.Exit(EXIT_DEVIATIONS)


async def _check(checked: Checked, *, as_json: bool) -> int:
    found = 0
    async with reader() as conn:
        for check in CHECKS:
            async for deviation in check(conn, checked):
                found += 1
                if found <= SHOWN_MAX:
                    _show(deviation, as_json=as_json)
    return found


def _show(deviation: Deviation, *, as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps(deviation))
    else:
        click.echo(f"invariant {deviation.invariant}  {deviation.code}  {deviation.place}: {deviation.message}")
