"""The log as others read it: by an independent tool, by caches, with and without a token, leaf by leaf with proofs."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from yarl import URL

from premia.local.ports import choose_ports
from services.ledger.adapters.log_folder import LogFolder
from services.ledger.adapters.log_http import LogHttp
from services.runtime.database import open_pool
from services.runtime.http import ActorTokens, serve
from services.runtime.settings import ListenAddress
from tests.integration.ledger.api import Answer, fault
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.logs import KEYS, audit, fill, seal
from tests.integration.ledger.tessera import fsck, needs_go
from tests.unit.ledger.domain.proof_checks import hash_of_leaf, is_included

VERIFIER: Final = KEYS.keys[0].verifier_key()
TOKEN: Final = "auditors-token"


@dataclass(frozen=True)
class Served:
    """A log that is served, and the journal behind it."""

    ledger: Ledger
    path: Path
    url: str
    session: aiohttp.ClientSession

    async def sealed(self, size: int) -> None:
        """Give it `size` leaves."""
        if size:
            await fill(self.ledger.conn, size)
        await seal(self.ledger.conn, self.path)

    async def get(self, path: str, *, token: str = "", **headers: str) -> tuple[int, Any, bytes]:
        """Status, headers and body of an answer."""
        if token:
            headers["Authorization"] = f"Bearer {token}"
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.get(URL(f"{self.url}{path}", encoded=True), headers=names) as answer:
            return answer.status, answer.headers, await answer.read()

    async def json(self, path: str) -> dict[str, Any]:
        """The body for an actor, which must be there."""
        status, _, body = await self.get(path, token=TOKEN)
        assert status == 200, body
        value: dict[str, Any] = json.loads(body)
        return value

    async def code(self, path: str, token: str = TOKEN) -> tuple[int, str]:
        """Status and code of a refusal."""
        status, _, body = await self.get(path, token=token)
        return status, json.loads(body)["code"]


@pytest.fixture
async def served(ledger: Ledger, tmp_path: Path) -> AsyncIterator[Served]:
    """A new log, served."""
    path = tmp_path / "log"
    path.mkdir()
    tokens = tmp_path / "tokens.json"
    tokens.write_text(json.dumps({"auditor": sha256(TOKEN.encode()).hexdigest()}))
    address = ListenAddress("127.0.0.1", choose_ports(["log"])["log"])
    pool = await open_pool(ledger.environment["PREMIA_LEDGER_DATABASE_URL"])
    log = LogHttp(pool, LogFolder(path), KEYS)
    runner = await serve(
        address,
        live=lambda: None,
        ready=lambda: None,
        tokens=ActorTokens(tokens),
        routes=log.routes(),
        public_routes=log.public_routes(),
    )
    async with aiohttp.ClientSession() as session:
        yield Served(ledger, path, f"http://{address.host}:{address.port}", session)
    await runner.cleanup()
    await pool.close()


@needs_go
async def test_an_independent_tool_finds_the_served_log_whole_at_any_size(served: Served, tmp_path: Path) -> None:
    key_file = tmp_path / "log.vkey"
    key_file.write_text(VERIFIER)
    for size in (0, 1, 255, 256, 257, 65_537):
        await served.sealed(size)
        assert await asyncio.to_thread(fsck, served.url, key_file, TOKEN) == size
    assert "fsck failed" in str(await asyncio.to_thread(fsck, served.url, key_file)), "entries need a token"


@needs_go
@pytest.mark.parametrize("name", ["tile/0/000", "tile/1/000.p/1", "tile/entries/001.p/44"])
async def test_the_independent_tool_finds_a_changed_file(ledger: Ledger, tmp_path: Path, name: str) -> None:
    path = tmp_path / "log"
    path.mkdir()
    await fill(ledger.conn, 300)
    await seal(ledger.conn, path)
    key_file = tmp_path / "log.vkey"
    key_file.write_text(VERIFIER)
    assert fsck(f"file://{path}/", key_file) == 300
    content = (path / name).read_bytes()
    (path / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert "fsck failed" in str(fsck(f"file://{path}/", key_file))


async def test_what_is_public_needs_no_token_and_says_how_long_it_holds(served: Served) -> None:
    await served.sealed(300)
    for path, caching, content_type in (
        ("/checkpoint", "no-cache", "text/plain; charset=utf-8"),
        ("/tile/0/000", "public, max-age=31536000, immutable", "application/octet-stream"),
        ("/tile/0/001.p/44", "no-cache", "application/octet-stream"),
        ("/tile/1/000.p/1", "no-cache", "application/octet-stream"),
    ):
        status, headers, body = await served.get(path)
        assert (status, headers["Cache-Control"], headers["Content-Type"]) == (200, caching, content_type)
        assert body == (served.path / path.removeprefix("/")).read_bytes()
        assert (await served.get(path, If_None_Match=headers["ETag"]))[0] == 304
    old = (await served.get("/checkpoint"))[1]["ETag"]
    await served.sealed(301)
    assert (await served.get("/checkpoint", If_None_Match=old))[0] == 200


async def test_entries_leaves_and_proofs_are_for_actors(served: Served) -> None:
    await served.sealed(300)
    for path in ("/tile/entries/000", "/tile/entries/001.p/44", "/v1/proofs?leaf=1", "/v1/subjects/org/ORG-1/leaves"):
        assert await served.code(path, token="") == (401, "UNKNOWN_ACTOR")
        assert await served.code(path, token="guessed") == (401, "UNKNOWN_ACTOR")
    status, headers, body = await served.get("/tile/entries/000", token=TOKEN)
    assert headers["Content-Encoding"] == "gzip", "which the client has taken off"
    assert "Content-Encoding" not in (await served.get("/tile/entries/000", token=TOKEN, Accept_Encoding="identity"))[1]
    assert (status, body) == (200, (served.path / "tile/entries/000").read_bytes())
    assert headers["Cache-Control"] == "private, max-age=31536000, immutable"


@pytest.mark.parametrize(
    "path",
    [
        "/tile/0/001",
        "/tile/0/000.p/3",
        "/tile/7/000",
        "/tile/0/..%2f..%2fcheckpoint",
        "/tile/0/%2e%2e/%2e%2e/%2elock",
        "/tile/entries/..%2f0%2f000",
        "/tile/entries/.000",
        "/tile/0/000/",
        "/tile/0/000%00",
    ],
)
async def test_a_path_leads_to_tiles_and_to_nothing_else(served: Served, path: str) -> None:
    await served.sealed(300)
    (served.path / "tile/entries/.000").write_bytes(b"half written")
    assert await served.code(path) == (404, "TILE_UNKNOWN")


async def test_nothing_sealed_is_nothing_to_see(served: Served) -> None:
    assert await served.code("/checkpoint", token="") == (404, "TREE_SIZE_UNKNOWN")
    assert await served.code("/v1/proofs?leaf=0") == (404, "LEAF_UNKNOWN")
    assert (await served.json("/v1/subjects/org/ORG-1/leaves"))["leaves"] == []


async def test_a_leaf_comes_with_a_proof_to_the_newest_checkpoint_or_to_any_earlier_size(served: Served) -> None:
    await served.sealed(300)
    earlier = audit(served.path, VERIFIER)
    await served.sealed(700)
    newest = audit(served.path, VERIFIER)
    for leaf_index in (0, 255, 256, 299):
        for size, log in ((300, earlier), (700, newest)):
            answer = await served.json(f"/v1/proofs?leaf={leaf_index}&tree_size={size}")
            proof = [b64decode(hash_) for hash_ in answer["inclusion_proof"]]
            assert (answer["leaf_index"], answer["tree_size"]) == (leaf_index, size)
            assert answer["leaf"].encode() == log.leaves[leaf_index]
            assert b64decode(answer["root_hash"]) == log.root
            assert is_included(hash_of_leaf(answer["leaf"].encode()), leaf_index, size, proof, log.root)
            assert answer["checkpoint"] == ((served.path / "checkpoint").read_text() if size == 700 else None)
    assert await served.json("/v1/proofs?leaf=5") == await served.json("/v1/proofs?leaf=5&tree_size=700")


async def test_what_cannot_be_proven_is_refused_by_code(served: Served) -> None:
    await served.sealed(300)
    for query, refusal in (
        ("leaf=300", (404, "LEAF_UNKNOWN")),
        ("leaf=200&tree_size=200", (404, "LEAF_UNKNOWN")),
        ("leaf=0&tree_size=301", (404, "TREE_SIZE_UNKNOWN")),
        ("leaf=-1", (400, "SCHEMA_INVALID")),
        ("leaf=1e3", (400, "SCHEMA_INVALID")),
        (f"leaf={'9' * 30}", (400, "SCHEMA_INVALID")),
        ("tree_size=3", (400, "SCHEMA_INVALID")),
        ("leaf=0&leaf=1", (400, "SCHEMA_INVALID")),
        ("leaf=0&size=3", (400, "SCHEMA_INVALID")),
    ):
        assert await served.code(f"/v1/proofs?{query}") == refusal, query


async def test_no_cache_keeps_that_a_tile_was_not_there_yet(served: Served) -> None:
    for size, status in ((255, 404), (256, 200)):
        await served.sealed(size)
        answered, headers, _ = await served.get("/tile/0/000")
        assert answered == status
        assert ("no-store" in headers["Cache-Control"]) == (status == 404)


async def test_a_subject_gets_its_own_leaves_page_by_page_with_proofs(served: Served) -> None:
    await served.sealed(700)
    log = audit(served.path, VERIFIER)
    await fill(served.ledger.conn, 720)  # posted and not yet sealed: nobody sees them here
    seen: list[int] = []
    after = 0
    while True:
        page = await served.json(f"/v1/subjects/org/ORG-3/leaves?after={after}&limit=40")
        assert len(page["leaves"]) <= 40
        assert (page["subject"], page["tree_size"]) == ({"kind": "org", "id": "ORG-3"}, 700)
        for leaf in page["leaves"]:
            proof = [b64decode(hash_) for hash_ in leaf["inclusion_proof"]]
            assert is_included(hash_of_leaf(leaf["leaf"].encode()), leaf["leaf_index"], 700, proof, log.root)
            assert leaf["subject_number"] == len(seen) + 1
            seen.append(leaf["leaf_index"])
        if page["next_after"] is None:
            break
        after = page["next_after"]
    assert seen == list(range(3, 700, 7))
    assert len((await served.json("/v1/subjects/org/ORG-3/leaves?limit=1000000"))["leaves"]) == 100
    assert (await served.json("/v1/subjects/fund/ORG-3/leaves"))["leaves"] == []


@pytest.mark.parametrize(
    "path",
    [
        "org/%00/leaves",
        "organization/ORG-1/leaves",
        "org/a%2fb/leaves",
        "org/ORG-1/leaves?after=9223372036854775808",
        "org/ORG-1/leaves?after=-1",
        "org/ORG-1/leaves?limit=0",
        "org/ORG-1/leaves?before=3",
    ],
)
async def test_a_subject_that_nobody_could_be_is_refused_by_code(served: Served, path: str) -> None:
    await served.sealed(8)
    assert await served.code(f"/v1/subjects/{path}") == (400, "SCHEMA_INVALID")


@pytest.mark.parametrize("path", ["/v1/proofs?leaf=3", "/v1/proofs?leaf=3&tree_size=4", "/v1/subjects/org/ORG-3/leaves"])
async def test_proofs_keep_the_published_contract_and_are_not_sent_twice(served: Served, path: str) -> None:
    await served.sealed(8)
    status, headers, body = await served.get(path, token=TOKEN)
    assert fault(path, "get", Answer(status, json.loads(body))) is None
    assert (await served.get(path, token=TOKEN, If_None_Match=headers["ETag"]))[0] == 304
    await served.sealed(20)
    after = await served.get(path, token=TOKEN, If_None_Match=headers["ETag"])
    assert after[0] == (304 if "tree_size" in path else 200)
