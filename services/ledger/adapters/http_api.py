"""The ledger's HTTP API: the table of endpoints with a handler for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web

from schemas.ledger_endpoints import ENDPOINT_BY_NAME
from services.ledger.actor_roles import ActorRoles
from services.ledger.adapters.http_corrections import CorrectionsApi
from services.ledger.adapters.http_reading import ReadingApi
from services.ledger.use_cases.post_batch import BatchResult

if TYPE_CHECKING:
    from services.runtime.database import Pool


def api_routes(pool: Pool, roles: ActorRoles, posted: Callable[[BatchResult], None]) -> list[web.RouteDef]:
    """All endpoints. `posted(result)` is called after something was posted and committed."""
    handlers = ReadingApi(pool).handlers() | CorrectionsApi(pool, roles, posted).handlers()
    assert handlers.keys() == ENDPOINT_BY_NAME.keys(), "every endpoint has its handler"
    add = {"GET": web.get, "POST": web.post}
    return [add[endpoint.method](endpoint.path, handlers[name]) for name, endpoint in ENDPOINT_BY_NAME.items()]
