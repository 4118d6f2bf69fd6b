"""A programme with its ledger, its payout and its bank, for each test anew."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

import services
from premia.local.stack import LocalStack
from services.payout.adapters.statement_printer import StatementPrinter
from services.runtime.database import open_pool
from services.runtime.migrations import migrate
from tests.conftest import environment_with_database
from tests.integration.payout.books import Books, registry_file
from tests.integration.payout.listening import Payout, listening
from tests.integration.proofs import prove_all
from tests.mock_bank import MockBank, running_mock_bank

BANK_OPENS: str = "2025-03-27T09:00"


@pytest.fixture(scope="session")
def printer() -> Iterator[StatementPrinter]:
    """Starting its processes takes seconds: once is enough."""
    printer = StatementPrinter()
    yield printer
    printer.close()


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[MockBank]:
    with running_mock_bank(tmp_path, clock=BANK_OPENS) as running:
        yield running


@pytest.fixture
async def books(
    servers: LocalStack, database_url: str, bank: MockBank, printer: StatementPrinter, tmp_path: Path
) -> AsyncIterator[Books]:
    """Both schemas, a registry that was applied, and verified accounts for nobody yet. After the test fsck looks at them.

    What a test leaves in them is proven afterwards, as an auditor would. The schemas are made anew for each test in the
    module's database: dropping a database takes half a second, a schema a fiftieth of one.
    """
    environment = environment_with_database(servers, database_url)
    admin = await asyncpg.connect(environment["DATABASE_URL"])
    await admin.execute("DROP SCHEMA IF EXISTS ledger CASCADE; DROP SCHEMA IF EXISTS payout CASCADE")
    await admin.execute("DROP TABLE IF EXISTS public.premia_migration")
    folder = Path(services.__path__[0])
    for schema, login in (("ledger", "premia_ledger"), ("payout", "premia_payout")):
        await migrate(admin, schema=schema, folder=folder / schema / "migrations")
        if not await admin.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", login):
            await admin.execute(f"CREATE ROLE {login} LOGIN PASSWORD '{servers.state.passwords[login]}'")
        await admin.execute(f"GRANT {schema}_writer TO {login}")
    await admin.close()
    ledger = await open_pool(environment["PREMIA_LEDGER_DATABASE_URL"])
    payout = await open_pool(environment["PREMIA_PAYOUT_DATABASE_URL"])
    try:
        books = Books(ledger, payout, bank, tmp_path, environment["DATABASE_URL"], printer)
        await books.apply_registry(registry_file())
        yield books
        deviations = await books.deviations()
        assert books.damaged or {deviation.code for deviation in deviations} <= books.deviates, deviations
        async with books.admin() as conn:
            await prove_all(conn, tmp_path / "log", books.document)
    finally:
        ledger.terminate()
        payout.terminate()


@pytest.fixture
async def payout(books: Books, tmp_path: Path) -> AsyncIterator[Payout]:
    """The books' payout, listening."""
    async with listening(books, tmp_path) as payout:
        yield payout
