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
from premia.fsck.checks import Check, checks_of
from premia.fsck.deviation import Checked, Deviation
from premia.fsck.ledger.tree import read_sealed_log
from premia.local.talk import progress
from verifier.deviation import Deviation as Unverified

if TYPE_CHECKING:
    from premia.fsck.streams import Connection

EXIT_DEVIATIONS: Final = 1
EXIT_WRONG: Final = 2
SHOWN_MAX: Final = 1_000  # books with more deviations are restored from a backup, not mended row by row.
TICK_S: Final = 0.5  # how often a person sees that it goes on while PostgreSQL compares


class WrongInput(click.ClickException):
    """A file that was given is no checkpoint."""

    exit_code = EXIT_WRONG


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
    checks = _checks(checked, kept)
    found = asyncio.run(_check(checks, checked, as_json=as_json))
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
    click.echo(f"{found:,} deviations{more}: stop payouts and find the cause before anything is mended", err=True)
    raise click.exceptions.Exit(EXIT_DEVIATIONS)


def _checks(checked: Checked, kept: tuple[Path, ...]) -> tuple[Check, ...]:
    """All checks that can be made here. What cannot be looked at is noted in `checked`.

    Checkpoints are read here, before there is a snapshot of the database.
    """
    folder = _folder("PREMIA_LEDGER_LOG", "the log that was published", checked)
    documents = _folder("PREMIA_DOCUMENTS_DIR", "documents of statements", checked)
    try:
        log = read_sealed_log(folder, kept)
    except Unverified as unverified:
        raise WrongInput(str(unverified)) from unverified
    if folder is not None and log.files is None:
        checked.not_checked["the log that was published"] = f"{folder} has no checkpoint"
    return checks_of(log, documents)


def _folder(variable: str, what: str, checked: Checked) -> Path | None:
    value = environment().get(variable)
    if value and Path(value).is_dir():
        return Path(value)
    checked.not_checked[what] = f"{variable} names no folder"
    return None


async def _check(checks: tuple[Check, ...], checked: Checked, *, as_json: bool) -> int:
    found = 0
    async with reader() as conn:
        for check in checks:
            async for deviation in _with_progress(check, conn, checked):
                found += 1
                if found <= SHOWN_MAX:
                    _show(deviation, as_json=as_json)
    return found


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
    return {
        "type": "summary",
        "deviations": found,
        "root": checked.root,
        "checked": checked.counts,
        "not_checked": checked.not_checked,
    }
