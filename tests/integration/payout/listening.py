"""A payout that listens on HTTP, and the commands that speak to it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from click.testing import CliRunner, Result

from premia.__main__ import main
from services.payout.adapters.http_api import Api
from services.payout.adapters.statement_office import StatementOffice
from services.runtime.http import ActorTokens, serve
from services.runtime.settings import ListenAddress
from tests.integration.payout.books import Books

ACTORS = ("ana", "bruno", "carla", "diego")


@dataclass
class Payout:
    """A service that listens, and its books."""

    books: Books
    url: str
    session: aiohttp.ClientSession

    async def ask(self, method: str, path: str, actor: str, body: object = None) -> tuple[int, Any]:
        """Status and JSON of one request."""
        headers = {"Authorization": f"Bearer token of {actor}"}
        async with self.session.request(method, self.url + path, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def premia(self, *arguments: str, actor: str = "ana") -> Result:
        """A command of `premia`, with the actor's token in its environment."""
        environment = {
            "PREMIA_PAYOUT_URL": self.url,
            "PREMIA_TOKEN": f"token of {actor}",
            "PREMIA_READER_DATABASE_URL": self.books.admin_url,
            "PREMIA_DATA_DIR": str(self.books.documents / "no-stack"),
        }
        return await asyncio.to_thread(CliRunner().invoke, main, list(arguments), env=environment)


@asynccontextmanager
async def listening(books: Books, folder: Path) -> AsyncIterator[Payout]:
    """The service of these books, until the block ends."""
    tokens = folder / "actors.json"
    tokens.write_text(json.dumps({actor: hashlib.sha256(f"token of {actor}".encode()).hexdigest() for actor in ACTORS}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    office = StatementOffice(books.payout, books.registry, books.documents, books.printer, books.clock, lambda: None)
    api = Api(books.payout, books.registry, books.intake(), office, lambda: None)
    address = ListenAddress("127.0.0.1", port)
    runner = await serve(address, tokens=ActorTokens(tokens), live=lambda: None, ready=lambda: None, routes=api.routes())
    async with aiohttp.ClientSession() as session:
        yield Payout(books, f"http://127.0.0.1:{port}", session)
    await runner.cleanup()
