"""Who may decide what, by the programme's list of actors.

Method: registry.v1 is followed from its beginning, as everywhere; only markers switch. One list lives in memory for as long as
the process; posting does not wait for it.
"""

from __future__ import annotations

from schemas.registry import ActorRole
from schemas.registry_snapshot import RegistrySnapshot
from services.ledger.errors import RefusalCode, Refused


class ActorRoles:
    """The actors of the newest registry that was read."""

    def __init__(self) -> None:
        """Start knowing nobody."""
        self._snapshot: RegistrySnapshot | None = None

    def use(self, snapshot: RegistrySnapshot) -> None:
        """Take a newer registry."""
        self._snapshot = snapshot

    @property
    def programme_id(self) -> str | None:
        """The programme whose actors they are, or None before the first registry."""
        programme = None if self._snapshot is None else self._snapshot.programme
        return None if programme is None else programme.id

    def refusal(self, actor: str, role: ActorRole) -> Refused | None:
        """None if the actor has the role."""
        programme = None if self._snapshot is None else self._snapshot.programme
        if programme is None:
            return Refused(RefusalCode.REGISTRY_MISSING, "the registry names no programme yet: run premia registry apply")
        if not programme.gives(actor, role):
            message = f"{actor} does not have the role {role} in the programme's list of actors"
            return Refused(RefusalCode.ROLE_MISSING, message)
        return None
