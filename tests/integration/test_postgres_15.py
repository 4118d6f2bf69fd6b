"""On the oldest PostgreSQL that Premia runs on: migrations, posting, guards, fsck, rebuild, backup; `make test15` runs more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from premia.commands.migrate import bring_up_to_date
from premia.local.stack import LocalStack
from services.ledger.use_cases.rebuild_derived import rebuild_derived
from tests import postgres_15
from tests.conftest import environment_with_database
from tests.integration.command import premia_with
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.story import fill

pytestmark = pytest.mark.skipif(not postgres_15.IS_THERE, reason=postgres_15.WHY_NOT)


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    with postgres_15.running() as url:
        yield url


async def test_a_ledger_lives_on_it(servers: LocalStack, server_url: str, tmp_path: Path) -> None:
    admin = await asyncpg.connect(server_url)
    assert admin.get_server_version().major == 15
    await admin.execute("CREATE DATABASE here")
    await admin.execute("CREATE DATABASE elsewhere")
    here, elsewhere = [
        environment_with_database(servers, server_url.replace("/postgres", f"/{name}")) for name in ("here", "elsewhere")
    ]
    await bring_up_to_date(here["DATABASE_URL"], here)
    conn = await asyncpg.connect(here["PREMIA_LEDGER_DATABASE_URL"])
    ledger = Ledger(conn, here)
    await fill(ledger)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await conn.execute("DELETE FROM ledger.journal")
    await ledger.as_administrator(
        "UPDATE ledger.balance SET debits = debits + 1, credits = credits + 1", "DELETE FROM ledger.lot_line"
    )
    assert {deviation.code.value for deviation in await ledger.deviations()} == {"BALANCE_WRONG", "LINE_NOT_OWED"}
    owner = await asyncpg.connect(here["DATABASE_URL"])
    async with owner.transaction():
        await rebuild_derived(owner)
    assert await ledger.deviations() == []
    assert (await premia_with(here, "backup", tmp_path / "backup")).exit_code == 0
    restored = await premia_with(elsewhere, "restore", tmp_path / "backup")
    assert restored.exit_code == 0, restored.stderr
    assert (await premia_with(elsewhere, "fsck")).exit_code == 0
    for connection in (conn, owner, admin):
        await connection.close()
