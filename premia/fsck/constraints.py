"""Whether PostgreSQL itself still refuses what the migrations had it refuse: by checks, keys, references, NOT NULL.

Goal: whoever took a constraint away, or put it back without having the rows looked at that had come in by then, is found out.
Method: what the migrations make of an empty database was read once by the same query and lies beside this file; a test reads it
anew. A constraint that is there with the same words as then is at work and holds for every row. One that the migrations do not
know refuses more and takes nothing away: it is left alone.
Source: design, section 6.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, TypeAlias

from premia.fsck.deviation import Checked, Deviation, DeviationCode
from premia.fsck.streams import Connection

SCHEMAS: Final = ("ledger", "payout")
AS_MIGRATED: Final = Path(__file__).with_suffix(".json")
READ_CONSTRAINTS: Final = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
# A constraint's words name what lies in the search path without its schema. The login's own path must not matter.
NAMES_IN_FULL: Final = "SET LOCAL search_path = ''"

Constraints: TypeAlias = dict[str, dict[str, str]]  # by table, then by kind and name, in PostgreSQL's words


async def read_constraints(conn: Connection) -> Constraints:
    """What PostgreSQL refuses now, in a transaction that the caller opened; its search path is empty from then on."""
    await conn.execute(NAMES_IN_FULL)
    found: Constraints = {}
    for row in await conn.fetch(READ_CONSTRAINTS, list(SCHEMAS)):
        found.setdefault(row["table"], {})[row["name"]] = row["definition"]
    return found


async def check_constraints(conn: Connection, checked: Checked) -> AsyncIterator[Deviation]:
    """Yield every constraint of the migrations that is gone, another one, or not at work, in both schemas."""
    found = await read_constraints(conn)
    expected: Constraints = json.loads(AS_MIGRATED.read_text(encoding="utf-8"))
    for table, constraints in expected.items():
        checked.add("constraints", len(constraints))
        for name, definition in constraints.items():
            there = found.get(table, {}).get(name, "none")
            if there != definition:
                yield Deviation(DeviationCode.CONSTRAINT_MISSING, f"{table}: {name}", definition, there)
