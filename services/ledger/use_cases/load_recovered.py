"""Load what was taken back from the log after an old backup was restored, as far as a batch may come across it.

Method: as load_books. Nearly every ledger has nothing of the kind, so it is asked first whether there is anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from services.ledger.adapters.messages import command_outcome_id
from services.ledger.domain.books import Answered, Books, RecoveredPosting
from services.ledger.domain.command import Command
from services.ledger.domain.entitlement import Entitlement

if TYPE_CHECKING:
    from services.runtime.database import Connection

ANYTHING: Final = """
    SELECT EXISTS (SELECT FROM ledger.recovered_posting) AS postings,
        EXISTS (SELECT FROM ledger.recovered_outcome) AS outcomes"""
POSTINGS: Final = """
    SELECT entitlement_id::text, first_leaf, leaves, recorded_at FROM ledger.recovered_posting
    WHERE entitlement_id = ANY ($1::uuid[])"""
OUTCOMES: Final = """
    SELECT outcome_id::text, code, message, recorded_at FROM ledger.recovered_outcome WHERE outcome_id = ANY ($1::uuid[])"""


async def load_recovered(
    conn: Connection, books: Books, entitlements: Sequence[Entitlement], commands: Sequence[Command]
) -> None:
    """Load it for these records."""
    anything = await conn.fetchrow(ANYTHING)
    assert anything is not None, "it answers for every database"
    if entitlements and anything["postings"]:
        for row in await conn.fetch(POSTINGS, [entitlement.entitlement_id for entitlement in entitlements]):
            entitlement_id, first_leaf, leaves, recorded_at = row
            books.recovered_postings[entitlement_id] = RecoveredPosting(first_leaf, leaves, recorded_at)
    if commands and anything["outcomes"]:
        by_id = {command_outcome_id(command.command_id, command.command_hash): command for command in commands}
        for row in await conn.fetch(OUTCOMES, list(by_id)):
            outcome_id, code, message, recorded_at = row
            command = by_id[outcome_id]
            answered = Answered(command.command_hash, code, message, None, recorded_at)
            books.recovered_outcomes[command.command_id, command.command_hash] = answered
