"""The bank's pickup folder, read file by file.

Goal: every file is read once and then set aside; asking for a scan answers only after all files that lay there were read.
Method: one scan at a time. A file is read and parsed beside the event loop, applied in one SQL transaction under its hash, and
only then moved to archive/ or quarantine/; after a crash in between it is read again, known by its hash, and moved.
Refuses: BankFolderUnusableError and OSError go to the caller, who tries again later and says so.
Source: design, section 7.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.payout.bank.drop_folder import (
    IncomingFile,
    archive_incoming,
    file_digest,
    list_incoming,
    quarantine_incoming,
    read_incoming,
)
from services.payout.bank.errors import BankFileUnreadableError, UnreadableFault
from services.payout.bank.received_file import ReceivedFile, read_received_file
from services.payout.registry_view import RegistryView
from services.payout.use_cases.read_bank_file import (
    FileOutcome,
    FileQuarantined,
    FileRead,
    FileRepeated,
    quarantine,
    read_bank_file,
)
from services.payout.use_cases.take_turn import take_turn

if TYPE_CHECKING:
    from services.runtime.database import Pool

log = logging.getLogger(__name__)


@dataclass(slots=True)
class BankIntake:
    """Reads the pickup folder. `committed()` is called after a file changed something."""

    pool: Pool
    registry: RegistryView
    incoming: Path
    clock: Callable[[], datetime]
    committed: Callable[[], None]
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def scan(self) -> list[dict[str, Any]]:
        """Read what lies in the folder now. Returns one entry for each file, in the order of their arrival."""
        async with self._one_at_a_time:
            if self.registry.debtor_account() is None:
                # Files wait for a registry: without it no account is ours, and everything would be quarantined.
                return []
            paths = await asyncio.to_thread(list_incoming, self.incoming)
            taken: list[dict[str, Any]] = []
            for path in paths:
                outcome = await self._take(path)
                if outcome is not None:
                    taken.append({"name": path.name, **_described(outcome)})
            return taken

    async def _take(self, path: Path) -> FileOutcome | None:
        """Read one file. None: it is still being written, and waits for the next scan."""
        try:
            incoming = await asyncio.to_thread(read_incoming, path)
        except BankFileUnreadableError as error:
            if error.fault is UnreadableFault.FILE_CHANGED_WHILE_READ:
                return None
            # Too large to be taken into memory: its hash stands for it, and the file itself lies in the quarantine folder.
            incoming = IncomingFile(path, await asyncio.to_thread(file_digest, path), b"")
            return await self._quarantine(incoming, error)
        try:
            received = await asyncio.to_thread(read_received_file, incoming.data)
        except BankFileUnreadableError as error:
            return await self._quarantine(incoming, error)
        return await self._apply(incoming, received)

    async def _apply(self, incoming: IncomingFile, received: ReceivedFile) -> FileOutcome:
        async with self.pool.acquire() as conn, conn.transaction():
            outcome = await read_bank_file(conn, incoming, received, registry=self.registry, now=self.clock())
        self.committed()
        set_aside = quarantine_incoming if isinstance(outcome, FileQuarantined) else archive_incoming
        await asyncio.to_thread(set_aside, incoming.path, incoming.sha256)
        return outcome

    async def _quarantine(self, incoming: IncomingFile, error: BankFileUnreadableError) -> FileOutcome:
        trouble = FileQuarantined(error.fault, str(error))
        async with self.pool.acquire() as conn, conn.transaction():
            await take_turn(conn)
            await quarantine(conn, incoming, trouble, self.clock())
        await asyncio.to_thread(quarantine_incoming, incoming.path, incoming.sha256)
        return trouble


def _described(outcome: FileOutcome) -> dict[str, Any]:
    match outcome:
        case FileRead():
            return {
                "outcome": "read",
                "kind": outcome.kind,
                "bookings": outcome.bookings,
                "bookings_new": outcome.bookings_new,
            }
        case FileRepeated():
            return {"outcome": "repeated"}
        case FileQuarantined():
            return {"outcome": "quarantined", "code": outcome.code, "message": outcome.message}
