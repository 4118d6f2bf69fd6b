"""The log over HTTP: what is public, what auditors read, and each subject's own leaves with their proofs.

Goal: an independent tool checks the whole log; nothing public shows what one organization earned or when it is paid.
Method: the checkpoint and hash tiles are open to all; entries, leaves and proofs need an actor's token. Full tiles never change
and say so; partial ones and the checkpoint are asked for again, and hashes are answered "not modified" where they were not.
Refuses: names that are no tile's, and tiles that are not there, with 404.
Source: design, section 6; C2SP tlog-tiles.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from schemas import ledger_api as api
from schemas.ledger_command import Subject
from schemas.ledger_endpoints import LOG_ENDPOINTS
from services.ledger.adapters.http_answers import answer
from services.ledger.adapters.log_folder import CHECKPOINT, LogFolder
from services.ledger.adapters.log_keys import LogKeys
from services.ledger.domain.account import SubjectKey
from services.ledger.domain.tiles import ENTRIES, Tile, tile_named
from services.ledger.log_errors import LogRefusal
from services.ledger.use_cases.prove_leaf import LEAVES_MAX, Proven, ProvenLeaf, prove_leaf, prove_subject
from services.runtime.http import RefusedError, read_path, read_query

if TYPE_CHECKING:
    from services.runtime.database import Pool

FOR_EVER: Final = "max-age=31536000, immutable"
ASK_AGAIN: Final = "no-cache"
COMPRESSED_BESIDE_BYTES: Final = 16 * 1024  # larger ones in a thread: a bundle of 400 KB takes some milliseconds.
TEXT: Final = "text/plain; charset=utf-8"
BYTES: Final = "application/octet-stream"
WHY: Final = {
    LogRefusal.TILE_UNKNOWN: "no such tile, or not yet; a partial one is gone when the full one is there",
    LogRefusal.LEAF_UNKNOWN: "the tree of that size has no such leaf",
    LogRefusal.TREE_SIZE_UNKNOWN: "the log is not that large yet: ask again when a checkpoint is",
}


@dataclass(frozen=True, slots=True)
class LogHttp:
    """What the handlers share."""

    pool: Pool
    folder: LogFolder
    keys: LogKeys

    def public_routes(self) -> list[web.RouteDef]:
        """For everybody."""
        return [web.get("/checkpoint", self.checkpoint), web.get("/tile/{kind:[0-9]+}/{index:.+}", self.tile)]

    def routes(self) -> list[web.RouteDef]:
        """For actors."""
        handlers = {"prove_leaf": self.proof, "list_leaves_of_subject": self.leaves}
        return [
            web.get(f"/tile/{ENTRIES}/{{index:.+}}", self.entries),
            *(web.get(endpoint.path, handlers[endpoint.name]) for endpoint in LOG_ENDPOINTS),
        ]

    async def checkpoint(self, _request: web.Request) -> web.StreamResponse:
        """The newest checkpoint."""
        if self.folder.checkpoint() is None:
            raise _unknown(LogRefusal.TREE_SIZE_UNKNOWN)
        headers = {"Content-Type": TEXT, "Cache-Control": ASK_AGAIN}
        return web.FileResponse(self.folder.path / CHECKPOINT, headers=headers)

    async def tile(self, request: web.Request) -> web.StreamResponse:
        """A hash tile. Hashes do not get smaller by compression."""
        tile, file = self._tile(request)
        caching = f"public, {FOR_EVER}" if tile.is_full else ASK_AGAIN
        return web.FileResponse(file, headers={"Content-Type": BYTES, "Cache-Control": caching})

    async def entries(self, request: web.Request) -> web.StreamResponse:
        """A bundle of entries, compressed for who takes it, and not to be kept by caches that others share."""
        tile, file = self._tile(request)
        try:
            content = await asyncio.to_thread(file.read_bytes)
        except FileNotFoundError as error:  # a partial one, dropped since it was looked for
            raise _unknown(LogRefusal.TILE_UNKNOWN) from error
        caching = f"private, {FOR_EVER}" if tile.is_full else ASK_AGAIN
        headers = {"Content-Type": BYTES, "Cache-Control": caching}
        response = web.Response(body=content, headers=headers, zlib_executor_size=COMPRESSED_BESIDE_BYTES)
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            response.enable_compression(web.ContentCoding.gzip)
        return response

    async def proof(self, request: web.Request) -> web.Response:
        """One leaf with its proof, in the newest tree or in that of a size."""
        asked = read_query(request, api.ProofQuery)
        proven = await prove_leaf(self.folder, self.keys, asked.leaf, asked.tree_size)
        if isinstance(proven, LogRefusal):
            raise _unknown(proven)
        (leaf,) = proven.leaves
        return answer(request, api.LeafProof(**_tree(proven), **_leaf(leaf)), for_ever=False)

    async def leaves(self, request: web.Request) -> web.Response:
        """A subject's leaves in order, with their proofs, a page of at most LEAVES_MAX at once."""
        path, asked = read_path(request, api.SubjectPath), read_query(request, api.SubjectLeavesQuery)
        subject, limit = SubjectKey(path.kind.value, path.id), min(asked.limit, LEAVES_MAX)
        async with self.pool.acquire() as conn:
            proven = await prove_subject(conn, self.folder, self.keys, subject=subject, after=asked.after, limit=limit)
        leaves = tuple(api.SubjectLeaf(**_leaf(leaf) | {"subject_number": leaf.subject_number}) for leaf in proven.leaves)
        body = api.SubjectLeaves(
            subject=Subject(kind=path.kind, id=path.id),
            **_tree(proven),
            leaves=leaves,
            next_after=leaves[-1].subject_number if len(leaves) == limit else None,
        )
        return answer(request, body, for_ever=False)

    def _tile(self, request: web.Request) -> tuple[Tile, Path]:
        tile = tile_named(request.path.removeprefix("/"))
        file = None if tile is None else self.folder.file(tile)
        if tile is None or file is None:
            raise _unknown(LogRefusal.TILE_UNKNOWN)
        return tile, file


def _unknown(refused: LogRefusal) -> RefusedError:
    return RefusedError(refused, WHY[refused], status=404)


def _tree(proven: Proven) -> dict[str, Any]:
    return {
        "tree_size": proven.tree_size,
        "root_hash": b64encode(proven.root).decode(),
        "checkpoint": None if proven.note is None else proven.note.to_text(),
    }


def _leaf(leaf: ProvenLeaf) -> dict[str, Any]:
    return {
        "leaf_index": leaf.leaf_index,
        "leaf": leaf.leaf.decode(),
        "inclusion_proof": tuple(b64encode(hash_).decode() for hash_ in leaf.inclusion_proof),
    }
