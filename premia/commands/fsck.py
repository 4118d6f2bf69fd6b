"""`premia fsck`: the invariants of ledger and payout, recomputed.

Goal: an operator or auditor learns whether the books are right, and if not, every place where they are not.
Method: premia.books_check; each deviation is shown as it is found. Exit code 1 if there is one.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, Final

import click
import orjson

from premia.fsck.deviation import Checked, Deviation
from premia.printable import printable

EXIT_DEVIATIONS: Final = 1
SHOWN_MAX: Final = 1_000  # books with more deviations are restored from a backup, not mended row by row.


@click.command()
@click.option(
    "--checkpoint",
    "kept",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A checkpoint that was kept elsewhere: the journal must extend it. May be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: each deviation, then a summary.")
def fsck(kept: tuple[Path, ...], *, as_json: bool) -> None:
    """Recompute and check the invariants of ledger and payout.

    Reads only. Names every deviation on standard output; exit code 1 if there is one.
    """
    started = time.monotonic()
    checked = Checked()
    found = asyncio.run(_check(checked, kept, as_json=as_json))
    elapsed_s = time.monotonic() - started
    if as_json:
        click.echo(orjson.dumps(_summary(checked, found)))
    looked_at = ", ".join(f"{number:,} {what}" for what, number in checked.counts.items())
    click.echo(f"checked {looked_at} in {elapsed_s:.1f} s", err=True)
    click.echo(f"root of {checked.counts.get('leaves', 0):,} leaves: {checked.root}", err=True)
    for what, why in checked.not_checked.items():
        click.echo(f"not checked: {what}: {why}", err=True)
    if found == 0:
        click.echo("no deviation", err=True)
        return
    more = f" (only the first {SHOWN_MAX:,} are shown)" if found > SHOWN_MAX else ""
    deviations = "1 deviation" if found == 1 else f"{found:,} deviations"
    click.echo(f"{deviations}{more}: stop payouts and find the cause before anything is mended", err=True)
    raise click.exceptions.Exit(EXIT_DEVIATIONS)


async def _check(checked: Checked, kept: tuple[Path, ...], *, as_json: bool) -> int:
    from premia.books_check import check_books  # noqa: PLC0415  takes longer to import than a command's help may

    found = 0
    async for deviation in check_books(checked, kept):
        found += 1
        if found <= SHOWN_MAX:
            _show(deviation, as_json=as_json)
    return found


def _show(deviation: Deviation, *, as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps({"type": "deviation", **_members(deviation)}))
    else:
        line = (
            f"invariant {deviation.invariant}  {deviation.code}  {deviation.where}: {deviation.what}:"
            f" expected {deviation.expected}; found {deviation.found}"
        )
        click.echo(printable(line))  # who damaged the books may have meant the terminal


def _members(deviation: Deviation) -> dict[str, Any]:
    return {
        "invariant": deviation.invariant,
        "code": deviation.code.value,
        "what": deviation.what,
        "where": deviation.where,
        "expected": deviation.expected,
        "found": deviation.found,
    }


def _summary(checked: Checked, found: int) -> dict[str, Any]:
    return {
        "type": "summary",
        "deviations": found,
        "root": checked.root,
        "checked": checked.counts,
        "not_checked": checked.not_checked,
    }
