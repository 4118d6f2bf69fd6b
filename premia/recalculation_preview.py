"""What one recalculation does to whom, as of now.

Goal: whoever is about to approve sees what will be posted, not what somebody saw when it was prepared; afterwards what was.
Method: before its decision, all lots are compared anew and those that are still as they were prepared are summed up. Once it is
approved, the ledger's own entitlements tell it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from premia.database import reader
from premia.party_outcome import PartyOutcome
from premia.published_registry import published_registry
from premia.recalculation import PastChanges, past_changes
from premia.recalculation_outcome import ledger_states, posted_outcomes
from premia.service_session import of
from schemas.registry_snapshot import RegistrySnapshot
from services.premium_calculator.adapters.calculating_registry import calculating_registry


@dataclass(frozen=True, slots=True)
class Preview:
    """What each organization had and gets of `lots` lots. `facts` are for machines, `notes` for people."""

    names: Mapping[str, str] = field(default_factory=dict)
    parties: Sequence[PartyOutcome] = ()
    lots: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()


def organization_names(snapshot: RegistrySnapshot) -> Mapping[str, str]:
    """Names by id."""
    return {id_: organization.name for id_, organization in snapshot.organizations.items()}


async def preview_of(found: Mapping[str, Any], servers: str) -> Preview:
    """The preview of a recalculation as the calculator tells it. Raises Unreachable without the ledger's database."""
    in_force = (await published_registry(servers)).in_force
    assert in_force is not None, "a recalculation was prepared under a registry"
    if found["state"] == "withdrawn":
        return Preview()
    async with reader() as conn:
        if found["state"] != "prepared":
            states = await ledger_states(conn, found["content"])
            parties = await posted_outcomes(conn, found["content"])
            notes = (*refused_lots(found), states.in_words(left_out=found["refused"] or 0))
            return Preview(organization_names(in_force), parties, states.accepted, {"ledger": states.as_json()}, notes)
        if found["registry_version"] != in_force.version:
            return Preview(notes=("Another registry is in force by now: withdraw this one and prepare again.",))
        now = await past_changes(conn, servers, calculating_registry(in_force))
    return _as_of_now(found, now, organization_names(in_force))


def _as_of_now(found: Mapping[str, Any], now: PastChanges, names: Mapping[str, str]) -> Preview:
    """What approving does now: the lots that are still as they were prepared."""
    prepared = {(lot["refiner_id"], lot["lot_id"], lot["entitlement_id"]) for lot in found["content"]}
    changes = []
    for change in now.changes:
        lot = change.to_recalculate()
        if (lot.refiner_id, lot.lot_id, str(lot.entitlement_id)) in prepared:
            changes.append(change)
    still = PastChanges(now.registry_version, now.compared, tuple(changes))
    moved_on, others = len(prepared) - len(changes), len(now.changes) - len(changes)
    notes = [f"As of now: {of(len(changes), 'lot')} of {len(prepared):,} are as they were prepared."]
    if moved_on:
        notes.append(f"{of(moved_on, 'lot')} moved on since: nothing would be changed there.")
    if others:
        notes.append(f"{of(others, 'lot')} would change that this one does not have: prepare again afterwards.")
    notes.append(f"Next: another person than {found['prepared_by']} approves it, or anybody gives it up (withdraw):")
    notes.append(f"  premia recalculate approve {found['recalculation_id']} --as ACTOR")
    facts = {"as_prepared": len(changes), "moved_on": moved_on, "not_in_it": others}
    return Preview(names, still.parties(), len(changes), facts, notes)


def refused_lots(found: Mapping[str, Any]) -> list[str]:
    """A sentence for each lot that the calculator left out, as far as it names them."""
    named = found["refused_lots"]
    notes = [f"{lot['refiner_id']}/{lot['lot_id']} was left out: {lot['code']}: {lot['message']}" for lot in named]
    if found["refused"] and found["refused"] > len(named):
        notes.append(f"{found['refused']} lots in all were left out.")
    return notes
