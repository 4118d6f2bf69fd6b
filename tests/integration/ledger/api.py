"""The ledger's HTTP API as a person's program calls it: some actors with tokens, and the roles that the registry gives them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from schemas.publish.releases import LEDGER_API, releases
from schemas.registry import Programme
from schemas.registry_snapshot import registry_snapshot
from services.ledger.actor_roles import ActorRoles
from services.ledger.adapters.http_api import api_routes
from services.ledger.use_cases.post_batch import BatchResult
from services.runtime.database import open_pool
from services.runtime.http import ActorTokens, serve
from services.runtime.settings import ListenAddress
from tests.integration.ledger.conftest import Ledger

ROLES = {"ana": ["prepare"], "bruno": ["approve"], "carla": ["accounts"], "diego": ["prepare", "approve"]}


@dataclass(slots=True)
class Answer:
    """What came back."""

    status: int
    body: Any
    headers: Any = None

    @property
    def code(self) -> str | None:
        """The code of a refusal."""
        return self.body.get("code") if isinstance(self.body, dict) else None


@dataclass(slots=True)
class LedgerApi:
    """A running API. `posted` collects what it told the service that it posted."""

    url: str
    session: aiohttp.ClientSession
    posted: list[BatchResult] = field(default_factory=list)

    async def get(self, path: str, *, actor: str = "carla", headers: dict[str, str] | None = None) -> Answer:
        """Read something."""
        return await self._call("GET", path, actor, None, headers)

    async def post(self, path: str, body: object = None, *, actor: str) -> Answer:
        """Change something."""
        return await self._call("POST", path, actor, body, None)

    async def _call(self, method: str, path: str, actor: str, body: object, headers: dict[str, str] | None) -> Answer:
        headers = {"Authorization": f"Bearer token-of-{actor}"} | (headers or {})
        async with self.session.request(method, self.url + path, json=body, headers=headers) as answer:
            content = await answer.read()
            return Answer(answer.status, json.loads(content) if content else None, answer.headers)


@asynccontextmanager
async def running_api(ledger: Ledger, folder: Path, *, knows_registry: bool = True) -> AsyncIterator[LedgerApi]:
    """The API of this ledger, for all actors of ROLES."""
    tokens = folder / "tokens.json"
    tokens.write_text(json.dumps({actor: hashlib.sha256(f"token-of-{actor}".encode()).hexdigest() for actor in ROLES}))
    roles = ActorRoles()
    if knows_registry:
        actors = [{"id": actor, "name": actor.title(), "roles": granted} for actor, granted in ROLES.items()]
        programme = Programme.model_validate({"id": "sample", "name": "Muestra", "actors": actors})
        roles.use(registry_snapshot(programme, {}, {}))
    pool = await open_pool(ledger.environment["PREMIA_LEDGER_DATABASE_URL"])
    async with aiohttp.ClientSession() as session:
        api = LedgerApi("", session)
        runner = await serve(
            ListenAddress("127.0.0.1", 0),
            live=lambda: None,
            ready=lambda: None,
            tokens=ActorTokens(tokens),
            routes=api_routes(pool, roles, api.posted.append),
        )
        host, port = runner.addresses[0]
        api.url = f"http://{host}:{port}"
        try:
            yield api
        finally:
            await runner.cleanup()
            await pool.close()


def document() -> dict[str, Any]:
    """The newest published document."""
    text = releases()[-1].contents()[LEDGER_API]
    read: dict[str, Any] = json.loads(text)
    return read


def fault(path: str, method: str, answer: Answer) -> str | None:
    """Why an answer does not keep the document, or None."""
    found = document()
    (operation,) = (
        operations[method]
        for template, operations in found["paths"].items()
        if method in operations and _matches(template, path)
    )
    response = operation["responses"].get(str(answer.status))
    if response is None:
        return f"{answer.status} is not among {sorted(operation['responses'])}"
    registry: Registry[Any] = Registry().with_resource("urn:api", DRAFT202012.create_resource(found))
    if "content" not in response:
        return None if answer.body is None else f"{answer.status} has no body"
    schema = {"$ref": "urn:api" + response["content"]["application/json"]["schema"]["$ref"]}
    validator = jsonschema.Draft202012Validator(schema, registry=registry, format_checker=jsonschema.FormatChecker())
    return next((error.message for error in validator.iter_errors(answer.body)), None)


def _matches(template: str, path: str) -> bool:
    wanted, found = template.split("/"), path.partition("?")[0].split("/")
    return len(wanted) == len(found) and all(a == b or a.startswith("{") for a, b in zip(wanted, found, strict=True))
