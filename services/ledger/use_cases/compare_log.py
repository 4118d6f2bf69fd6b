"""Compare the journal with the log's files before anything is read or sealed.

Goal: a ledger never continues a log that its journal does not belong to.
Method: the tiles at the right edge must hash to the signed root; the last hashes that both have (up to 256) must be those of
the journal's leaves. The rest hangs on them: `premia fsck` looks at all of it.
Refuses: a difference, by raising LogError (TILES_DISAGREE).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from services.ledger.adapters.checkpoint import Checkpoint
from services.ledger.adapters.growing_log import stored_checkpoint
from services.ledger.adapters.log_folder import LogFolder
from services.ledger.adapters.log_keys import LogKeys
from services.ledger.adapters.signed_note import Note
from services.ledger.domain.merkle import leaf_hash, root_hash
from services.ledger.domain.tiles import TILE_WIDTH, Tile, hashes_of, subtrees_in_tiles
from services.ledger.log_errors import LogError, LogFault

if TYPE_CHECKING:
    from services.runtime.database import Connection

JOURNAL_SIZE: Final = "SELECT tree_size FROM ledger.log_head"
LEAVES: Final = """
    SELECT leaf FROM ledger.journal WHERE leaf_index >= $1 AND leaf_index < $2 ORDER BY leaf_index"""


@dataclass(frozen=True, slots=True)
class Compared:
    """How far each of the two reaches. `stored` is the checkpoint of the files, None in a new folder."""

    journal_size: int
    stored: tuple[Checkpoint, Note] | None

    @property
    def sealed_size(self) -> int:
        """Leaves that the files have under a checkpoint."""
        return 0 if self.stored is None else self.stored[0].size


async def compare_log(conn: Connection, folder: LogFolder, keys: LogKeys) -> Compared:
    """Compare. Raises LogError."""
    stored = await asyncio.to_thread(stored_checkpoint, folder, keys)
    compared = Compared(await conn.fetchval(JOURNAL_SIZE), stored)
    if stored is not None:
        common = min(compared.journal_size, compared.sealed_size)
        first = max(0, common - 1) // TILE_WIDTH * TILE_WIDTH
        leaves = [row["leaf"] for row in await conn.fetch(LEAVES, first, common)]
        await asyncio.to_thread(_check_edge, folder, stored[0], first, leaves)
    return compared


def _check_edge(folder: LogFolder, checkpoint: Checkpoint, first: int, leaves: list[bytes]) -> None:
    size = checkpoint.size
    if root_hash(size, subtrees_in_tiles(folder.hashes, size)) != checkpoint.root:
        raise LogError(LogFault.TILES_DISAGREE, f"the tiles in {folder.path} do not hash to the root of its checkpoint")
    if not leaves:
        return
    tile = Tile("0", first // TILE_WIDTH, min(TILE_WIDTH, size - first))
    for index, (leaf, hash_) in enumerate(zip(leaves, hashes_of(folder.hashes(tile)), strict=False), start=first):
        if leaf_hash(leaf) != hash_:
            raise LogError(
                LogFault.TILES_DISAGREE,
                f"leaf {index} of the journal is not the one that {folder.path / tile.name} has, which was signed",
            )
