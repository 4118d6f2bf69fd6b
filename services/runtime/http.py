"""HTTP of a service: metrics, health, and its own routes with actors who are named by their tokens.

Method: aiohttp. `/metrics`, `/healthz/live`, `/healthz/ready` and what a service publishes are open; every other route needs a
bearer token whose SHA-256 stands in the actors' file ({"actor id": "sha256 hex"}), which is read again when it changes, so that
a new actor needs no restart.
Refuses: an unknown token with 401 and a JSON body {"code", "message"}, as every refusal here looks.
Source: RFC 9110 (the scheme's letters count in neither case; 401 names the scheme, 405 the methods).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import UUID

import orjson
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import ValidationError

from schemas.contract import Contract, first_fault
from services.runtime.settings import ListenAddress

BODY_BYTES_MAX: Final = 1024 * 1024  # a list of ids; a statement goes out, never in. Who takes more says how much.
SHUTDOWN_TIMEOUT_S: Final = 2.0  # the local stack stops everything within 10 s, and Kafka needs most of it.
# What the framework refuses by itself, in our words.
FRAMEWORK_REFUSALS: Final = {
    404: ("PATH_UNKNOWN", "nothing is here: look at the path"),
    405: ("METHOD_UNKNOWN", "this path does not take that method"),
    413: ("BODY_TOO_LARGE", "send at most {body_bytes_max} bytes"),
}
ACTOR: Final = web.RequestKey("actor", str)

Check = Callable[[], Awaitable[str | None] | str | None]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_Request = TypeVar("_Request", bound=Contract)


class ActorTokens:
    """Who a bearer token belongs to. The file is re-read when its modification time changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at_ns: int | None = None
        self._actors: Mapping[str, str] = {}

    def actor(self, token: str) -> str | None:
        """The actor's id, or None for an unknown token. Compares digests in constant time."""
        changed_at_ns = self._path.stat().st_mtime_ns if self._path.exists() else None
        if changed_at_ns != self._read_at_ns:
            self._actors = json.loads(self._path.read_text(encoding="utf-8")) if changed_at_ns is not None else {}
            self._read_at_ns = changed_at_ns
        digest = hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()
        found = None
        for actor, expected in self._actors.items():
            if hmac.compare_digest(digest, expected):
                found = actor
        return found


def json_response(body: object, *, status: int = 200) -> web.Response:
    """A JSON answer. Dates, UUIDs, enumerations and dataclasses are written as orjson does."""
    return web.Response(
        body=orjson.dumps(body, default=_plain, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS),
        status=status,
        content_type="application/json",
    )


def _plain(value: object) -> str:
    if isinstance(value, UUID):  # asyncpg's own subclass, which orjson does not take for one
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def refusal(code: str, message: str, *, status: int) -> web.Response:
    """A refusal: a stable code, and a message that says what to do. Not to be kept: what is not there may be in a moment.

    Caches that are told nothing may keep a 404 (RFC 9110, section 15.1), and then hide a tile from who reads a growing log.
    """
    response = json_response({"code": code, "message": message}, status=status)
    response.headers["Cache-Control"] = "no-store"
    return response


class RefusedError(Exception):
    """A request that is not carried out: answered with its code and message, and nothing was changed."""

    def __init__(self, code: str, message: str, *, status: int) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


async def read_request(request: web.Request, contract: type[_Request]) -> _Request:
    """The request's JSON object by its contract. Raises RefusedError (SCHEMA_INVALID) with the first field at fault."""
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise _invalid(f"send a JSON object: {error}") from error
    if not isinstance(body, dict):
        raise _invalid("send a JSON object")
    return _by_contract(body, contract)


def read_path(request: web.Request, contract: type[_Request]) -> _Request:
    """The variables of the request's path by their contract. Raises RefusedError (SCHEMA_INVALID)."""
    return _by_contract(dict(request.match_info), contract)


def read_query(request: web.Request, contract: type[_Request]) -> _Request:
    """The request's query by its contract, each name once. Raises RefusedError (SCHEMA_INVALID)."""
    for name in request.query:
        if len(request.query.getall(name)) > 1:
            raise _invalid(f"{name}: is there twice")
    return _by_contract(dict(request.query), contract)


def uuid_in_path(request: web.Request, name: str) -> UUID:
    """A UUID from the path. Raises RefusedError (SCHEMA_INVALID)."""
    try:
        return UUID(request.match_info[name])
    except ValueError as error:
        raise _invalid(f"{name} must be a UUID") from error


def _by_contract(sent: dict[str, Any], contract: type[_Request]) -> _Request:
    try:
        return contract.model_validate(sent)
    except ValidationError as error:
        fault = first_fault(error, sent)
        raise _invalid(f"{fault.field}: {fault.message}") from error


def _invalid(message: str) -> RefusedError:
    return RefusedError("SCHEMA_INVALID", message, status=400)


def _authenticate(tokens: ActorTokens | None, open_handlers: Collection[object], body_bytes_max: int) -> Any:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        # Who has no actors, as a witness, asks nobody for a token: what is not open is not there.
        if tokens is not None and request.match_info.handler not in open_handlers:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            actor = tokens.actor(token) if scheme.lower() == "bearer" and token else None
            if actor is None:
                unknown = refusal("UNKNOWN_ACTOR", "send the bearer token of one of the programme's actors", status=401)
                unknown.headers["WWW-Authenticate"] = "Bearer"
                return unknown
            request[ACTOR] = actor
        try:
            return await handler(request)
        except RefusedError as refused:
            return refusal(refused.code, refused.message, status=refused.status)
        except web.HTTPException as error:
            if error.status not in FRAMEWORK_REFUSALS:
                raise
            code, message = FRAMEWORK_REFUSALS[error.status]
            response = refusal(code, message.format(body_bytes_max=body_bytes_max), status=error.status)
            if isinstance(error, web.HTTPMethodNotAllowed):
                response.headers["Allow"] = error.headers["Allow"]
            return response

    return middleware


def _health(check: Check) -> Handler:
    async def handler(_request: web.Request) -> web.Response:
        trouble = check()
        if trouble is not None and not isinstance(trouble, str):
            trouble = await trouble
        return json_response({"ok": trouble is None, "trouble": trouble}, status=200 if trouble is None else 503)

    return handler


async def _metrics(_request: web.Request) -> web.Response:
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def serve(
    address: ListenAddress,
    *,
    live: Check,
    ready: Check,
    tokens: ActorTokens | None = None,
    routes: Iterable[web.RouteDef] = (),
    public_routes: Iterable[web.RouteDef] = (),
    body_bytes_max: int = BODY_BYTES_MAX,
) -> web.AppRunner:
    """Start listening and return the runner, to be cleaned up by the caller.

    `public_routes` are for everybody, `routes` for actors, of whom there are none without `tokens`. `live` and `ready` return
    None when all is well, else what is wrong in a few words.
    """
    open_routes = [
        web.get("/metrics", _metrics),
        web.get("/healthz/live", _health(live)),
        web.get("/healthz/ready", _health(ready)),
        *public_routes,
    ]
    assert tokens is not None or not routes, "what is for actors needs their tokens"
    open_handlers = [route.handler for route in open_routes]
    app = web.Application(middlewares=[_authenticate(tokens, open_handlers, body_bytes_max)], client_max_size=body_bytes_max)
    app.add_routes([*open_routes, *routes])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT_S)
    await runner.setup()
    await web.TCPSite(runner, address.host, address.port).start()
    return runner
