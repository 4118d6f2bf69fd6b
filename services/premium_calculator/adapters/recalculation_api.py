"""The calculator's HTTP API: recalculations, which one person prepares and another approves.

Goal: every decision is made by a named actor of the programme; a refusal says what to do.
Method: one handler for each endpoint. The log of events decides (`recalculation_feed`); answers are what it says.
Refuses: see `services.premium_calculator.errors.RefusalCode`.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from aiohttp import web
from aiokafka.errors import KafkaError

from schemas.recalculation import Approved, RecalculationRequest, Withdrawn, recalculation_id
from schemas.registry import ActorRole
from services.premium_calculator.errors import RefusalCode
from services.premium_calculator.recalculation_feed import RecalculationFeed
from services.premium_calculator.recalculations import Recalculation, State
from services.premium_calculator.registry_feed import RegistryFeed
from services.runtime.http import ACTOR, RefusedError, json_response, read_request, uuid_in_path

STATUS: Final = {
    RefusalCode.ROLE_MISSING: 403,
    RefusalCode.SAME_ACTOR: 403,
    RefusalCode.RECALCULATION_UNKNOWN: 404,
    RefusalCode.REGISTRY_MISSING: 503,
    RefusalCode.RECALCULATIONS_UNREAD: 503,
}
CONFLICT: Final = 409  # everything else: it does not fit what is there
CREATED: Final = 201
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class RecalculationApi:
    """What the handlers share."""

    registry: RegistryFeed
    recalculations: RecalculationFeed

    def routes(self) -> list[web.RouteDef]:
        """All endpoints."""
        return [
            web.post("/v1/recalculations", self.prepare),
            web.get("/v1/recalculations", self.list_all),
            web.get("/v1/recalculations/{recalculation_id}", self.get),
            web.post("/v1/recalculations/{recalculation_id}/approve", self.approve),
            web.post("/v1/recalculations/{recalculation_id}/withdraw", self.withdraw),
        ]

    async def prepare(self, request: web.Request) -> web.Response:
        """POST /v1/recalculations {"registry_version", "lots"}: 201; 200 if the same was prepared before."""
        self._require_role(request, "prepare")
        asked = await read_request(request, RecalculationRequest)
        self._require_in_force(asked.registry_version)
        lots = sorted(asked.lots, key=lambda lot: (lot.refiner_id, lot.lot_id))
        await self._read()
        known = self.recalculations.known.get(recalculation_id(asked.registry_version, lots))
        if known is not None and not known.can_be_prepared_again:
            return json_response(_told(known) | {"created": False})
        made = await _in_time(self.recalculations.prepare(asked.registry_version, lots, request[ACTOR]))
        return json_response(_told(made) | {"created": True}, status=CREATED)

    async def list_all(self, _request: web.Request) -> web.Response:
        """GET /v1/recalculations: the newest first, without their lots."""
        await self._read()
        return json_response({"recalculations": [_told(one) for one in reversed(self.recalculations.known.all())]})

    async def get(self, request: web.Request) -> web.Response:
        """GET /v1/recalculations/{id}: with its lots."""
        found = await self._named(request)
        lots = await self.recalculations.lots(found)
        return json_response(_told(found) | {"content": [lot.model_dump(mode="json") for lot in lots]})

    async def approve(self, request: web.Request) -> web.Response:
        """POST /v1/recalculations/{id}/approve: by another actor than the one who prepared it. A repeat changes nothing."""
        self._require_role(request, "approve")
        found = await self._named(request)
        actor = request[ACTOR]
        if found.state in {State.APPROVED, State.PUBLISHED} and found.decided_by == actor:
            return json_response(_told(found))
        _require_open(found)
        if found.prepared_by == actor:
            raise _refused(RefusalCode.SAME_ACTOR, f"{actor} prepared it: somebody else must approve it")
        self._require_in_force(found.registry_version)
        return await self._decide(Approved(recalculation_id=found.recalculation_id, actor=actor), State.APPROVED)

    async def withdraw(self, request: web.Request) -> web.Response:
        """POST /v1/recalculations/{id}/withdraw: give up one that was not approved."""
        self._require_role(request, "prepare", "approve")
        found = await self._named(request)
        if found.state is State.WITHDRAWN:
            return json_response(_told(found))
        _require_open(found)
        withdrawn = Withdrawn(recalculation_id=found.recalculation_id, actor=request[ACTOR])
        return await self._decide(withdrawn, State.WITHDRAWN)

    async def _decide(self, step: Approved | Withdrawn, wanted: State) -> web.Response:
        decided = await _in_time(self.recalculations.decide(step))
        published_since = wanted is State.APPROVED and decided.state is State.PUBLISHED
        if (decided.state is not wanted and not published_since) or decided.decided_by != step.actor:
            _require_open(decided)  # somebody else was first
        return json_response(_told(decided))

    async def _named(self, request: web.Request) -> Recalculation:
        id_ = uuid_in_path(request, "recalculation_id")
        await self._read()
        found = self.recalculations.known.get(id_)
        if found is None:
            message = f"there is no recalculation {id_}: premia recalculate list shows them"
            raise _refused(RefusalCode.RECALCULATION_UNKNOWN, message)
        return found

    async def _read(self) -> None:
        await _in_time(self.recalculations.until(lambda: True))

    def _require_role(self, request: web.Request, *roles: ActorRole) -> None:
        actor = request[ACTOR]
        programme = self.registry.programme
        if programme is None:
            raise _refused(RefusalCode.REGISTRY_MISSING, "no programme is known yet: premia registry apply")
        if not any(programme.gives(actor, role) for role in roles):
            wanted = " or ".join(roles)
            raise _refused(RefusalCode.ROLE_MISSING, f"{actor} does not have the role {wanted} in the programme's list")

    def _require_in_force(self, version: str) -> None:
        if self.registry.registry.version != version:
            message = f"registry {self.registry.registry.version} is in force, not {version}: prepare it again"
            raise _refused(RefusalCode.REGISTRY_CHANGED, message)


def _require_open(found: Recalculation) -> None:
    if found.state is not State.PREPARED:
        raise _refused(
            RefusalCode.RECALCULATION_CLOSED, f"it is {found.state}, by {found.decided_by}: nothing is left to decide"
        )


async def _in_time(work: Awaitable[_Answer]) -> _Answer:
    try:
        return await work
    except (TimeoutError, KafkaError) as error:
        message = "the log of recalculations could not be read in time; premia recalculate list shows what came of it"
        raise _refused(RefusalCode.RECALCULATIONS_UNREAD, message) from error


def _refused(code: RefusalCode, message: str) -> RefusedError:
    return RefusedError(code, message, status=STATUS.get(code, CONFLICT))


def _told(recalculation: Recalculation) -> dict[str, Any]:
    """As it is answered: without where its lots lie."""
    return {
        "recalculation_id": recalculation.recalculation_id,
        "registry_version": recalculation.registry_version,
        "state": recalculation.state,
        "lots": recalculation.lots,
        "prepared_by": recalculation.prepared_by,
        "prepared_at": recalculation.prepared_at,
        "decided_by": recalculation.decided_by,
        "decided_at": recalculation.decided_at,
        "published_at": recalculation.published_at,
        "published": recalculation.published,
        "refused": recalculation.refused,
        "refused_lots": [lot.model_dump() for lot in recalculation.refused_lots],
    }
