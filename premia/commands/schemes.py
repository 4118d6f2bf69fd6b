"""`premia schemes`: the terms of premiums, checked, told in words, and compared.

Goal: who negotiates or audits terms reads them as sentences, and finds every mistake of a folder before anything is applied.
Method: files alone, without Kafka or a database. Schemes are those that Premia ships unless a folder is named.
Refuses: a name that no file has (exit 2); `lint` ends with exit 1 if it found an error.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click
import orjson

import schemes as shipped
from premia.scheme_lint import Severity, lint_schemes
from premia.scheme_words import differences, terms_in_words
from premia.service_session import of
from schemas.registry_file import RegistryFileError, check_file, load_schemes
from schemas.scheme import Scheme

EXIT_FOUND: Final = 1
EXIT_WRONG_INPUT: Final = 2
SHIPPED_DIR: Final = Path(shipped.__path__[0])

_schemes_dir = click.option(
    "--schemes",
    "schemes_dir",
    type=click.Path(path_type=Path),
    default=SHIPPED_DIR,
    help="Folder of schemes. Default: those that Premia ships.",
)
_as_json = click.option("--json", "as_json", is_flag=True, help="One JSON object.")


class WrongInput(click.ClickException):
    """A scheme that is not there, or a file that cannot be used."""

    exit_code = EXIT_WRONG_INPUT


@click.group()
def schemes() -> None:
    """Check, show and compare schemes, the terms of premiums."""


@schemes.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--registry", "registry_file", type=click.Path(path_type=Path), help="Registry file: its statuses are compared too."
)
@_as_json
def lint(folder: Path, registry_file: Path | None, *, as_json: bool) -> None:
    """Report everything that is wrong with a folder of schemes, with file and line.

    Errors: fields that break the format (a split that does not sum to 1, a missing citation), versions of one scheme that
    overlap, are there twice or leave days out; with --registry, eligible statuses that nobody in the scheme ever has, and
    statuses in schemes that do not exist. Notes: terms that are assumed, schemes that nobody takes part in, community funds
    that do not exist, refiners that must sign and have no key. Exit code 1 if there is any error.
    """
    findings = lint_schemes(folder, registry_file)
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    if as_json:
        click.echo(orjson.dumps({"errors": errors, "findings": [asdict(finding) for finding in findings]}))
    else:
        for finding in findings:
            click.echo(f"{finding.place}: {finding.severity} {finding.code}: {finding.message}")
    counts = Counter(finding.severity.value for finding in findings)
    click.echo(f"{of(counts['error'], 'error')}, {of(counts['note'], 'note')} in {folder}", err=True)
    if errors:
        raise click.exceptions.Exit(EXIT_FOUND)


@schemes.command()
@click.argument("name", metavar="ID[@VERSION]")
@_schemes_dir
@_as_json
def show(name: str, schemes_dir: Path, *, as_json: bool) -> None:
    """Tell the terms of a scheme in words; without VERSION those of its newest version."""
    known = _known(schemes_dir)
    scheme = _named(name, known, schemes_dir)
    if as_json:
        click.echo(orjson.dumps(scheme.model_dump(mode="json", by_alias=True, exclude_none=True)))
        return
    click.echo(f"{scheme.record_id}  {scheme.name or scheme.id}")
    for line in terms_in_words(scheme).values():
        click.echo(f"  {line}")
    others = sorted(other.record_id for other in known.values() if other.id == scheme.id and other is not scheme)
    if others:
        click.echo(f"Other versions: {', '.join(others)}; premia schemes diff {others[-1]} {scheme.record_id}", err=True)


@schemes.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@_schemes_dir
@_as_json
def diff(first: str, second: str, schemes_dir: Path, *, as_json: bool) -> None:
    """Tell in words what B changes against A; each is ID@VERSION or the file of a scheme."""
    old, new = (_file_or_named(name, schemes_dir) for name in (first, second))
    found = differences(old, new)
    if as_json:
        changes = [asdict(difference) for difference in found]
        click.echo(orjson.dumps({"from": old.record_id, "to": new.record_id, "differences": changes}))
        return
    click.echo(f"{old.record_id} to {new.record_id}")
    for difference in found:
        click.echo(f"  {difference.field}: {difference.words}")
    if not found:
        click.echo("  the same terms")


def _known(schemes_dir: Path) -> Mapping[str, Scheme]:
    try:
        return load_schemes(schemes_dir)
    except RegistryFileError as error:
        raise WrongInput(f"{error}; premia schemes lint {schemes_dir} tells everything at once") from error


def _file_or_named(name: str, schemes_dir: Path) -> Scheme:
    file = Path(name)
    return scheme_of_file(file) if file.is_file() else _named(name, _known(schemes_dir), schemes_dir)


def scheme_of_file(file: Path) -> Scheme:
    """The scheme of one file. Raises WrongInput (exit 2) with every fault of it."""
    try:
        checked = check_file(file, Scheme)
    except RegistryFileError as error:
        raise WrongInput(str(error)) from error
    if checked.contract is None:
        raise WrongInput("\n".join(map(str, checked.faults)))
    return checked.contract


def _named(name: str, known: Mapping[str, Scheme], schemes_dir: Path) -> Scheme:
    scheme_id, _, version = name.partition("@")
    found = list(_versions(scheme_id, known))
    if version:
        found = [scheme for scheme in found if scheme.version == version]
    if not found:
        close = difflib.get_close_matches(name, [*known, *(scheme.id for scheme in known.values())], n=1)
        hint = f": did you mean {close[0]}?" if close else f"; there are {', '.join(sorted(known))}"
        raise WrongInput(f"{schemes_dir} has no scheme {name}{hint}")
    return max(found, key=lambda scheme: scheme.valid.starts_on)


def _versions(scheme_id: str, known: Mapping[str, Scheme]) -> Iterator[Scheme]:
    return (scheme for scheme in known.values() if scheme.id == scheme_id)
