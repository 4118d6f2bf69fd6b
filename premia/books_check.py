"""All checks of premia.fsck on what can be reached from here.

Method: what lies outside of the database is asked first (checkpoints, how far Kafka is), so that the snapshot has all that it
stands for; then every check in one snapshot of the reader's login. What cannot be reached is noted with its reason.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from premia.connection import environment
from premia.database import reader
from premia.fsck.checks import Check, checks_of
from premia.fsck.deviation import Checked, Deviation
from premia.fsck.kafka.sales import Marks, read_marks
from premia.fsck.kafka.topics import KafkaUnusableError
from premia.fsck.ledger.tree import SealedLog, read_sealed_log
from premia.local.talk import progress
from verifier.deviation import Deviation as Unverified

if TYPE_CHECKING:
    from premia.fsck.streams import Connection

EXIT_WRONG: Final = 2
THE_LOG: Final = "the log that was published"
ON_KAFKA: Final = "sales by origin, entitlements as published, and what payout told"
TICK_S: Final = 0.5  # how often a person sees that it goes on while PostgreSQL compares


class WrongInput(click.ClickException):
    """A file that was given is no checkpoint."""

    exit_code = EXIT_WRONG


async def check_books(checked: Checked, kept: Sequence[Path]) -> AsyncIterator[Deviation]:
    """Yield every deviation. `kept`: checkpoints that were kept elsewhere. Raises Unreachable, WrongInput."""
    log = _sealed_log(checked, kept)
    documents = _folder("PREMIA_DOCUMENTS_DIR", "documents of statements", checked)
    marks = await _marks(checked)
    async with reader() as conn:
        for check in checks_of(log, documents, marks):
            async for deviation in _with_progress(check, conn, checked):
                yield deviation


def _sealed_log(checked: Checked, kept: Sequence[Path]) -> SealedLog:
    folder = _folder("PREMIA_LEDGER_LOG", THE_LOG, checked)
    try:
        log = read_sealed_log(folder, kept)
    except Unverified as unverified:
        raise WrongInput(str(unverified)) from unverified
    if folder is not None and log.files is None:
        checked.not_checked[THE_LOG] = f"{folder} has no checkpoint"
    return log


def _folder(variable: str, what: str, checked: Checked) -> Path | None:
    value = environment().get(variable)
    if value and Path(value).is_dir():
        return Path(value)
    checked.not_checked[what] = f"{variable} names no folder"
    return None


async def _marks(checked: Checked) -> Marks | None:
    """How far things are on Kafka, if it can be asked."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it would say is said in one line
    servers = environment().get("KAFKA_BOOTSTRAP_SERVERS")
    if not servers:
        checked.not_checked[ON_KAFKA] = "KAFKA_BOOTSTRAP_SERVERS names no brokers"
        return None
    try:
        return await read_marks(servers)
    except KafkaUnusableError as error:
        checked.not_checked[ON_KAFKA] = str(error)
        return None


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
