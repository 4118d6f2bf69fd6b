"""`premia registry`: a programme's registry and schemes, checked, compared, shown, and applied.

Goal: everybody switches to the new registry at once, or nobody does; and nobody changes the past without having read what of
it.
Method: an apply reads both topics to their end, writes only what differs from the files, and the marker last; then reads back
whether the readers took it. The same files again write nothing; an apply that was torn by a crash is completed by running it
again, because its id derives from its content.
Refuses: files with a mistake (file, line, field; exit 2). An apply that would change lots of the past without `--yes` and
without a terminal to ask at (exit 2). An apply of somebody else that came between (exit 1).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from premia.commands.registry_show import show
from premia.connection import give_local_tokens
from premia.kafka import kafka_servers, run
from premia.published_registry import PublishedRegistry, published_private_data, published_registry
from premia.recalculation import PastChanges
from premia.recalculation_report import NAMED_LOTS_MAX, changes_as_json, print_lots, print_parties, tell_rejected
from premia.registry_effect import Unknown, effect_on_the_past
from premia.registry_words import RecordDifference, record_differences
from premia.scheme_lint import Severity, lint_schemes
from premia.service_session import as_json, of, print_json
from schemas.registry import PrivateData
from schemas.registry_file import RegistryFileError, load_registry
from schemas.registry_log import RegistryApply, plan_apply
from schemas.registry_snapshot import LoadedRegistry, RegistrySnapshot

EXIT_FOUND: Final = 1
EXIT_OVERTAKEN: Final = 1
EXIT_WRONG_INPUT: Final = 2
NAMED_CHANGES_MAX: Final = 20  # a screen; above it counts say more.
_Command = TypeVar("_Command", bound=Callable[..., Any])


def _files(command: _Command) -> _Command:
    for option in (
        click.option("--schemes", "schemes_dir", required=True, type=click.Path(path_type=Path), help="Folder of schemes."),
        click.argument("registry_file", type=click.Path(path_type=Path), metavar="FILE"),
    ):
        command = option(command)
    return command


@click.group()
def registry() -> None:
    """Check, compare, show and apply a programme's registry and schemes."""


registry.add_command(show)


# --- validate -----------------------------------------------------------------------------------------------------------


@registry.command()
@_files
@as_json
def validate(registry_file: Path, schemes_dir: Path, *, as_json: bool) -> None:
    """Report every mistake in FILE and its schemes, with file, line and field. Nothing else is needed.

    Exit code 2 if there is any. What a person should know, such as terms that are assumed, is told on stderr.
    """
    findings = lint_schemes(schemes_dir, registry_file)
    mistakes = [finding for finding in findings if finding.severity is Severity.ERROR]
    if as_json:
        print_json({"mistakes": [asdict(finding) for finding in mistakes]})
    for finding in findings:
        is_mistake = finding.severity is Severity.ERROR
        if not (is_mistake and as_json):
            click.echo(f"{finding.place}: {finding.severity} {finding.code}: {finding.message}", err=not is_mistake)
    click.echo(f"{of(len(mistakes), 'mistake')} in {registry_file} and {schemes_dir}", err=True)
    if mistakes:
        raise click.exceptions.Exit(EXIT_WRONG_INPUT)


def _load(registry_file: Path, schemes_dir: Path) -> LoadedRegistry:
    try:
        return load_registry(registry_file, schemes_dir)
    except RegistryFileError as error:
        click.echo(f"{error}\npremia registry validate tells every mistake at once", err=True)
        raise click.exceptions.Exit(EXIT_WRONG_INPUT) from error


# --- diff ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Files beside what is in force; `effect`: on lots of the past."""

    published: PublishedRegistry
    private: Mapping[str, PrivateData]
    wanted: LoadedRegistry
    plan: RegistryApply
    effect: PastChanges | Unknown

    @property
    def equal(self) -> bool:
        """Nothing would be published."""
        return self.plan.marker is None and not self.plan.private_records

    @property
    def names(self) -> Mapping[str, str]:
        """Names of organizations, of now and of the files."""
        found: dict[str, str] = {}
        for snapshot in (self.published.in_force, self.wanted.snapshot):
            if snapshot is not None:
                found |= {id_: organization.name for id_, organization in snapshot.organizations.items()}
        return found


async def _compare(servers: str, wanted: LoadedRegistry) -> _Comparison:
    published, private = await published_registry(servers), await published_private_data(servers)
    for ignored in published.ignored:
        click.echo(f"apply {ignored.marker.apply_id} was ignored by all readers: {ignored.because}", err=True)
    plan = plan_apply(published.in_force, private, wanted)
    effect = await effect_on_the_past(servers, published.in_force, wanted.snapshot)
    return _Comparison(published, private, wanted, plan, effect)


@registry.command()
@_files
@as_json
def diff(registry_file: Path, schemes_dir: Path, *, as_json: bool) -> None:
    """Tell what FILE would change in the registry that is in force, field by field, and which lots of the past.

    Statuses are told by the days on which they would be others. Exit code 1 if anything differs, 0 if not.
    """
    compared = run(_compare(kafka_servers(), _load(registry_file, schemes_dir)))
    in_force, version = compared.published.in_force, compared.wanted.snapshot.version
    found = record_differences(compared.plan, in_force, compared.private)
    was = None if in_force is None else in_force.version
    if as_json:
        past = None if isinstance(compared.effect, Unknown) else changes_as_json(compared.effect)
        records = [asdict(record) for record in found]
        print_json({"equal": compared.equal, "version": {"before": was, "after": version}, "records": records, "past": past})
    else:
        for record in found:
            _print_difference(record, compared.names)
        click.echo(f"version {version}" + ("" if was == version else f" (now {was or 'none'})"))
        if isinstance(compared.effect, PastChanges) and compared.effect.changes:
            click.echo("\nIn the past:")
            print_lots(compared.effect.changes)
            click.echo()
            print_parties(compared.effect.parties(), compared.effect.totals(), compared.names)
    _tell_effect(compared.effect)
    if not compared.equal:
        raise click.exceptions.Exit(EXIT_FOUND)


def _print_difference(record: RecordDifference, names: Mapping[str, str]) -> None:
    name = f" {names[record.id]}" if record.id in names else ""
    click.echo(f"{record.change} {record.kind} {record.id}{name}")
    for difference in record.differences:
        click.echo(f"  {difference.field}: {difference.words}")


def _tell_effect(effect: PastChanges | Unknown) -> None:
    """How much of the past is concerned, in a sentence."""
    if isinstance(effect, Unknown):
        click.echo(f"Whether lots of the past would be calculated otherwise is unknown: {effect.why}", err=True)
    elif not effect:
        click.echo("No lot of the past would be calculated otherwise.", err=True)
    else:
        lots = of(len(effect.changes), "lot")
        click.echo(f"{lots} of the past would be calculated otherwise, of {effect.compared:,} that were compared.", err=True)
        tell_rejected(effect)


# --- apply --------------------------------------------------------------------------------------------------------------


@registry.command()
@_files
@click.option("--yes", is_flag=True, help="Apply without asking, also if lots of the past would be calculated otherwise.")
def apply(registry_file: Path, schemes_dir: Path, *, yes: bool) -> None:
    """Publish what differs between FILE and the registry that is in force.

    If lots of the past would be calculated otherwise, it says which and asks. Lots are not changed by that: `premia
    recalculate` prepares it, and another person approves. Prints what changed and the version that calculations use from now
    on. Exit code 2 if a file has a mistake, or if there is nobody to ask and no --yes.
    """
    wanted = _load(registry_file, schemes_dir)
    servers = kafka_servers()
    compared = run(_compare(servers, wanted))
    if compared.equal:
        click.echo(f"unchanged {wanted.snapshot.version}")
    else:
        if compared.effect:
            _ask(compared, yes=yes)
        run(_publish(servers, compared))
        _tell(compared.plan, compared.published.in_force, wanted.snapshot.version)
        if compared.effect:
            click.echo(
                "Next: premia recalculate --dry-run lists every lot; premia recalculate --as ACTOR prepares it.", err=True
            )
    programme = wanted.snapshot.programme
    give_local_tokens(() if programme is None else (actor.id for actor in programme.actors))


def _ask(compared: _Comparison, *, yes: bool) -> None:
    """Say which lots are concerned, and ask. Raises Exit (2) without a terminal, Abort (1) if the answer is no."""
    _tell_effect(compared.effect)
    if isinstance(compared.effect, PastChanges) and compared.effect.changes:
        print_parties(compared.effect.parties(), compared.effect.totals(), compared.names, err=True)
        click.echo(err=True)
        print_lots(compared.effect.changes[:NAMED_LOTS_MAX], err=True)
        if len(compared.effect.changes) > NAMED_LOTS_MAX:
            click.echo(f"The first {NAMED_LOTS_MAX} lots; premia registry diff lists all of them.", err=True)
    if yes:
        return
    if not click.get_text_stream("stdin").isatty():
        click.echo("Nothing was applied: there is no terminal to ask at. Give --yes to apply it all the same.", err=True)
        raise click.exceptions.Exit(EXIT_WRONG_INPUT)
    click.confirm("Apply it?", abort=True, err=True)


async def _publish(servers: str, compared: _Comparison) -> None:
    from services.runtime.kafka import publish, start_producer  # noqa: PLC0415  takes longer to import than a command's help may

    producer = await start_producer(servers)
    try:
        *body, last = compared.plan.messages(datetime.now(UTC))
        await publish(producer, body)
        await publish(producer, [last])  # apart: a marker must never be there before what it completes
    finally:
        await producer.stop()
    after = (await published_registry(servers)).in_force
    if after is None or after.version != compared.wanted.snapshot.version:
        click.echo("another apply came between, and readers took that one: run this again", err=True)
        raise click.exceptions.Exit(EXIT_OVERTAKEN)


def _tell(plan: RegistryApply, before: RegistrySnapshot | None, version: str) -> None:
    changes = [(record.change, record.kind, record.id) for record in record_differences(plan, before, {})]
    public = changes[: len(plan.records)]
    if len(public) <= NAMED_CHANGES_MAX:
        lines = [" ".join(change) for change in public]
    else:
        counts = Counter((change, kind) for change, kind, _ in public)
        lines = [f"{change} {of(count, kind)}" for (change, kind), count in counts.items()]
    for line in lines:
        click.echo(line)
    if plan.private_records:
        click.echo(f"changed private data of {len(plan.private_records)}")
    was = before.version if before else "none"
    click.echo(f"version {version}" + ("" if was == version else f" (was {was})"))
