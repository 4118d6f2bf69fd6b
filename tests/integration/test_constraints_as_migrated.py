"""What fsck expects PostgreSQL to refuse is what the migrations have it refuse, on the newest version and on the oldest.

PREMIA_WRITE_CONSTRAINTS=1 writes what they make now into the file that fsck reads; the difference is that of the migrations.
"""

from __future__ import annotations

import json
import os
from typing import Any

import asyncpg
import pytest

from premia.commands.migrate import bring_up_to_date
from premia.fsck.constraints import AS_MIGRATED, Constraints, read_constraints
from tests import postgres_15


async def as_migrated(url: str) -> Constraints:
    """What an empty database refuses once it is migrated."""
    await bring_up_to_date(url, {})
    conn = await asyncpg.connect(url)
    try:
        async with conn.transaction():
            return await read_constraints(conn)
    finally:
        await conn.close()


def expected() -> Any:
    """What fsck compares with."""
    return json.loads(AS_MIGRATED.read_text(encoding="utf-8"))


async def test_fsck_expects_what_the_migrations_make(database_url: str) -> None:
    made = await as_migrated(database_url)
    if os.environ.get("PREMIA_WRITE_CONSTRAINTS"):
        AS_MIGRATED.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert made == expected(), "PREMIA_WRITE_CONSTRAINTS=1 writes what the migrations make now; read the difference"


@pytest.mark.skipif(not postgres_15.IS_THERE, reason=postgres_15.WHY_NOT)
async def test_the_oldest_postgresql_says_it_in_the_same_words() -> None:
    with postgres_15.running() as url:
        assert await as_migrated(url) == expected()
