"""A registry as the calculation sees it: prepared once per version, then only looked up.

Method: organizations by id with their statuses by scheme; versions of a scheme in the order of their days. Ranges are
half-open: `ends_before` is the first day no longer included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from schemas.verifying_key import VerifyingKey


@dataclass(frozen=True, slots=True)
class StatusRange:
    """A status over some days."""

    status: str
    starts_on: date
    ends_before: date | None


@dataclass(frozen=True, slots=True)
class Organization:
    """One organization: what it is, and its statuses by scheme."""

    id: str
    kind: str
    community_fund_id: str | None
    statuses: Mapping[str, tuple[StatusRange, ...]]
    signature_required: bool = False
    signing_keys: tuple[VerifyingKey, ...] = ()

    def status_on(self, scheme_id: str, day: date) -> str | None:
        """Its status for a scheme on a day, or None."""
        for entry in self.statuses.get(scheme_id, ()):
            if entry.starts_on <= day and (entry.ends_before is None or day < entry.ends_before):
                return entry.status
        return None


@dataclass(frozen=True, slots=True)
class Rate:
    """What fine gold earns: an amount per mass, or a percentage of its benchmark value; the other parts are None or 0.

    One milligram earns `minor_per_mg` (numerator, denominator) minor units; for a percentage the numerator is 0.
    """

    kind: str
    amount: str | None
    unit: str | None
    percent: str | None
    percent_e12: int
    minor_per_mg: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Scheme:
    """One version of a scheme."""

    id: str
    version: str
    starts_on: date
    ends_before: date | None
    currency: str
    minor_digits: int
    rate: Rate
    floor: str | None
    floor_e12: int | None
    eligible_statuses: frozenset[str]
    provisional_share: str
    provisional_share_e12: int
    producer_part_e12: int
    fund_part_e12: int | None
    splitting_limit_permille_e12: int
    fine_weight_tolerance_g_e12: int
    source_mass_tolerance_g_e12: int


@dataclass(frozen=True, slots=True)
class Registry:
    """One version of the registry."""

    version: str
    organizations: Mapping[str, Organization]
    schemes: Mapping[str, tuple[Scheme, ...]]

    def organization(self, organization_id: str, kind: str) -> Organization | None:
        """An organization of this id and this kind, or None."""
        found = self.organizations.get(organization_id)
        return found if found is not None and found.kind == kind else None

    def scheme_on(self, scheme_id: str, day: date) -> Scheme | None:
        """The version of a scheme in force on a day, or None."""
        for scheme in self.schemes.get(scheme_id, ()):
            if scheme.starts_on <= day and (scheme.ends_before is None or day < scheme.ends_before):
                return scheme
        return None
