"""The sealer: seals what was posted, and tells of it, as long as the service runs.

Goal: a leaf is under a signed checkpoint a fraction of a second after it was posted.
Method: one process of the database and one of the folder seals; others wait to take over. Posting wakes it; what other
processes posted is found by polling. Files come first, the checkpoint last, its message after it: a crash in between tells the
newest one when the next process starts.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from services.ledger.adapters.growing_log import GrowingLog, resumed
from services.ledger.adapters.log_folder import LogFolder
from services.ledger.adapters.log_keys import LogKeys
from services.ledger.metrics import SEAL_SECONDS
from services.ledger.published_log import PublishedLog
from services.ledger.use_cases.compare_log import compare_log
from services.ledger.use_cases.just_posted import JustPosted
from services.ledger.use_cases.seal_log import seal_log
from services.runtime.database import LOCK_POLL_S, hold_alone

if TYPE_CHECKING:
    from services.runtime.database import Connection, Pool

# Five checkpoints a second: a burst of batches shares one, and a leaf waits for a fifth of the second that it may take.
CHECKPOINT_INTERVAL_S: Final = 0.2
POLL_S: Final = 0.25  # how late another process's batch may be seen; our own wakes the sealer at once.


class Sealing:
    """One sealer."""

    def __init__(self, pool: Pool, folder: LogFolder, keys: LogKeys, published: PublishedLog, just_posted: JustPosted) -> None:
        self._just_posted = just_posted
        self._pool = pool
        self._published = published
        self._folder = folder
        self._keys = keys

    async def run(self) -> None:
        """Seal until cancelled. Raises LogError, or OSError if the folder cannot be written: both end the process."""
        async with self._pool.acquire() as conn:
            await hold_alone(conn, "sealer ledger")
            while not self._folder.hold():  # noqa: ASYNC110  no event tells
                await asyncio.sleep(LOCK_POLL_S)
            log = await self._begin(conn)
            while True:
                self._just_posted.wake.clear()
                started = time.monotonic()
                async with self._published.changing:
                    sealed = await seal_log(conn, log, self._just_posted)
                    if sealed is not None:
                        await self._published.put(sealed.checkpoint, sealed.note)
                if sealed is None:
                    await self._wait()
                    continue
                SEAL_SECONDS.observe((datetime.now(UTC) - sealed.oldest_recorded_at).total_seconds())
                await asyncio.sleep(max(0.0, started + CHECKPOINT_INTERVAL_S - time.monotonic()))

    async def _begin(self, conn: Connection) -> GrowingLog:
        """Go on where the folder's checkpoint ends. A new folder gets one at once, over all that is posted, be it nothing."""
        compared = await compare_log(conn, self._folder, self._keys)
        log = await asyncio.to_thread(resumed, self._folder, self._keys, compared.sealed_size)
        async with self._published.changing:
            if compared.stored is not None:
                checkpoint, note = compared.stored
                note = await asyncio.to_thread(log.sign_with_new_keys, note)
            elif (sealed := await seal_log(conn, log)) is not None:
                checkpoint, note = sealed.checkpoint, sealed.note
            else:
                checkpoint, note = await asyncio.to_thread(log.seal)
            await self._published.put(checkpoint, note)
        return log

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(POLL_S):
                await self._just_posted.wake.wait()
        except TimeoutError:
            return
