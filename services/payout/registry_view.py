"""What payout knows of the registry: who takes part, who may act, which account pays.

Goal: decisions read one whole registry, never half an apply.
Method: events are kept in the database in their order, and taken by the same assembler as everywhere; only markers switch.
Private records (addresses, accounts as the file claims them) take effect as they come: they verify nothing. One view lives in
memory for as long as the process; taking an event twice changes nothing, so that a batch may be rolled back and read again.
Source: design, section 4; schemas/registry_log.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from schemas.registry import ActorRole, DebtorAccount, Organization, PrivateData, Programme
from schemas.registry_log import (
    Ignored,
    RegistryAssembler,
    read_private_record,
    read_registry_event,
)
from schemas.scheme import Scheme
from services.payout.bank.amount import amount_minor_from_text

if TYPE_CHECKING:
    from services.runtime.database import Connection

EVENTS: Final = "SELECT type, value FROM payout.registry_event ORDER BY position"
PRIVATE_RECORDS: Final = "SELECT value FROM payout.private_record"
COMMUNITY_FUND: Final = "community_fund"
PAYER: Final = "payer"


class RegistryView:
    """The registry as of the last marker that was read, and the private data as of the last record."""

    def __init__(self) -> None:
        """Start knowing nothing."""
        self._assembler = RegistryAssembler()
        self._private: dict[str, PrivateData] = {}

    def take_event(self, type_: str, value: bytes) -> Ignored | None:
        """Take one event of registry.v1. Returns what was ignored, for the log. Raises UnreadableRegistryError."""
        outcome = self._assembler.take(read_registry_event(type_, value))
        return outcome if isinstance(outcome, Ignored) else None

    def take_private_record(self, value: bytes) -> str:
        """Take one record of registry.private.v1 and return whose it is. Raises UnreadableRegistryError."""
        record = read_private_record(value)
        if record.body is None:
            self._private.pop(record.organization_id, None)
        else:
            self._private[record.organization_id] = record.body
        return record.organization_id

    @property
    def version(self) -> str | None:
        """The registry's version, or None before the first marker."""
        return None if self._assembler.current is None else self._assembler.current.version

    @property
    def programme(self) -> Programme | None:
        """The programme, or None while there is none."""
        return None if self._assembler.current is None else self._assembler.current.programme

    def organization(self, organization_id: str) -> Organization | None:
        """An organization of any kind."""
        return None if self._assembler.current is None else self._assembler.current.organizations.get(organization_id)

    def organizations(self) -> Sequence[Organization]:
        """All organizations of all kinds."""
        return () if self._assembler.current is None else tuple(self._assembler.current.organizations.values())

    def scheme(self, scheme_id: str, version: str) -> Scheme | None:
        """The terms of one version of a scheme."""
        return None if self._assembler.current is None else self._assembler.current.schemes.get(f"{scheme_id}@{version}")

    def payer_ids(self) -> list[str]:
        """The payers whose money may arrive."""
        return [organization.id for organization in self.organizations() if organization.kind == PAYER]

    def private(self, id_: str) -> PrivateData:
        """Private data of an organization, or of the programme by its id; empty where there is none."""
        return self._private.get(id_, PrivateData())

    def debtor_account(self) -> DebtorAccount | None:
        """The account that the programme pays from."""
        return None if self.programme is None else self.private(self.programme.id).debtor_account

    def minimum_minor(self) -> dict[str, int]:
        """The least amount that is paid out, by currency, in minor units."""
        minimums = () if self.programme is None else self.programme.minimum_payouts
        return {entry.currency: amount_minor_from_text(entry.amount, entry.currency) for entry in minimums}

    def may(self, actor: str, role: ActorRole) -> bool:
        """Whether the programme's list gives the actor this role."""
        return self.programme is not None and self.programme.gives(actor, role)


async def load_registry(conn: Connection) -> RegistryView:
    """The view as of what the database holds, at the start of the process."""
    view = RegistryView()
    for row in await conn.fetch(EVENTS):
        view.take_event(row["type"], row["value"])
    for row in await conn.fetch(PRIVATE_RECORDS):
        view.take_private_record(row["value"])
    return view
