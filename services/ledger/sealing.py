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

from services.ledger.adapters.checkpoint import Checkpoint
from services.ledger.adapters.growing_log import GrowingLog, resumed
from services.ledger.adapters.log_folder import LogFolder
from services.ledger.adapters.log_keys import LogKeys
from services.ledger.adapters.messages import checkpoint_message
from services.ledger.adapters.signed_note import Note
from services.ledger.metrics import SEAL_SECONDS, SEALED_SIZE
from services.ledger.use_cases.compare_log import compare_log
from services.ledger.use_cases.seal_log import seal_log
from services.runtime.database import LOCK_POLL_S, hold_alone
from services.runtime.kafka import publish

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

    from services.runtime.database import Connection, Pool

# Five checkpoints a second: a burst of batches shares one, and a leaf waits for a fifth of the second that it may take.
CHECKPOINT_INTERVAL_S: Final = 0.2
POLL_S: Final = 0.25  # how late another process's batch may be seen; our own wakes the sealer at once.


class Sealing:
    """One sealer. `wake` is set when a batch was committed."""

    def __init__(self, pool: Pool, producer: AIOKafkaProducer, folder: LogFolder, keys: LogKeys, wake: asyncio.Event) -> None:
        self._wake = wake
        self._pool = pool
        self._producer = producer
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
                self._wake.clear()
                started = time.monotonic()
                sealed = await seal_log(conn, log)
                if sealed is None:
                    await self._wait()
                    continue
                await self._tell(sealed.checkpoint, sealed.note)
                SEAL_SECONDS.observe((datetime.now(UTC) - sealed.oldest_recorded_at).total_seconds())
                await asyncio.sleep(max(0.0, started + CHECKPOINT_INTERVAL_S - time.monotonic()))

    async def _begin(self, conn: Connection) -> GrowingLog:
        """Go on where the folder's checkpoint ends. A new folder gets one at once, over all that is posted, be it nothing."""
        compared = await compare_log(conn, self._folder, self._keys)
        log = await asyncio.to_thread(resumed, self._folder, self._keys, compared.sealed_size)
        stored = compared.stored
        if stored is None:
            sealed = await seal_log(conn, log)
            stored = await asyncio.to_thread(log.seal) if sealed is None else (sealed.checkpoint, sealed.note)
        await self._tell(*stored)
        return log

    async def _tell(self, checkpoint: Checkpoint, note: Note) -> None:
        SEALED_SIZE.set(checkpoint.size)
        await publish(self._producer, [checkpoint_message(checkpoint, note, datetime.now(UTC))])

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(POLL_S):
                await self._wake.wait()
        except TimeoutError:
            return
