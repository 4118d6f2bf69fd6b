"""The log while it grows, by its one writer.

Goal: leaves become tiles and a signed checkpoint; a crash at any point leaves the checkpoint of before, and files that the next
attempt makes again with the same bytes.
Method: the right edge is in memory: the hashes of partial tiles and the entries of the last bundle. Full tiles are written as
they fill; partial tiles and then the checkpoint only when it is sealed.
Refuses: a folder whose files and checkpoint do not belong together, or not to these keys (LogError).
"""

from __future__ import annotations

from collections.abc import Sequence

from services.ledger.adapters.checkpoint import Checkpoint, read_checkpoint
from services.ledger.adapters.log_folder import LogFolder
from services.ledger.adapters.log_keys import LogKeys
from services.ledger.adapters.signed_note import Note, NoteError, read_note
from services.ledger.domain.merkle import leaf_hash
from services.ledger.domain.right_edge import RightEdge
from services.ledger.domain.tiles import ENTRIES, TILE_WIDTH, Tile, entry_bundle, hashes_of, partial_tiles
from services.ledger.log_errors import LogError, LogFault


def stored_checkpoint(folder: LogFolder, keys: LogKeys) -> tuple[Checkpoint, Note] | None:
    """The folder's checkpoint, judged by our keys; None in a new folder. Raises LogError."""
    content = folder.checkpoint()
    if content is None:
        return None
    path = folder.path / "checkpoint"
    try:
        note = read_note(content)
        checkpoint = read_checkpoint(note.text)
    except NoteError as error:
        raise LogError(LogFault.CHECKPOINT_UNSIGNED, f"{path} is no checkpoint: {error}") from error
    if checkpoint.origin != keys.origin:
        raise LogError(LogFault.CHECKPOINT_FOREIGN, f"{path} is of {checkpoint.origin}, our keys are of {keys.origin}")
    if not keys.have_signed(note):
        raise LogError(LogFault.CHECKPOINT_UNSIGNED, f"{path} is not signed by any of our keys: is the key of before missing?")
    return checkpoint, note


class GrowingLog:
    """See the module. Methods block; a sealing that fails in the middle ends the process."""

    def __init__(self, folder: LogFolder, keys: LogKeys, edge: RightEdge, entries: Sequence[bytes]) -> None:
        self._folder = folder
        self._keys = keys
        self._edge = edge
        self._entries = list(entries)

    @property
    def size(self) -> int:
        """Leaves that were added, sealed or not."""
        return self._edge.size

    @property
    def root(self) -> bytes:
        """Root of all that were added."""
        return self._edge.root()

    def grow(self, leaves: Sequence[bytes]) -> None:
        """Add leaves in order, and write the tiles that they fill."""
        full: list[tuple[Tile, bytes]] = []
        for leaf in leaves:
            self._entries.append(leaf)
            filled = self._edge.append(leaf_hash(leaf))
            if filled:
                full.append((filled[0][0]._replace(kind=ENTRIES), entry_bundle(self._entries)))
                full += filled
                self._entries.clear()
        self._folder.add(full)

    def seal(self, leaves: Sequence[bytes] = ()) -> tuple[Checkpoint, Note]:
        """Add the last leaves, write the partial tiles, sign a checkpoint over all leaves, and write it last."""
        self.grow(leaves)
        partial = list(self._edge.partial())
        if self._entries:
            partial.append((Tile(ENTRIES, self.size // TILE_WIDTH, len(self._entries)), entry_bundle(self._entries)))
        self._folder.add(partial)
        checkpoint = Checkpoint(self._keys.origin, self.size, self.root)
        note = self._keys.signed(checkpoint.text)
        self._folder.replace_checkpoint(note.to_text().encode())
        return checkpoint, note

    def sign_with_new_keys(self, note: Note) -> Note:
        """The checkpoint of before, with the signatures of keys that were added since, and still with those of others."""
        signed = self._keys.signed(note.text)
        ours = {(signature.name, signature.key_hash) for signature in signed.signatures}
        missing = ours - {(signature.name, signature.key_hash) for signature in note.signatures}
        if not missing:
            return note
        others = (signature for signature in note.signatures if (signature.name, signature.key_hash) not in ours)
        note = Note(note.text, (*signed.signatures, *others))
        self._folder.replace_checkpoint(note.to_text().encode())
        return note


def resumed(folder: LogFolder, keys: LogKeys, size: int) -> GrowingLog:
    """The log of the first `size` leaves of the folder, ready to grow. Raises LogError if a tile is missing."""
    edge = edge_at(folder, size, size)
    index, width = divmod(size, TILE_WIDTH)
    return GrowingLog(folder, keys, edge, folder.entries(index, width) if width else [])


def edge_at(folder: LogFolder, folder_size: int, size: int) -> RightEdge:
    """The right edge of the first `size` leaves of a folder that has `folder_size`. Raises LogError if a tile is missing."""
    tiles = []
    for tile in partial_tiles(size):
        there = min(TILE_WIDTH, folder_size // TILE_WIDTH ** int(tile.kind) - tile.number * TILE_WIDTH)
        tiles.append((tile, hashes_of(folder.hashes(tile._replace(width=there)))[: tile.width]))
    return RightEdge.resumed(size, tiles)
