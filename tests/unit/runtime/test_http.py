"""Who may call a service, and what its health says."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from schemas.contract import Contract
from services.runtime.http import ACTOR, ActorTokens, json_response, read_request, serve
from services.runtime.settings import ListenAddress

BODY_BYTES_MAX = 1_000


class Health:
    """What the service under test says of itself; tests change it."""

    trouble: str | None = None


class Asked(Contract):
    """What the service under test takes."""

    a: int = 0


async def who(request: web.Request) -> web.Response:
    return json_response({"actor": request[ACTOR], "sent": (await read_request(request, Asked)).a})


def write_tokens(path: Path, tokens: dict[str, str]) -> None:
    path.write_text(json.dumps({actor: hashlib.sha256(token.encode()).hexdigest() for actor, token in tokens.items()}))


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
async def url(tmp_path: Path, health: Health) -> AsyncIterator[str]:
    write_tokens(tmp_path / "tokens.json", {"ana": "secret-of-ana"})
    runner = await serve(
        ListenAddress("127.0.0.1", 0),
        tokens=ActorTokens(tmp_path / "tokens.json"),
        live=lambda: health.trouble,
        ready=lambda: None,
        routes=[web.post("/v1/who", who)],
        body_bytes_max=BODY_BYTES_MAX,
    )
    host, port = runner.addresses[0]
    yield f"http://{host}:{port}"
    await runner.cleanup()


async def test_a_token_names_its_actor(url: str) -> None:
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{url}/v1/who", json={"a": 1}, headers={"Authorization": "Bearer secret-of-ana"}) as answer,
    ):
        assert await answer.json() == {"actor": "ana", "sent": 1}


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic secret-of-ana"}])
async def test_without_a_known_token_nothing_is_done(url: str, header: dict[str, str]) -> None:
    async with aiohttp.ClientSession() as client, client.post(f"{url}/v1/who", json={}, headers=header) as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert (await answer.json())["code"] == "UNKNOWN_ACTOR"


async def test_the_scheme_of_a_token_may_be_written_in_any_letters(url: str) -> None:
    header = {"Authorization": "bearer secret-of-ana"}
    async with aiohttp.ClientSession() as client, client.post(f"{url}/v1/who", json={}, headers=header) as answer:
        assert (await answer.json())["actor"] == "ana"


async def test_what_the_framework_refuses_says_what_would_be_taken(url: str) -> None:
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer secret-of-ana"}) as client:
        async with client.delete(f"{url}/v1/who") as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "POST")
            assert (await answer.json())["code"] == "METHOD_UNKNOWN"
        async with client.post(f"{url}/v1/who", data=b" " * (BODY_BYTES_MAX + 1)) as answer:
            assert answer.status == 413
            assert await answer.json() == {"code": "BODY_TOO_LARGE", "message": f"send at most {BODY_BYTES_MAX} bytes"}


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b"\xff", b'{"b": 1}'])
async def test_a_body_that_is_no_such_object_is_refused_by_code(url: str, body: bytes) -> None:
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{url}/v1/who", data=body, headers={"Authorization": "Bearer secret-of-ana"}) as answer,
    ):
        assert answer.status == 400
        assert (await answer.json())["code"] == "SCHEMA_INVALID"


async def test_who_has_no_actors_asks_nobody_for_a_token() -> None:
    async def open_to_all(_request: web.Request) -> web.Response:
        return json_response({})

    runner = await serve(
        ListenAddress("127.0.0.1", 0), live=lambda: None, ready=lambda: None, public_routes=[web.post("/open", open_to_all)]
    )
    host, port = runner.addresses[0]
    async with aiohttp.ClientSession(f"http://{host}:{port}") as client:
        async with client.get("/open") as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "POST")
        async with client.get("/v1/nothing") as answer:
            assert (answer.status, (await answer.json())["code"]) == (404, "PATH_UNKNOWN")
    await runner.cleanup()


async def test_a_new_actor_is_known_without_a_restart(url: str, tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    write_tokens(path, {"ana": "secret-of-ana", "beto": "secret-of-beto"})
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1))
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{url}/v1/who", json={}, headers={"Authorization": "Bearer secret-of-beto"}) as answer,
    ):
        assert (await answer.json())["actor"] == "beto"


async def test_health_says_what_is_wrong_and_needs_no_token(url: str, health: Health) -> None:
    async with aiohttp.ClientSession() as client:
        async with client.get(f"{url}/healthz/live") as answer:
            assert answer.status == 200
        health.trouble = "7 records wait"
        async with client.get(f"{url}/healthz/live") as answer:
            assert answer.status == 503
            assert (await answer.json())["trouble"] == "7 records wait"


async def test_metrics_are_open(url: str) -> None:
    async with aiohttp.ClientSession() as client, client.get(f"{url}/metrics") as answer:
        assert answer.status == 200
        assert "process_max_fds" in await answer.text()
