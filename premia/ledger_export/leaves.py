"""The ledger as JSON lines: a heading, then every leaf of the log, byte for byte as it was hashed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import orjson

from premia.ledger_export.heading import Heading
from services.ledger.use_cases.export_journal import exported_leaves

if TYPE_CHECKING:
    from services.runtime.database import Connection


async def json_lines(conn: Connection, heading: Heading) -> AsyncIterator[str]:
    """The file line by line, without line ends. Needs an open transaction."""
    yield orjson.dumps({"heading": asdict(heading)}).decode()
    async for leaf in exported_leaves(conn, heading.tree_size):
        yield leaf.decode()
