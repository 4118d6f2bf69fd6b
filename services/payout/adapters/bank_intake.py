"""The bank's pickup folder, read file by file.

Goal: every file is read once and then set aside; asking for a scan answers only after all files that lay there were read.
Method: one scan at a time. Files are read and parsed beside the event loop, applied under their hashes, each whole, some in
one SQL transaction (a bank sends a statement a day, and a year of them is read in a second), and only then moved to archive/
or quarantine/; after a crash in between they are read again, known by their hashes, and moved.
Refuses: BankFolderUnusableError goes to the caller, who tries again later and says so.
Source: design, section 7.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from services.payout.bank.drop_folder import (
    IncomingFile,
    archive_incoming,
    file_digest,
    list_incoming,
    quarantine_incoming,
    read_incoming,
)
from services.payout.bank.errors import BankFileUnreadableError, BankFolderUnusableError, UnreadableFault
from services.payout.bank.received_file import ReceivedFile, read_received_file
from services.payout.limits import BYTES_PER_TRANSACTION_MAX, FILES_PER_TRANSACTION_MAX
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
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


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
            paths = await self._on_disk(list_incoming, self.incoming)
            taken: list[dict[str, Any]] = []
            while paths:
                files, paths = await self._on_disk(_read_some, paths)
                taken += await self._apply(files)
            return taken

    async def _on_disk(
        self, work: Callable[_Arguments, _Result], *args: _Arguments.args, **kwargs: _Arguments.kwargs
    ) -> _Result:
        """Work on files beside the event loop. Raises BankFolderUnusableError where the disk or the folder fails."""
        try:
            return await asyncio.to_thread(work, *args, **kwargs)
        except OSError as error:
            raise BankFolderUnusableError(f"{self.incoming}: {error}") from error

    async def _apply(self, files: Sequence[_File]) -> list[dict[str, Any]]:
        outcomes: list[FileOutcome] = []
        async with self.pool.acquire() as conn, conn.transaction():
            await take_turn(conn)
            now = self.clock()
            for file in files:
                match file.content:
                    case BankFileUnreadableError() as error:
                        trouble = FileQuarantined(error.fault, str(error))
                        await quarantine(conn, file.incoming, trouble, now)
                        outcomes.append(trouble)
                    case received:
                        outcomes.append(await read_bank_file(conn, file.incoming, received, registry=self.registry, now=now))
        self.committed()
        await self._on_disk(_set_aside, files, outcomes)
        return [{"name": file.incoming.path.name, **_described(outcome)} for file, outcome in zip(files, outcomes, strict=True)]


@dataclass(frozen=True, slots=True)
class _File:
    """A file of the bank, and what it says, or why it cannot be read."""

    incoming: IncomingFile
    content: ReceivedFile | BankFileUnreadableError


def _read_some(paths: tuple[Path, ...]) -> tuple[list[_File], tuple[Path, ...]]:
    """Read and parse the first files, as many as one SQL transaction takes. Returns them and the paths that are left."""
    files: list[_File] = []
    bytes_read = 0
    for number, path in enumerate(paths):
        if len(files) == FILES_PER_TRANSACTION_MAX or bytes_read > BYTES_PER_TRANSACTION_MAX:
            return files, paths[number:]
        file = _read_one(path)
        if file is not None:
            files.append(file)
            bytes_read += len(file.incoming.data)
    return files, ()


def _read_one(path: Path) -> _File | None:
    """None: it is still being written, and waits for the next scan."""
    try:
        incoming = read_incoming(path)
    except BankFileUnreadableError as error:
        if error.fault is UnreadableFault.FILE_CHANGED_WHILE_READ:
            return None
        # Too large to be taken into memory: its hash stands for it, and the file itself lies in the quarantine folder.
        return _File(IncomingFile(path, file_digest(path), b""), error)
    try:
        return _File(incoming, read_received_file(incoming.data))
    except BankFileUnreadableError as error:
        return _File(incoming, error)


def _set_aside(files: Sequence[_File], outcomes: Sequence[FileOutcome]) -> None:
    for file, outcome in zip(files, outcomes, strict=True):
        move = quarantine_incoming if isinstance(outcome, FileQuarantined) else archive_incoming
        try:
            move(file.incoming.path, file.incoming.sha256)
        except BankFileUnreadableError as changed:
            log.warning("%s; the next scan reads it", changed)


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
