"""What a recalculation changes, as tables, sentences and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from premia.service_session import of, print_table

if TYPE_CHECKING:
    from premia.party_outcome import PartyOutcome
    from premia.recalculation import LotChange, PastChanges

NAME_CHARS_MAX: Final = 40  # so that a row of the table is one line of a screen.
NAMED_LOTS_MAX: Final = 20  # a screen; --json has all.


def print_lots(changes: Sequence[LotChange], *, err: bool = False) -> None:
    """A row for each lot and currency, with the organizations whose part changes. `err`: on stderr."""
    rows = []
    for change in changes:
        for total in change.totals:
            changed = sorted(outcome.organization_id for outcome in change.outcomes if outcome.currency == total.currency)
            revision = str(change.head.replaces.revision)
            rows.append([change.head.name, revision, *total.figures(), ", ".join(changed) or "terms only"])
    if rows:
        headings = ["lot", "revision", "currency", "now", "proposed", "difference", "changes for"]
        print_table(headings, rows, right=[1, 3, 4, 5], err=err)


def print_parties(
    parties: Sequence[PartyOutcome], totals: Sequence[PartyOutcome], names: Mapping[str, str], *, err: bool = False
) -> None:
    """A row for each organization and currency, and one sum a currency. `err`: on stderr."""
    rows = [
        [party.organization_id, names.get(party.organization_id, "")[:NAME_CHARS_MAX], str(party.lots), *party.figures()]
        for party in parties
    ]
    rows += [["total", "", str(total.lots), *total.figures()] for total in totals]
    if rows:
        headings = ["organization", "name", "lots", "currency", "now", "proposed", "difference"]
        print_table(headings, rows, right=[2, 4, 5, 6], err=err)


def tell_changes(found: PastChanges) -> None:
    """In a sentence, and each lot that cannot be calculated again."""
    compared = f"{found.compared:,} whose latest calculation is of another registry version"
    click.echo(f"{of(len(found.changes), 'lot')} would change, of {compared}.", err=True)
    tell_rejected(found)


def tell_rejected(found: PastChanges) -> None:
    """Each lot that cannot be calculated again, as far as they fit a screen."""
    for lot in found.rejected[:NAMED_LOTS_MAX]:
        click.echo(f"{lot.head.name} cannot be calculated again and stays: {lot.code} {lot.field}: {lot.message}", err=True)
    if len(found.rejected) > NAMED_LOTS_MAX:
        click.echo(f"{len(found.rejected):,} lots in all cannot be calculated again, and stay as they are", err=True)


def changes_as_json(found: PastChanges) -> dict[str, Any]:
    """Everything that would change."""
    return {
        "registry_version": found.registry_version,
        "compared": found.compared,
        "lots": [
            {
                **change.to_recalculate().model_dump(mode="json"),
                "organizations": [{"organization_id": one.organization_id, **one.as_json()} for one in change.outcomes],
            }
            for change in found.changes
        ],
        **parties_as_json(found.parties(), found.totals()),
        "not_calculated": [
            {
                "refiner_id": lot.head.refiner_id,
                "lot_id": lot.head.lot_id,
                "code": lot.code,
                "field": lot.field,
                "message": lot.message,
            }
            for lot in found.rejected
        ],
    }


def parties_as_json(parties: Sequence[PartyOutcome], totals: Sequence[PartyOutcome]) -> dict[str, Any]:
    """Organizations and sums."""
    return {
        "organizations": [{"organization_id": party.organization_id, **party.as_json()} for party in parties],
        "totals": [total.as_json() for total in totals],
    }
