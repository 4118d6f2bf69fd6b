"""Following the log with its witnesses: each is asked for its cosignature, and none holds anything up.

Method: one task for each witness. It takes the newest checkpoint that the witness has not signed, at most one a second; after a
failure it waits longer and longer, up to a minute, and takes the newest again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from typing import Final

import aiohttp

from services.ledger.adapters.checkpoint import Checkpoint
from services.ledger.adapters.log_folder import LogFolder
from services.ledger.adapters.signed_note import Signature, VerifierKey
from services.ledger.adapters.witness import Witness, WitnessState
from services.ledger.domain.merkle import consistency_proof
from services.ledger.domain.tiles import subtrees_in_tiles
from services.ledger.metrics import WITNESSES
from services.ledger.published_log import PublishedLog

INTERVAL_S: Final = 1.0  # a witness makes each checkpoint durable; five a second would be its whole work.
RETRY_S_MAX: Final = 60.0  # how late a witness that came back is noticed.
DOUBLINGS_MAX: Final = 10  # past the minute; a power of two grows without end otherwise.

log = logging.getLogger(__name__)


async def follow_with(witnesses: Sequence[Witness], folder: LogFolder, published: PublishedLog) -> None:
    """Collect cosignatures until cancelled."""
    states = dict.fromkeys((witness.key for witness in witnesses), WitnessState.UNKNOWN)
    _count(states)
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        for witness in witnesses:
            tasks.create_task(_follow(witness, folder, published, session, states))
        await asyncio.Event().wait()


async def _follow(
    witness: Witness,
    folder: LogFolder,
    published: PublishedLog,
    session: aiohttp.ClientSession,
    states: dict[VerifierKey, WitnessState],
) -> None:
    async def prove(old_size: int, size: int) -> list[bytes]:
        return await asyncio.to_thread(lambda: consistency_proof(old_size, size, subtrees_in_tiles(folder.hashes, size)))

    signed: Checkpoint | None = None
    failures = 0
    while True:
        checkpoint, note = await published.other_than(signed)
        found = await witness.cosign(session, checkpoint, note, prove)
        if isinstance(found, Signature):
            await published.add(checkpoint, found)
            signed, failures, state, why = checkpoint, 0, WitnessState.COSIGNING, "it cosigns"
        else:
            failures, state, why = failures + 1, found.state, found.why
        if states[witness.key] is not state:
            level = logging.INFO if state is WitnessState.COSIGNING else logging.WARNING
            log.log(level, "witness %s at %s is %s: %s", witness.key.name, witness.url, state, why)
        states[witness.key] = state
        _count(states)
        await asyncio.sleep(min(INTERVAL_S * 2 ** min(failures, DOUBLINGS_MAX), RETRY_S_MAX))


def _count(states: dict[VerifierKey, WitnessState]) -> None:
    counts = Counter(states.values())
    for state in WitnessState:
        WITNESSES.labels(state.value).set(counts[state])
