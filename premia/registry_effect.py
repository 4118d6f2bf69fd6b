"""What an apply would change in the past.

Goal: nobody changes what was paid long ago without having read which lots it is.
Method: `premia.recalculation` under the wanted registry, less what the registry in force would change in the same way: that
waits for a recalculation already, with or without this apply. A registry with the same version calculates the same.
Refuses: nothing; where the ledger cannot be reached the effect is unknown, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from premia.connection import Unreachable
from premia.database import reader
from premia.recalculation import PastChanges, past_changes
from schemas.registry_snapshot import RegistrySnapshot
from services.premium_calculator.adapters.calculating_registry import calculating_registry


@dataclass(frozen=True, slots=True)
class Unknown:
    """The ledger did not answer: why."""

    why: str


async def effect_on_the_past(
    servers: str, in_force: RegistrySnapshot | None, wanted: RegistrySnapshot
) -> PastChanges | Unknown:
    """Lots that would be calculated otherwise because of this apply, or could not be calculated any more."""
    if in_force is None or in_force.version == wanted.version:  # nothing was ever calculated, or nothing is otherwise
        return PastChanges(wanted.version, compared=0)
    try:
        async with reader() as conn:
            changes = await past_changes(conn, servers, calculating_registry(wanted))
            if not changes:
                return changes
            return changes.without(await past_changes(conn, servers, calculating_registry(in_force)))
    except Unreachable as error:
        return Unknown(error.message)
