"""The newest checkpoint as the world sees it: in the folder, on Kafka, and with the cosignatures that came in.

Goal: sealer and witnesses never write over each other; every collection of signatures is told once.
Method: one lock. Whoever seals holds it until the new checkpoint is put here; a cosignature for the newest checkpoint goes into
its file, one for a checkpoint that is not the newest any more is told on Kafka all the same.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from services.ledger.adapters.checkpoint import Checkpoint
from services.ledger.adapters.log_folder import LogFolder
from services.ledger.adapters.messages import checkpoint_message
from services.ledger.adapters.signed_note import Note, Signature
from services.ledger.metrics import SEALED_SIZE
from services.runtime.kafka import publish

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

RECENT_MAX: Final = 64  # checkpoints that a witness may still be signing: five a second, and it has ten seconds.


class PublishedLog:
    """See the module."""

    def __init__(self, folder: LogFolder, producer: AIOKafkaProducer) -> None:
        self.changing = asyncio.Lock()
        self.newest: Checkpoint | None = None
        self._folder = folder
        self._producer = producer
        self._recent: dict[Checkpoint, Note] = {}
        self._changed = asyncio.Condition()

    async def put(self, checkpoint: Checkpoint, note: Note) -> None:
        """Tell of a checkpoint that is in the folder. The caller holds `changing`."""
        self.newest = checkpoint
        self._recent[checkpoint] = note
        while len(self._recent) > RECENT_MAX:
            del self._recent[next(iter(self._recent))]
        SEALED_SIZE.set(checkpoint.size)
        await self._tell(checkpoint, note)
        async with self._changed:
            self._changed.notify_all()

    async def add(self, checkpoint: Checkpoint, cosignature: Signature) -> None:
        """Add a cosignature that was verified. One of the same key that is there already is replaced."""
        async with self.changing:
            note = self._recent.get(checkpoint)
            if note is None:
                return
            key = (cosignature.name, cosignature.key_hash)
            others = tuple(one for one in note.signatures if (one.name, one.key_hash) != key)
            note = self._recent[checkpoint] = replace(note, signatures=(*others, cosignature))
            if checkpoint == self.newest:
                await asyncio.to_thread(self._folder.replace_checkpoint, note.to_text().encode())
            await self._tell(checkpoint, note)

    async def other_than(self, known: Checkpoint | None) -> tuple[Checkpoint, Note]:
        """The newest checkpoint with its signatures, as soon as it is another than the one that is known."""
        async with self._changed:
            while self.newest is None or self.newest == known:
                await self._changed.wait()
            return self.newest, self._recent[self.newest]

    async def _tell(self, checkpoint: Checkpoint, note: Note) -> None:
        await publish(self._producer, [checkpoint_message(checkpoint, note, datetime.now(UTC))])
