"""`premia registry show`: what is in force, what was, and what an organization was on a day.

Method: registry.v1 as every reader assembles it, every version with the time of its apply. Private data are those of now, and
shown by being there only; accounts by their last four characters.
Refuses: an id, a version or the beginning of one that the registry does not have: exit 2.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

import click

from premia.commands.calculate import DAY
from premia.kafka import kafka_servers, run
from premia.published_registry import Applied, PublishedRegistry, published_private_data, published_registry
from premia.registry_words import (
    days_in_words,
    organization_in_words,
    private_in_words,
    programme_in_words,
    status_on,
)
from premia.scheme_words import terms_in_words
from premia.service_session import as_json, of, print_json, print_table
from schemas.cloudevents import time_text
from schemas.registry import Organization, PrivateData
from schemas.registry_snapshot import RegistrySnapshot
from schemas.scheme import Scheme

EXIT_WRONG_INPUT: Final = 2
NAME_CHARS_MAX: Final = 40  # so that a row of the table is one line of a screen.


class NotThere(click.ClickException):
    """The registry has no such id or version."""

    exit_code = EXIT_WRONG_INPUT


@click.command()
@click.argument("name", metavar="[ID]", required=False)
@click.option("--version", "version", metavar="VERSION", help="Of this version, or the beginning of one. Default: in force.")
@click.option("--on", "day", type=DAY, help="What statuses and schemes were on this day.")
@as_json
def show(name: str | None, version: str | None, day: date | None, *, as_json: bool) -> None:
    """Show the registry: what is in force and every version before, or one organization, scheme or programme.

    ID is that of an organization, of the programme, or a scheme's, with or without @VERSION. With --on alone: the status of
    every organization on that day.
    """
    published, private = run(_read(kafka_servers()))
    snapshot = _wanted(published, version)
    if name is None and day is None:
        _show_registry(published, snapshot, as_json=as_json)
    elif name is None:
        assert day is not None, "one of the two is given"
        _show_statuses(snapshot, day, as_json=as_json)
    else:
        # Private data have no versions: what is known now must not stand beside what was then.
        known = private.get(name, PrivateData()) if snapshot is published.in_force else PrivateData()
        _show_record(snapshot, name, known, day, as_json=as_json)


async def _read(servers: str) -> tuple[PublishedRegistry, Mapping[str, PrivateData]]:
    return await published_registry(servers), await published_private_data(servers)


def _wanted(published: PublishedRegistry, version: str | None) -> RegistrySnapshot:
    if published.in_force is None:
        raise NotThere("no registry was ever applied: premia registry apply")
    if version is None:
        return published.in_force
    wanted = version if version.startswith("sha256:") else f"sha256:{version}"
    found = {one.snapshot.version: one.snapshot for one in published.applied if one.snapshot.version.startswith(wanted)}
    if len(found) != 1:
        several = f"{len(found)} versions begin" if found else "no version begins"
        raise NotThere(f"{several} with {wanted}: premia registry show lists them")
    return next(iter(found.values()))


# --- the whole ----------------------------------------------------------------------------------------------------------


def _show_registry(published: PublishedRegistry, snapshot: RegistrySnapshot, *, as_json: bool) -> None:
    kinds = Counter(organization.kind for organization in snapshot.organizations.values())
    programme = snapshot.programme
    if as_json:
        print_json(
            {
                "version": snapshot.version,
                "in_force": snapshot is published.in_force,
                "programme": None if programme is None else programme.model_dump(mode="json"),
                "organizations": dict(sorted(kinds.items())),
                "schemes": sorted(snapshot.schemes),
                "versions": [{"version": one.snapshot.version, "applied_at": time_text(one.at)} for one in published.applied],
            }
        )
        return
    click.echo(f"registry {snapshot.version}" + (", in force" if snapshot is published.in_force else ""))
    if programme is not None:
        click.echo(f"programme {programme.id} {programme.name}")
        for words in _in_lines(programme_in_words(programme)):
            click.echo(words)
    click.echo(f"organizations {len(snapshot.organizations)}: " + ", ".join(f"{kind} {kinds[kind]}" for kind in sorted(kinds)))
    click.echo(f"schemes {len(snapshot.schemes)}: {', '.join(sorted(snapshot.schemes))}")
    click.echo(f"\n{of(len(published.applied), 'apply', 'applies')}, the newest first:")
    print_table(["at", "version", "organizations", "schemes"], [_row(one) for one in reversed(published.applied)], right=[2, 3])


def _row(one: Applied) -> list[str]:
    snapshot = one.snapshot
    return [f"{one.at:%Y-%m-%d %H:%M} UTC", snapshot.version, str(len(snapshot.organizations)), str(len(snapshot.schemes))]


def _show_statuses(snapshot: RegistrySnapshot, day: date, *, as_json: bool) -> None:
    rows = [
        (organization, scheme, status)
        for organization in snapshot.organizations.values()
        for scheme, status in _statuses_on(organization, day).items()
    ]
    if as_json:
        statuses = [{"organization_id": one.id, "scheme": scheme, "status": status} for one, scheme, status in rows]
        print_json({"version": snapshot.version, "on": day, "statuses": statuses})
        return
    print_table(
        ["organization", "name", "scheme", "status"],
        [[one.id, one.name[:NAME_CHARS_MAX], scheme, status] for one, scheme, status in rows],
    )
    click.echo(f"{len(rows)} statuses on {day}", err=True)


def _statuses_on(organization: Organization, day: date) -> dict[str, str]:
    found = {scheme: status_on(organization.statuses, scheme, day) for scheme in _schemes_of(organization)}
    return {scheme: status for scheme, status in found.items() if status is not None}


def _schemes_of(organization: Organization) -> Sequence[str]:
    return sorted({status.scheme for status in organization.statuses})


# --- one record ---------------------------------------------------------------------------------------------------------


def _show_record(snapshot: RegistrySnapshot, name: str, private: PrivateData, day: date | None, *, as_json: bool) -> None:
    organization = snapshot.organizations.get(name)
    if organization is not None:
        _show_organization(organization, private, day, as_json=as_json)
    elif snapshot.programme is not None and snapshot.programme.id == name:
        programme = snapshot.programme
        if as_json:
            print_json({**programme.model_dump(mode="json"), "private": private_in_words(private)})
            return
        click.echo(f"programme {programme.id}")
        for line in _in_lines(programme_in_words(programme) | private_in_words(private)):
            click.echo(line)
    else:
        _show_schemes(_schemes_named(snapshot, name, day), as_json=as_json)


def _show_organization(organization: Organization, private: PrivateData, day: date | None, *, as_json: bool) -> None:
    statuses = _statuses_on(organization, day) if day is not None else None
    if as_json:
        told: dict[str, Any] = {"private": private_in_words(private)}
        if day is not None:
            told |= {"on": day, "statuses_on": statuses}
        print_json(organization.model_dump(mode="json", by_alias=True) | told)
        return
    click.echo(f"organization {organization.id} {organization.name}")
    if day is not None:
        for scheme in _schemes_of(organization):
            click.echo(f"  {scheme} on {day}: {(statuses or {}).get(scheme, 'no status')}")
        return
    for line in _in_lines(organization_in_words(organization) | private_in_words(private)):
        click.echo(line)
    for status in sorted(organization.statuses, key=lambda status: (status.scheme, status.starts_on)):
        click.echo(f"  {status.scheme}: {status.status} {days_in_words(status)}")


def _schemes_named(snapshot: RegistrySnapshot, name: str, day: date | None) -> list[Scheme]:
    id_, _, version = name.partition("@")
    found = [scheme for scheme in snapshot.schemes.values() if scheme.id == id_ and version in {"", scheme.version}]
    if not found:
        known = [*snapshot.organizations, *snapshot.schemes, *(scheme.id for scheme in snapshot.schemes.values())]
        close = difflib.get_close_matches(name, known, n=1)
        hint = f": did you mean {close[0]}?" if close else ""
        raise NotThere(f"registry {snapshot.version} has no {name}{hint}")
    if day is not None:
        found = [scheme for scheme in found if scheme.valid.contains(day)]
        if not found:
            raise NotThere(f"no version of {name} was in force on {day}")
    return sorted(found, key=lambda scheme: scheme.valid.starts_on)


def _show_schemes(found: Sequence[Scheme], *, as_json: bool) -> None:
    if as_json:
        print_json([scheme.model_dump(mode="json", by_alias=True, exclude_none=True) for scheme in found])
        return
    for scheme in found:
        click.echo(f"scheme {scheme.record_id}")
        for sentence in terms_in_words(scheme).values():
            click.echo(f"  {sentence}")


def _in_lines(words: Mapping[str, str]) -> Iterator[str]:
    return (f"  {name}: {text}" for name, text in words.items() if name != "name")
