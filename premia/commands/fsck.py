"""`premia fsck`: the invariants of ledger and payout, recomputed.

Goal: an operator or auditor learns whether the books are right, and if not, every place where they are not.
Method: checkers of premia.fsck in one snapshot of the reader's login. Exit code 1 if anything deviates.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import orjson

from premia.connection import environment
from premia.database import reader
from premia.fsck.checks import CHECKS, Check
from premia.fsck.deviation import Checked, Deviation
from premia.fsck.payout.statements import check_documents
from premia.local.talk import progress

if TYPE_CHECKING:
    from premia.fsck.streams import Connection

EXIT_DEVIATIONS: Final = 1
SHOWN_MAX: Final = 1_000  # books with more deviations are restored from a backup, not mended row by row.
TICK_S: Final = 0.5  # how often a person sees that it goes on while PostgreSQL compares


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: each deviation, then a summary.")
def fsck(*, as_json: bool) -> None:
    """Recompute and check the invariants of ledger and payout.

    Reads only. Names every deviation on standard output; exit code 1 if there is one.
    """
    started = time.monotonic()
    checked = Checked()
    found = asyncio.run(_check(checked, as_json=as_json))
    elapsed_s = time.monotonic() - started
    if as_json:
        click.echo(orjson.dumps(_summary(checked, found)))
    looked_at = ", ".join(f"{number:,} {what}" for what, number in checked.counts.items())
    click.echo(f"checked {looked_at} in {elapsed_s:.1f} s", err=True)
    for what, why in checked.not_checked.items():
        click.echo(f"not checked: {what}: {why}", err=True)
    if found == 0:
        click.echo("no deviation", err=True)
        return
    more = f" (only the first {SHOWN_MAX:,} are shown)" if found > SHOWN_MAX else ""
    click.echo(f"{found:,} deviations{more}: stop payouts and find the cause before anything is mended", err=True)
    raise click.exceptions.Exit(EXIT_DEVIATIONS)


async def _check(checked: Checked, *, as_json: bool) -> int:
    found = 0
    async with reader() as conn:
        for check in [*CHECKS, *_checks_of_files(checked)]:
            async for deviation in _with_progress(check, conn, checked):
                found += 1
                if found <= SHOWN_MAX:
                    _show(deviation, as_json=as_json)
    return found


def _checks_of_files(checked: Checked) -> Iterator[Check]:
    documents = environment().get("PREMIA_DOCUMENTS_DIR", "")
    if Path(documents).is_dir() and documents:
        folder = Path(documents)

        def run_on_folder(conn: Connection, so_far: Checked) -> AsyncIterator[Deviation]:
            return check_documents(conn, so_far, folder)

        yield Check("documents", run_on_folder)
    else:
        checked.not_checked["documents of statements"] = "PREMIA_DOCUMENTS_DIR names no folder"


async def _with_progress(check: Check, conn: Connection, checked: Checked) -> AsyncIterator[Deviation]:
    with _shown(check.name, checked):
        async with _ticking(checked):
            async for deviation in check.run(conn, checked):
                yield deviation


@contextmanager
def _shown(name: str, checked: Checked) -> Iterator[None]:
    with progress(f"checking {name}") as advance:
        checked.advance = advance
        try:
            yield
        finally:
            checked.advance = None


@asynccontextmanager
async def _ticking(checked: Checked) -> AsyncIterator[None]:
    async def tick() -> None:
        while True:
            await asyncio.sleep(TICK_S)
            if checked.advance is not None:
                checked.advance(0)

    ticking = asyncio.create_task(tick())
    try:
        yield
    finally:
        ticking.cancel()


def _show(deviation: Deviation, *, as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps({"type": "deviation", **_members(deviation)}))
    else:
        click.echo(
            f"invariant {deviation.invariant}  {deviation.code}  {deviation.where}: {deviation.what}:"
            f" expected {deviation.expected}; found {deviation.found}"
        )


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
    return {"type": "summary", "deviations": found, "checked": checked.counts, "not_checked": checked.not_checked}
