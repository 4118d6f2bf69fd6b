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
from typing import TYPE_CHECKING, Final

from aiohttp import web

from services.ledger.adapters.log_folder import CHECKPOINT, LogFolder
from services.ledger.adapters.log_keys import LogKeys
from services.ledger.domain.account import SubjectKey
from services.ledger.domain.tiles import ENTRIES, Tile, tile_named
from services.ledger.log_errors import LogRefusal
from services.ledger.use_cases.prove_leaf import LEAVES_MAX, Proven, prove_leaf, prove_subject
from services.runtime.http import RefusedError, json_response

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
        return [
            web.get(f"/tile/{ENTRIES}/{{index:.+}}", self.entries),
            web.get("/v1/proofs", self.proof),
            web.get("/v1/subjects/{kind}/{id}/leaves", self.leaves),
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
        """One leaf with its proof: `leaf`, and `tree_size` unless it is the newest."""
        leaf_index = _number(request, "leaf")
        tree_size = _number(request, "tree_size") if "tree_size" in request.query else None
        proven = await prove_leaf(self.folder, self.keys, leaf_index, tree_size)
        if isinstance(proven, LogRefusal):
            raise _unknown(proven)
        (leaf,) = _leaves(proven)
        del leaf["subject_number"]
        return json_response({**_tree(proven), **leaf})

    async def leaves(self, request: web.Request) -> web.Response:
        """A subject's leaves in order, with their proofs: those after the subject number `after`, `limit` of them at most."""
        after = _number(request, "after", 0)
        limit = min(_number(request, "limit", LEAVES_MAX), LEAVES_MAX)
        subject = SubjectKey(request.match_info["kind"], request.match_info["id"])
        async with self.pool.acquire() as conn:
            proven = await prove_subject(conn, self.folder, self.keys, subject=subject, after=after, limit=limit)
        leaves = _leaves(proven)
        following = leaves[-1]["subject_number"] if limit and len(leaves) == limit else None
        return json_response({"subject": subject._asdict(), **_tree(proven), "leaves": leaves, "next_after": following})

    def _tile(self, request: web.Request) -> tuple[Tile, Path]:
        tile = tile_named(request.path.removeprefix("/"))
        file = None if tile is None else self.folder.file(tile)
        if tile is None or file is None:
            raise _unknown(LogRefusal.TILE_UNKNOWN)
        return tile, file


def _unknown(refused: LogRefusal) -> RefusedError:
    return RefusedError(refused, WHY[refused], status=404)


def _number(request: web.Request, name: str, default: int | None = None) -> int:
    text = request.query.get(name, "" if default is None else str(default))
    if not text.isascii() or not text.isdigit() or len(text) > len(str(2**63)):
        raise RefusedError("SCHEMA_INVALID", f"{name} must be a whole number from 0", status=400)
    return int(text)


def _tree(proven: Proven) -> dict[str, object]:
    return {
        "tree_size": proven.tree_size,
        "root_hash": b64encode(proven.root).decode(),
        "checkpoint": None if proven.note is None else proven.note.to_text(),
    }


def _leaves(proven: Proven) -> list[dict[str, object]]:
    return [
        {
            "leaf_index": leaf.leaf_index,
            "subject_number": leaf.subject_number,
            "leaf": leaf.leaf.decode(),
            "inclusion_proof": [b64encode(hash_).decode() for hash_ in leaf.inclusion_proof],
        }
        for leaf in proven.leaves
    ]
