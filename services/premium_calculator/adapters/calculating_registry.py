"""A registry snapshot, prepared for the calculation.

Goal: looking up a status or a scheme costs a sale next to nothing.
Method: once per registry version: statuses by scheme, versions of a scheme by day, rates as exact fractions.
"""

from __future__ import annotations

from schemas.base64url import from_base64url
from schemas.currencies import minor_digits
from schemas.fixed_point import scaled_e12
from schemas.registry import Organization as OrganizationContract
from schemas.registry import SigningKey
from schemas.registry_snapshot import RegistrySnapshot
from schemas.scheme import FINE_WEIGHT_TOLERANCE_G, SOURCE_MASS_TOLERANCE_G, SPLITTING_LIMIT_PERMILLE, PerMass
from schemas.scheme import Rate as RateContract
from schemas.scheme import Scheme as SchemeContract
from schemas.units import GRAMS_E7
from schemas.verifying_key import VerifyingKey
from services.premium_calculator.domain.premium import minor_per_mg
from services.premium_calculator.domain.registry import Organization, Rate, Registry, Scheme, StatusRange


def calculating_registry(snapshot: RegistrySnapshot) -> Registry:
    """Prepare a snapshot."""
    versions: dict[str, list[Scheme]] = {}
    for scheme in snapshot.schemes.values():
        versions.setdefault(scheme.id, []).append(_scheme(scheme))
    return Registry(
        version=snapshot.version,
        organizations={id_: _organization(organization) for id_, organization in snapshot.organizations.items()},
        schemes={id_: tuple(sorted(found, key=lambda scheme: scheme.starts_on)) for id_, found in versions.items()},
    )


def _organization(organization: OrganizationContract) -> Organization:
    statuses: dict[str, tuple[StatusRange, ...]] = {}
    for entry in sorted(organization.statuses, key=lambda status: status.starts_on):
        status = StatusRange(entry.status, entry.starts_on, entry.ends_before)
        statuses[entry.scheme] = (*statuses.get(entry.scheme, ()), status)
    return Organization(
        organization.id,
        organization.kind,
        organization.community_fund_id,
        statuses,
        organization.signature_required,
        tuple(_verifying_key(key) for key in organization.signing_keys),
    )


def _verifying_key(key: SigningKey) -> VerifyingKey:
    public_key = from_base64url(key.public_key)
    assert public_key is not None, "the contract took it"
    return VerifyingKey(key.key_id, public_key, key.starts_on, key.ends_before)


def _scheme(scheme: SchemeContract) -> Scheme:
    digits = minor_digits(scheme.currency)
    floor = scheme.floor.min_share_of_benchmark if scheme.floor else None
    fund_part = scheme.split.community_fund
    return Scheme(
        id=scheme.id,
        version=scheme.version,
        starts_on=scheme.valid.starts_on,
        ends_before=scheme.valid.ends_before,
        currency=scheme.currency,
        minor_digits=digits,
        rate=_rate(scheme.rate, digits),
        floor=floor,
        floor_e12=None if floor is None else scaled_e12(floor),
        eligible_statuses=frozenset(scheme.eligible_statuses),
        provisional_share=scheme.provisional_share,
        provisional_share_e12=scaled_e12(scheme.provisional_share),
        producer_part_e12=scaled_e12(scheme.split.producer),
        fund_part_e12=None if fund_part is None else scaled_e12(fund_part),
        splitting_limit_permille_e12=scaled_e12(scheme.splitting_limit_permille or SPLITTING_LIMIT_PERMILLE),
        fine_weight_tolerance_g_e12=scaled_e12(scheme.fine_weight_tolerance_g or FINE_WEIGHT_TOLERANCE_G),
        source_mass_tolerance_g_e12=scaled_e12(scheme.source_mass_tolerance_g or SOURCE_MASS_TOLERANCE_G),
    )


def _rate(rate: RateContract, digits: int) -> Rate:
    if isinstance(rate, PerMass):
        per_mg = minor_per_mg(scaled_e12(rate.amount), GRAMS_E7[rate.unit], digits)
        return Rate(rate.kind, rate.amount, rate.unit, percent=None, percent_e12=0, minor_per_mg=per_mg)
    percent_e12 = scaled_e12(rate.percent)
    return Rate(rate.kind, amount=None, unit=None, percent=rate.percent, percent_e12=percent_e12, minor_per_mg=(0, 1))
