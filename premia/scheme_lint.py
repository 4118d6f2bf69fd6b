"""What is wrong with a folder of schemes, and with a registry that names them: everything at once.

Goal: who keeps the terms of contracts sees all findings with file and line before anything is applied.
Method: each file by the contract, all faults of it; then the rules that join files, on what can be read of each: the days of a
scheme's versions, the statuses that the registry knows, what the terms rest on. Errors would make a sale be rejected or paid
wrongly; notes are what a person should know.
Refuses: nothing; a file that cannot be read is a finding.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from premia.printable import printable
from schemas.registry import REPEATED_ID, RegistryFile
from schemas.registry_file import CheckedFile, RegistryFileError, check_file, scheme_files
from schemas.scheme import DateRange, Scheme


class Severity(StrEnum):
    """Whether it must be mended."""

    ERROR = "error"
    NOTE = "note"


class LintCode(StrEnum):
    """What was found."""

    INVALID = "INVALID"  # the file or a field of it breaks the format; a split that does not sum to 1 is one of these
    CITATION_MISSING = "CITATION_MISSING"  # terms that rest on nothing
    DUPLICATE_VERSION = "DUPLICATE_VERSION"
    OVERLAP = "OVERLAP"  # two versions in force on one day
    GAP = "GAP"  # days between two versions: sales of them are rejected
    UNKNOWN_STATUS = "UNKNOWN_STATUS"  # eligible, and nobody of those who take part in the scheme ever has it
    UNUSED = "UNUSED"  # nobody takes part in the scheme
    UNKNOWN_SCHEME = "UNKNOWN_SCHEME"  # the registry has a status in a scheme that does not exist
    ASSUMED = "ASSUMED"  # the terms are nobody's word yet
    UNKNOWN_FUND = "UNKNOWN_FUND"  # a community fund that does not exist: under a scheme that pays one, sales are rejected
    KEY_MISSING = "KEY_MISSING"  # a refiner's sales must be signed, and it has no key: all are rejected


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. `line` counts from 1; None where the file as a whole is meant."""

    severity: Severity
    code: LintCode
    file: str
    line: int | None
    message: str

    @property
    def place(self) -> str:
        """File and line, as editors take it."""
        return f"{self.file}:{self.line}" if self.line else self.file


CITATION_SCHEMES: Final = frozenset({"http", "https"})


@dataclass(frozen=True, slots=True)
class _Version:
    """What can be read of a scheme file, whatever else is wrong with it."""

    checked: CheckedFile[Scheme]
    id: str
    version: str
    valid: DateRange | None


def lint_schemes(folder: Path, registry_file: Path | None) -> list[Finding]:
    """All findings, by file and line."""
    findings: list[Finding] = []
    versions: list[_Version] = []
    unreadable = False
    try:
        files = scheme_files(folder)
    except RegistryFileError as error:
        files = []
        findings.append(_invalid(error))
    for file in files:
        try:
            checked = check_file(file, Scheme)
        except RegistryFileError as error:
            findings.append(_invalid(error))
            unreadable = True
            continue
        findings += _of_one_file(checked)
        version = _version(checked)
        if version is None:
            unreadable = True
        else:
            versions.append(version)
    findings += _days(versions)
    if registry_file is not None:
        of_registry = _of_registry(registry_file, versions)
        # A scheme that seems not to exist may be the one that cannot be read.
        findings += [found for found in of_registry if not (unreadable and found.code is LintCode.UNKNOWN_SCHEME)]
    told = dict.fromkeys(replace(finding, message=printable(finding.message)) for finding in findings)
    return sorted(told, key=lambda finding: (finding.file, finding.line or 0, finding.code))


def _of_one_file(checked: CheckedFile[Scheme]) -> Iterator[Finding]:
    for fault in checked.faults:
        code = LintCode.CITATION_MISSING if fault.message.startswith("citations") else LintCode.INVALID
        yield _invalid(fault, code)
    scheme = checked.contract
    if scheme is None:
        return
    file = str(checked.file)
    for row, citation in enumerate(scheme.citations):
        if not any(sign.isalnum() for sign in citation):
            message = f"citations.{row}: names no source: write where the rate stands, as a link or as contract and clause"
            yield Finding(Severity.ERROR, LintCode.CITATION_MISSING, file, checked.line("citations", row), message)
    if scheme.verified == "public" and not any(map(_is_link, scheme.citations)):
        message = "citations: `verified: public` needs a link that anybody can follow"
        yield Finding(Severity.ERROR, LintCode.CITATION_MISSING, file, checked.line("citations"), message)
    if scheme.verified == "assumed":
        message = f"{scheme.record_id} is assumed: have it confirmed by contract before real money moves"
        yield Finding(Severity.NOTE, LintCode.ASSUMED, file, checked.line("verified"), message)


def _is_link(citation: str) -> bool:
    parts = urlsplit(citation)
    return parts.scheme in CITATION_SCHEMES and bool(parts.netloc)


def _version(checked: CheckedFile[Scheme]) -> _Version | None:
    value = checked.value
    if not isinstance(value, dict) or not isinstance(value.get("id"), str):
        return None
    try:
        valid = DateRange.model_validate(value.get("valid"))
    except ValidationError:
        valid = None  # told as a fault of the file already
    return _Version(checked, value["id"], str(value.get("version", "")), valid)


def _days(versions: Sequence[_Version]) -> Iterator[Finding]:
    """Versions of one scheme follow each other day by day: what overlaps, what is twice, what is missing between."""
    by_scheme: defaultdict[str, list[tuple[DateRange, _Version]]] = defaultdict(list)
    first: dict[tuple[str, str], _Version] = {}
    for version in versions:
        if version.valid is not None:
            by_scheme[version.id].append((version.valid, version))
        known = first.setdefault((version.id, version.version), version)
        if known is not version:
            message = f"version: {version.id}@{version.version} is in {known.checked.file.name} too"
            yield _error(LintCode.DUPLICATE_VERSION, version.checked, ("version",), message)
    for scheme_id, ranges in by_scheme.items():
        ranges.sort(key=lambda entry: (entry[0].starts_on, entry[1].version))
        for position, (valid, version) in enumerate(ranges):
            for other_valid, other in ranges[:position]:
                if other_valid.overlaps(valid):
                    message = f"valid: overlaps version {other.version} of {scheme_id} ({other.checked.file.name})"
                    yield _error(LintCode.OVERLAP, version.checked, ("valid", "from"), message)
            ends = [entry[0].ends_before for entry in ranges[:position]]
            last = max((end for end in ends if end is not None), default=None)
            if position and None not in ends and last is not None and last < valid.starts_on:
                message = (
                    f"valid: no version of {scheme_id} is in force from {last} up to {valid.starts_on}: "
                    "sales of these days are rejected (NO_SCHEME_VERSION)"
                )
                yield _error(LintCode.GAP, version.checked, ("valid", "from"), message)


def _of_registry(registry_file: Path, versions: Sequence[_Version]) -> Iterator[Finding]:
    try:
        checked = check_file(registry_file, RegistryFile)
    except RegistryFileError as error:
        yield _invalid(error)
        return
    for fault in checked.faults:
        yield _invalid(fault)
    yield from _of_organizations(checked)
    known_schemes = {version.id for version in versions}
    held: defaultdict[str, set[str]] = defaultdict(set)
    for path, status in _statuses(checked.value):
        scheme_id, name = status.get("scheme"), status.get("status")
        if not isinstance(scheme_id, str) or not isinstance(name, str):
            continue  # told as a fault of the file already
        held[scheme_id].add(name)
        if scheme_id not in known_schemes:
            message = f"{_joined(path)}.scheme: there is no scheme {scheme_id}{_did_you_mean(scheme_id, known_schemes)}"
            yield _error(LintCode.UNKNOWN_SCHEME, checked, (*path, "scheme"), message)
    for version in versions:
        if not held[version.id]:
            message = f"no organization of {registry_file.name} takes part in {version.id}"
            yield Finding(Severity.NOTE, LintCode.UNUSED, str(version.checked.file), version.checked.line("id"), message)
            continue
        value: Any = version.checked.value
        statuses = value.get("eligible_statuses")
        for row, status in enumerate(statuses if isinstance(statuses, list) else ()):
            if isinstance(status, str) and status not in held[version.id]:
                message = (
                    f"eligible_statuses.{row}: no organization ever has status {status} in {version.id}"
                    f"{_did_you_mean(status, held[version.id] - set(map(str, statuses)))}"
                )
                yield _error(LintCode.UNKNOWN_STATUS, version.checked, ("eligible_statuses", row), message)


def _of_organizations(checked: CheckedFile[RegistryFile]) -> Iterator[Finding]:
    """What is wrong between organizations, also while one of them breaks the format."""
    rows = list(_organizations(checked.value))
    seen = set()
    for path, organization in rows:
        id_ = organization.get("id")
        if isinstance(id_, str) and id_ in seen:
            yield _error(LintCode.INVALID, checked, (*path, "id"), f"{_joined(path)}.id: {REPEATED_ID}")
        seen.add(str(id_))
    funds = {organization.get("id") for _, organization in rows if organization.get("kind") == "community_fund"}
    for path, organization in rows:
        fund_id = organization.get("community_fund_id")
        if isinstance(fund_id, str) and fund_id not in funds:
            message = (
                f"{_joined(path)}.community_fund_id: {fund_id} is no community fund here: sales that owe it a part are rejected"
            )
            yield _note(LintCode.UNKNOWN_FUND, checked, (*path, "community_fund_id"), message)
        if organization.get("signature_required") is True and not organization.get("signing_keys"):
            message = (
                f"{_joined(path)}.signing_keys: sales must be signed and there is no key: all are rejected (`premia keys new`)"
            )
            yield _note(LintCode.KEY_MISSING, checked, (*path, "signature_required"), message)


def _organizations(value: object) -> Iterator[tuple[tuple[str | int, ...], dict[str, object]]]:
    organizations = value.get("organizations") if isinstance(value, dict) else None
    for row, organization in enumerate(organizations if isinstance(organizations, list) else ()):
        if isinstance(organization, dict):
            yield ("organizations", row), organization


def _joined(path: tuple[str | int, ...]) -> str:
    return ".".join(map(str, path))


def _statuses(value: object) -> Iterator[tuple[tuple[str | int, ...], dict[str, object]]]:
    for path, organization in _organizations(value):
        statuses = organization.get("statuses")
        for number, status in enumerate(statuses if isinstance(statuses, list) else ()):
            if isinstance(status, dict):
                yield (*path, "statuses", number), status


def _did_you_mean(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f": did you mean {close[0]}?" if close else ""


def _error(code: LintCode, checked: CheckedFile[Any], path: tuple[str | int, ...], message: str) -> Finding:
    return Finding(Severity.ERROR, code, str(checked.file), checked.line(*path), message)


def _note(code: LintCode, checked: CheckedFile[Any], path: tuple[str | int, ...], message: str) -> Finding:
    return Finding(Severity.NOTE, code, str(checked.file), checked.line(*path), message)


def _invalid(error: RegistryFileError, code: LintCode = LintCode.INVALID) -> Finding:
    return Finding(Severity.ERROR, code, str(error.file), error.line, error.message)
