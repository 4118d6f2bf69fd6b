"""Payout's HTTP API in the name of one actor.

Refuses: a service that does not answer, with one line that says what to do, exit 3; what payout refuses, with its code and
words, exit 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import click

from premia.connection import Unreachable

TIMEOUT_S: Final = 300.0  # the longest request renders a year's statements: seconds here, minutes on a slow machine.
EXIT_REFUSED: Final = 4
ERRORS_FROM: Final = 400


class RefusedByPayout(click.ClickException):
    """Payout did not do what was asked; nothing was changed."""

    exit_code = EXIT_REFUSED


@dataclass(frozen=True, slots=True)
class PayoutClient:
    """One actor's calls. The session is the caller's, so that many actors share connections."""

    session: aiohttp.ClientSession
    url: str
    token: str

    async def get(self, path: str) -> Any:
        """Read something. Raises Unreachable or RefusedByPayout."""
        return await self._call("GET", path, None)

    async def post(self, path: str, body: object = None) -> Any:
        """Change something. Raises Unreachable or RefusedByPayout."""
        return await self._call("POST", path, body)

    async def get_bytes(self, path: str) -> bytes:
        """Read a document. Raises Unreachable or RefusedByPayout."""
        try:
            async with self.session.get(
                self.url + path,
                headers={"Authorization": f"Bearer {self.token}"},
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            ) as answer:
                if answer.status >= ERRORS_FROM:
                    content = await answer.json()
                    raise RefusedByPayout(f"{content['code']}: {content['message']}")
                return await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unreachable(f"payout at {self.url} does not answer ({error}): `premia status` says why") from error

    async def _call(self, method: str, path: str, body: object) -> Any:
        try:
            async with self.session.request(
                method,
                self.url + path,
                json=body,
                headers={"Authorization": f"Bearer {self.token}"},
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            ) as answer:
                content = await answer.json()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unreachable(f"payout at {self.url} does not answer ({error}): `premia status` says why") from error
        if answer.status >= ERRORS_FROM:
            raise RefusedByPayout(f"{content['code']}: {content['message']}")
        return content
