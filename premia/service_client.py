"""A service's HTTP API in the name of one actor.

Refuses: a service that does not answer, with one line that says what to do, exit 3; what the service refuses, with its code and
words, exit 4.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from premia.connection import Rejected, Unreachable

TIMEOUT_S: Final = 300.0  # the longest request renders a year's statements: seconds here, minutes on a slow machine.
ERRORS_FROM: Final = 400


@dataclass(frozen=True, slots=True)
class ServiceClient:
    """One actor's calls to the service of this name. The session is the caller's, so that many actors share connections."""

    session: aiohttp.ClientSession
    service: str
    url: str
    token: str

    async def get(self, path: str) -> Any:
        """Read something. Raises Unreachable or Rejected."""
        return await self._call("GET", path, None)

    async def post(self, path: str, body: object = None) -> Any:
        """Change something. Raises Unreachable or Rejected."""
        return await self._call("POST", path, body)

    async def get_bytes(self, path: str) -> bytes:
        """Read a document. Raises Unreachable or Rejected."""
        async with self._answer("GET", path, None) as answer:
            return await answer.read()

    async def _call(self, method: str, path: str, body: object) -> Any:
        async with self._answer(method, path, body) as answer:
            return await answer.json()

    @asynccontextmanager
    async def _answer(self, method: str, path: str, body: object) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self.session.request(
                method,
                self.url + path,
                json=body,
                headers={"Authorization": f"Bearer {self.token}"},
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            ) as answer:
                if answer.status >= ERRORS_FROM:
                    refused = await answer.json()
                    raise Rejected(f"{refused['code']}: {refused['message']}")
                yield answer
        except (aiohttp.ClientError, TimeoutError) as error:
            message = f"{self.service} at {self.url} does not answer ({error}): `premia status` says why"
            raise Unreachable(message) from error
