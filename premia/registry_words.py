"""What one registry changes against another, field by field, and what a record says, in words.

Goal: who applies a registry, or audits one, reads what was and what becomes, never two files side by side.
Method: the differing records are those that an apply would publish (`schemas.registry_log.plan_apply`), so nothing is told that
is not written. Statuses are compared day by day: what counts is what an organization was on a day. Schemes are told by
`scheme_words`.
Refuses: to show what is private; an account appears by its currency and last four characters, the rest by being there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from pydantic import BaseModel

from premia.scheme_words import Difference, differences
from schemas.registry import Organization, PaymentAccount, PrivateData, Programme, Status
from schemas.registry_log import RegistryApply
from schemas.registry_snapshot import RegistrySnapshot
from schemas.scheme import DateRange, Scheme

LAST_CHARS: Final = 4
NOTHING: Final = "none"
PRIVATE: Final = "private data"
Body = Programme | Organization | Scheme


@dataclass(frozen=True, slots=True)
class RecordDifference:
    """A record that was added, removed or changed; `differences` only where it was changed."""

    kind: str
    id: str
    change: str
    differences: tuple[Difference, ...] = ()


def record_differences(
    plan: RegistryApply, current: RegistrySnapshot | None, current_private: Mapping[str, PrivateData]
) -> list[RecordDifference]:
    """Everything that the apply would change, public records first."""
    bodies = _bodies(current)
    found = [
        _record_difference(record.kind, record.id, bodies.get((record.kind, record.id)), record.body) for record in plan.records
    ]
    for private in plan.private_records:
        old, new = current_private.get(private.organization_id) or PrivateData(), private.body or PrivateData()
        told = _by_field(old, new, private_in_words(old), private_in_words(new))
        found.append(RecordDifference(PRIVATE, private.organization_id, "changed", tuple(told)))
    return found


def _bodies(snapshot: RegistrySnapshot | None) -> dict[tuple[str, str], Body]:
    if snapshot is None:
        return {}
    bodies: dict[tuple[str, str], Body] = {("organization", id_): body for id_, body in snapshot.organizations.items()}
    bodies |= {("scheme", id_): body for id_, body in snapshot.schemes.items()}
    if snapshot.programme is not None:
        bodies["programme", snapshot.programme.id] = snapshot.programme
    return bodies


def _record_difference(kind: str, id_: str, old: Body | None, new: Body | None) -> RecordDifference:
    match old, new:
        case Organization(), Organization():
            found = _by_field(old, new, organization_in_words(old), organization_in_words(new))
            found += status_changes(old.statuses, new.statuses)
        case Programme(), Programme():
            found = _by_field(old, new, programme_in_words(old), programme_in_words(new))
        case Scheme(), Scheme():
            found = differences(old, new)
        case _:
            return RecordDifference(kind, id_, "removed" if new is None else "added")
    return RecordDifference(kind, id_, "changed", tuple(found))


def _by_field(old: BaseModel, new: BaseModel, before: Mapping[str, str], after: Mapping[str, str]) -> list[Difference]:
    """Every field that differs; one that reads the same in words, such as another bank of the same account, as changed."""
    found = []
    for name in type(old).model_fields:
        if name == "statuses" or getattr(old, name) == getattr(new, name):
            continue
        was, becomes = before.get(name, NOTHING), after.get(name, NOTHING)
        found.append(Difference(name, was, becomes, "changed" if was == becomes else f"{was} becomes {becomes}"))
    return found


# --- words --------------------------------------------------------------------------------------------------------------


def organization_in_words(organization: Organization) -> dict[str, str]:
    """What is public of an organization but for its statuses, by field; what it does not have is left out."""
    capacity = organization.annual_capacity
    words = {
        "name": organization.name,
        "country": organization.country,
        "kind": organization.kind,
        "language": organization.language,
        "beneficiaries": None if organization.beneficiaries is None else str(organization.beneficiaries),
        "annual_capacity": None if capacity is None else f"{capacity.value} {capacity.unit}",
        "community_fund_id": organization.community_fund_id,
        "support_periods": _joined(days_in_words(period) for period in organization.support_periods),
        "signature_required": "yes" if organization.signature_required else None,
        "signing_keys": _joined(f"{key.key_id} {days_in_words(key)}" for key in organization.signing_keys),
    }
    return {name: text for name, text in words.items() if text}


def programme_in_words(programme: Programme) -> dict[str, str]:
    """What is public of the programme, by field."""
    words = {
        "name": programme.name,
        "synthetic": "yes" if programme.synthetic else None,
        "minimum_payouts": _joined(f"{minimum.currency} {minimum.amount}" for minimum in programme.minimum_payouts),
        "actors": _joined(f"{actor.id} ({', '.join(sorted(actor.roles))})" for actor in programme.actors),
        "calendar": programme.calendar,
        "provisional_payer_id": programme.provisional_payer_id,
    }
    return {name: text for name, text in words.items() if text}


def private_in_words(private: PrivateData) -> dict[str, str]:
    """That there are a tax number, an address, contacts; accounts by currency and last four characters."""
    words = {
        "tax_id": "on record" if private.tax_id else None,
        "address": "on record" if private.address else None,
        "payment_accounts": _joined(map(_account_in_words, private.payment_accounts)),
        "contacts": f"{len(private.contacts)} on record" if private.contacts else None,
        "debtor_account": None
        if private.debtor_account is None
        else f"{private.debtor_account.currency} {last_four(private.debtor_account.account)}",
    }
    return {name: text for name, text in words.items() if text}


def _account_in_words(account: PaymentAccount) -> str:
    return f"{account.currency} {last_four(account.account)}"


def last_four(account: str) -> str:
    """The end of an account's number; of a very short one nothing."""
    return f"…{account[-LAST_CHARS:]}" if len(account) > 2 * LAST_CHARS else "…"


def days_in_words(days: DateRange) -> str:
    """`from 2021-01-01`, with the first day no longer included where there is one."""
    return f"from {days.starts_on}" + ("" if days.ends_before is None else f" up to, but not on, {days.ends_before}")


def _joined(words: Iterable[str]) -> str:
    return ", ".join(words)


# --- statuses -----------------------------------------------------------------------------------------------------------


def status_on(statuses: Sequence[Status], scheme: str, day: date) -> str | None:
    """What an organization is to a scheme on a day, or None."""
    return next((status.status for status in statuses if status.scheme == scheme and status.contains(day)), None)


def status_changes(old: Sequence[Status], new: Sequence[Status]) -> list[Difference]:
    """On which days an organization's status is another one, scheme by scheme."""
    found = []
    for scheme in sorted({status.scheme for status in (*old, *new)}):
        of_scheme = [status for status in (*old, *new) if status.scheme == scheme]
        days = sorted({day for status in of_scheme for day in (status.starts_on, status.ends_before) if day is not None})
        stretches: list[tuple[date, str, str]] = []
        for day in days:
            both = (status_on(old, scheme, day) or NOTHING, status_on(new, scheme, day) or NOTHING)
            if not stretches or stretches[-1][1:] != both:
                stretches.append((day, *both))
        ends = [stretch[0] for stretch in stretches[1:]]
        for (starts_on, before, after), ends_before in zip(stretches, [*ends, None], strict=True):
            if before != after:
                when = days_in_words(DateRange(starts_on=starts_on, ends_before=ends_before))
                found.append(Difference(f"status in {scheme}", before, after, f"{before} becomes {after} {when}"))
    return found
