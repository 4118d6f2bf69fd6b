"""The files of the sample programme, as the demo reads them.

Refuses: a file that is missing or damaged, with one line that names it, exit 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import click
import yaml

import samples
import schemes

FOLDER: Final = Path(samples.__file__).parent
SCHEMES: Final = Path(schemes.__file__).parent
PROGRAMME: Final = FOLDER / "programme.yaml"
SALES: Final = FOLDER / "sales.jsonl.gz"


class SampleDamaged(click.ClickException):
    """A file of the sample cannot be used; one line says which and why."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Cycle:
    """One settlement: its business date, the period of its statements (half-open), the day they are issued."""

    settles_on: date
    period_from: date
    period_to: date
    statements_on: date


@dataclass(frozen=True, slots=True)
class VerifiedAccount:
    """A payment account, who proposed it and who verified it, when and how. `details` is what the bank needs."""

    organization_id: str
    currency: str
    details: dict[str, Any]
    proposed_by: str
    verified_by: str
    verified_on: date
    method: str
    evidence: str


def read_cycles(file: Path = FOLDER / "cycles.yaml") -> list[Cycle]:
    """Return all cycles in order."""
    return [
        Cycle(
            settles_on=row["settles_on"],
            period_from=row["period"]["from"],
            period_to=row["period"]["to"],
            statements_on=row["statements_on"],
        )
        for row in _rows(file, "cycles")
    ]


def read_accounts(file: Path = FOLDER / "accounts.yaml") -> list[VerifiedAccount]:
    """Return all accounts of the sample."""
    apart = {"organization_id", "currency", "proposed_by", "proposed_on", "verified_by", "verified_on", "method", "evidence"}
    return [
        VerifiedAccount(
            organization_id=row["organization_id"],
            currency=row["currency"],
            details={name: value for name, value in row.items() if name not in apart},
            proposed_by=row["proposed_by"],
            verified_by=row["verified_by"],
            verified_on=row["verified_on"],
            method=row["method"],
            evidence=row["evidence"],
        )
        for row in _rows(file, "accounts")
    ]


def _rows(file: Path, name: str) -> list[dict[str, Any]]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SampleDamaged(f"{file.name}: cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise SampleDamaged(f"{file.name}: is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or not isinstance(content.get(name), list):
        raise SampleDamaged(f"{file.name}: {name}: a list is expected")
    rows: list[dict[str, Any]] = content[name]
    return rows
