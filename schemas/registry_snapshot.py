"""One version of a programme's registry, whole.

Goal: whoever calculates, pays or reports says which registry it used, by one short name.
Method: the version is the hash of what the calculation reads and of nothing else, so that a new phone number is no new
version and a new status is. Fields that are absent are left out of the hash: a field added to the format later changes
no version of before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from schemas.canonical_json import payload_hash
from schemas.registry import Organization, PrivateData, Programme
from schemas.scheme import Scheme

ORGANIZATION_FIELDS: Final = {"id", "kind", "community_fund_id", "statuses"}
SCHEME_FIELDS: Final = {
    "id",
    "version",
    "valid",
    "currency",
    "rate",
    "floor",
    "eligible_statuses",
    "provisional_share",
    "split",
    "splitting_limit_permille",
    "fine_weight_tolerance_g",
    "source_mass_tolerance_g",
}


@dataclass(frozen=True, slots=True)
class RegistrySnapshot:
    """What is public of a registry. Organizations by id, schemes by `scheme_id@version`."""

    version: str
    programme: Programme | None
    organizations: Mapping[str, Organization]
    schemes: Mapping[str, Scheme]


@dataclass(frozen=True, slots=True)
class LoadedRegistry:
    """A registry as files have it: public, and the private data by organization id (and by the programme's)."""

    snapshot: RegistrySnapshot
    private: Mapping[str, PrivateData]


def registry_snapshot(
    programme: Programme | None, organizations: Mapping[str, Organization], schemes: Mapping[str, Scheme]
) -> RegistrySnapshot:
    """A snapshot with its version computed."""
    return RegistrySnapshot(registry_version(organizations, schemes), programme, organizations, schemes)


def registry_version(organizations: Mapping[str, Organization], schemes: Mapping[str, Scheme]) -> str:
    """Hash of what the calculation reads; the order of entries, statuses and versions in the files does not count."""
    return payload_hash(
        {
            "organizations": [_calculating_part(organizations[id_]) for id_ in sorted(organizations)],
            "schemes": [
                schemes[id_].model_dump(mode="json", by_alias=True, exclude_none=True, include=SCHEME_FIELDS)
                | {"eligible_statuses": sorted(schemes[id_].eligible_statuses)}
                for id_ in sorted(schemes)
            ],
        }
    )


def _calculating_part(organization: Organization) -> dict[str, object]:
    part: dict[str, object] = organization.model_dump(
        mode="json", by_alias=True, exclude_none=True, include=ORGANIZATION_FIELDS - {"statuses"}
    )
    ordered = sorted(organization.statuses, key=lambda status: (status.scheme, status.starts_on))
    if organization.signature_required:
        part["signature_required"] = True
    if organization.signing_keys:
        keys = sorted(organization.signing_keys, key=lambda key: key.key_id)
        part["signing_keys"] = [key.model_dump(mode="json", by_alias=True, exclude_none=True) for key in keys]
    part["statuses"] = [status.model_dump(mode="json", by_alias=True, exclude_none=True) for status in ordered]
    return part
