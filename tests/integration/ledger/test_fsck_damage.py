"""Each way to damage a ledger behind its back is found by fsck, and named with its place; nothing else is.

Method: one ledger is filled once; each damage is done and looked for in a transaction of the superuser that is rolled back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import asyncpg
import pytest

from tests.integration.damage import damage, unseen_columns
from tests.integration.ledger.conftest import APPEND_ONLY, Ledger, deviations_on
from tests.integration.ledger.constraint_damages import CONSTRAINT_DAMAGES
from tests.integration.ledger.damages import DAMAGES
from tests.integration.ledger.story import fill

ALL_DAMAGES: Final = DAMAGES | CONSTRAINT_DAMAGES
OF_DEFINITIONS: Final = {"GUARD_MISSING", "CONSTRAINT_MISSING"}  # done as they stand: switching guards on would mend them


@pytest.fixture(scope="module")
def filled(ledger_environment: dict[str, str]) -> dict[str, str]:
    """The variables of a ledger with a story."""

    async def tell() -> None:
        conn = await asyncpg.connect(ledger_environment["PREMIA_LEDGER_DATABASE_URL"])
        try:
            await fill(Ledger(conn, ledger_environment))
        finally:
            await conn.close()

    with ThreadPoolExecutor(1) as thread:  # a loop may be running in this one
        thread.submit(asyncio.run, tell()).result()
    return ledger_environment


@pytest.fixture
async def superuser(filled: dict[str, str]) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A superuser's transaction. What it does is rolled back."""
    conn = await asyncpg.connect(filled["DATABASE_URL"])
    transaction = conn.transaction()
    await transaction.start()
    try:
        yield conn
    finally:
        await transaction.rollback()
        await conn.close()


@pytest.mark.parametrize("name", ALL_DAMAGES)
async def test_damage_is_found_and_named(superuser: asyncpg.Connection[asyncpg.Record], name: str) -> None:
    statement, expected = ALL_DAMAGES[name]
    if expected.keys() <= OF_DEFINITIONS:
        await superuser.execute(statement)
    else:
        await damage(superuser, statement)
    deviations = await deviations_on(superuser)
    for code, where in expected.items():
        places = [deviation.where for deviation in deviations if deviation.code == code]
        assert any(place.startswith(where) for place in places), (code, where, deviations)
    assert {deviation.code.value for deviation in deviations} == set(expected), deviations


# Columns that no other row of the database bears out. Those of entitlements and commands stand on Kafka too, where fsck looks
# if it can; when two persons proposed and decided, nobody else wrote down.
BORNE_OUT_ELSEWHERE: Final = {
    "entitlement.origin",
    "entitlement.sequence",
    "entitlement.effective_on",
    "command.message",
    "correction.proposed_at",
    "correction_decision.decided_at",
}


@pytest.mark.parametrize("table", APPEND_ONLY)
async def test_no_column_of_the_journal_can_be_changed_unseen(
    superuser: asyncpg.Connection[asyncpg.Record], table: str
) -> None:
    unseen = await unseen_columns(superuser, f"ledger.{table}", deviations_on)
    assert {f"{table}.{column}" for column in unseen} <= BORNE_OUT_ELSEWHERE
