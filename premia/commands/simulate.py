"""`premia simulate`: who would get more or less under proposed terms.

Goal: terms are agreed to with their effect on the table, by the calculation that will pay.
Method: see `premia.simulation`. Sales are those of gold.sales.v1, or of a file; the registry is the published one, or a file.
With both as files neither Kafka nor a database is needed.
Refuses: a scheme that the registry does not have, days in the wrong order, files that cannot be read: exit 2.
"""

from __future__ import annotations

import base64
import binascii
import gzip
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import click
import orjson

from premia.amounts import plain
from premia.commands.calculate import DAY
from premia.commands.schemes import SHIPPED_DIR, WrongInput, scheme_of_file
from premia.csv_lines import csv_line
from premia.kafka import kafka_servers, run
from premia.published_registry import published_registry
from premia.service_session import of, print_table
from premia.simulation import LatestSales, RecordedSale, Simulation, with_proposed
from premia.simulation import simulate as simulated
from premia.simulation_chart import cut, simulation_chart
from schemas.cloudevents import time_from_text
from schemas.registry_file import RegistryFileError, load_registry
from schemas.registry_snapshot import RegistrySnapshot
from schemas.scheme import Scheme
from schemas.topics import SALES
from services.premium_calculator.adapters.calculating_registry import calculating_registry
from services.premium_calculator.adapters.sale_decision import Calculated, SaleRecord, decide

CSV_HEADINGS: Final = ("organization_id", "name", "currency", "lots", "now", "proposed", "difference")
NAME_CHARS_MAX: Final = 40  # so that a row of the table is one line of a screen.
NAMED_LOTS_MAX: Final = 10  # that the proposed terms reject; --json has all.


@click.command()
@click.option("--scheme", "scheme_file", required=True, type=click.Path(path_type=Path), help="File of the proposed version.")
@click.option("--from", "first", required=True, type=DAY, help="First day of sale.")
@click.option("--to", "last", required=True, type=DAY, help="Last day of sale, included.")
@click.option("--registry", "registry_file", type=click.Path(path_type=Path), help="Registry file. Default: the published one.")
@click.option(
    "--schemes",
    "schemes_dir",
    type=click.Path(path_type=Path),
    default=SHIPPED_DIR,
    help="Folder of schemes that goes with --registry. Default: those that Premia ships.",
)
@click.option(
    "--sales",
    "sales_file",
    type=click.Path(path_type=Path),
    help="File of sales or events, one a line, also as .gz. Default: those that were published.",
)
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), help="Write every organization into this file.")
@click.option("--chart", "chart_file", type=click.Path(path_type=Path), help="Draw the differences into this SVG file.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def simulate(
    scheme_file: Path,
    first: date,
    last: date,
    *,
    registry_file: Path | None,
    schemes_dir: Path,
    sales_file: Path | None,
    csv_file: Path | None,
    chart_file: Path | None,
    as_json: bool,
) -> None:
    """Tell who would get more or less under a proposed version of a scheme.

    Takes the latest accepted revision of each lot sold in these days and calculates it under the registry as it is, and with
    the proposed version in the place of its scheme's own, whatever days the file names. Nothing is changed anywhere. The sums
    are what the lots would be entitled to under the registry of today; what was posted before a rate changed may differ.
    """
    if last < first:
        raise click.UsageError(f"--to {last} lies before --from {first}")
    proposed = scheme_of_file(scheme_file)
    snapshot = _registry(registry_file, schemes_dir)
    _require_scheme(proposed, snapshot)
    now = calculating_registry(snapshot)
    latest = LatestSales(now)
    if sales_file is None:
        run(_take_published(latest, snapshot))
    else:
        for sale in _of_file(sales_file):
            latest.take(sale)
    sales = latest.sold_within(first, last)
    outcome = simulated(sales, now, with_proposed(snapshot, proposed, first, last))
    names = {id_: organization.name for id_, organization in snapshot.organizations.items()}
    title = f"{proposed.record_id} instead of {_in_force(proposed.id, snapshot, first, last)}, lots sold {first} to {last}"
    if csv_file is not None:
        _write(csv_file, _csv(outcome, names))
    if chart_file is not None:
        _write(chart_file, simulation_chart(outcome, title, names))
    if as_json:
        asked = {"scheme": proposed.record_id, "registry_version": snapshot.version, "from": first, "to": last}
        click.echo(orjson.dumps(asked | _as_json(outcome, names)))
    else:
        _table(outcome, title, names)
    _tell(outcome)


def _registry(registry_file: Path | None, schemes_dir: Path) -> RegistrySnapshot:
    if registry_file is not None:
        try:
            return load_registry(registry_file, schemes_dir).snapshot
        except RegistryFileError as error:
            raise WrongInput(str(error)) from error
    in_force = run(published_registry(kafka_servers())).in_force
    if in_force is None:
        raise WrongInput("no registry was ever applied: premia registry apply, or give --registry FILE")
    return in_force


def _require_scheme(proposed: Scheme, snapshot: RegistrySnapshot) -> None:
    known = sorted({scheme.id for scheme in snapshot.schemes.values()})
    if proposed.id not in known:
        raise WrongInput(f"no sale can name scheme {proposed.id}, which the registry does not have; it has {', '.join(known)}")


def _in_force(scheme_id: str, snapshot: RegistrySnapshot, first: date, last: date) -> str:
    versions = sorted(
        (scheme.valid.starts_on, scheme.version)
        for scheme in snapshot.schemes.values()
        if scheme.id == scheme_id
        and scheme.valid.starts_on <= last
        and (scheme.valid.ends_before is None or scheme.valid.ends_before > first)
    )
    return " and ".join(version for _, version in versions) or "no version"


# --- sales ------------------------------------------------------------------------------------------------------------


async def _take_published(latest: LatestSales, snapshot: RegistrySnapshot) -> None:
    from services.premium_calculator.header_names import mend_header_names  # noqa: PLC0415  takes longer to import than a command's help may
    from services.runtime.topic_log import open_log  # noqa: PLC0415

    mend_header_names()  # refiners write this topic
    registry = calculating_registry(snapshot)
    async with open_log(SALES, servers=kafka_servers()) as log:
        async for records in log.to_end():
            for record in records:
                decided = decide(SaleRecord(record.key, record.value, record.headers), registry)
                if isinstance(decided, Calculated):
                    latest.take(RecordedSale(record.value, decided.sale.time.date()))


def _of_file(file: Path) -> Iterator[RecordedSale]:
    """Sales of a file: a sale a line, or an event a line as samples/ has them; what is no sale is passed over, as rejected."""
    today = datetime.now(UTC).date()
    try:
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    except (OSError, EOFError) as error:
        raise WrongInput(f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    for line in content.splitlines():
        sale = _recorded(line, today)
        if sale is not None:
            yield sale


def _recorded(line: bytes, today: date) -> RecordedSale | None:
    try:
        sent = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(sent, dict) or "at" not in sent:
        return RecordedSale(line, today)
    try:
        published_on = time_from_text(str(sent["at"])).astimezone(UTC).date()
        value = base64.b64decode(str(sent["raw"]), validate=True) if "raw" in sent else orjson.dumps(sent.get("value"))
    except (ValueError, binascii.Error):
        return None
    return RecordedSale(value, published_on)


# --- what is shown ----------------------------------------------------------------------------------------------------


def _table(outcome: Simulation, title: str, names: dict[str, str]) -> None:
    click.echo(title)
    rows = [
        [
            party.organization_id,
            cut(names.get(party.organization_id, ""), NAME_CHARS_MAX),
            str(party.lots),
            *party.figures(),
            party.percent,
        ]
        for party in outcome.parties
        if party.difference_minor
    ]
    rows += [["total", "", str(total.lots), *total.figures(), total.percent] for total in outcome.totals()]
    print_table(["organization", "name", "lots", "currency", "now", "proposed", "difference", "%"], rows, right=[2, 4, 5, 6, 7])


def _csv(outcome: Simulation, names: dict[str, str]) -> str:
    lines = [csv_line(CSV_HEADINGS)]
    for party in outcome.parties:
        figures = (
            Decimal(plain(minor, party.currency)) for minor in (party.now_minor, party.proposed_minor, party.difference_minor)
        )
        name = names.get(party.organization_id, "")
        lines.append(csv_line([party.organization_id, name, party.currency, party.lots, *figures]))
    return "".join(f"{line}\n" for line in lines)


def _as_json(outcome: Simulation, names: dict[str, str]) -> dict[str, Any]:
    return {
        "lots": outcome.lots,
        "organizations": [
            {"organization_id": party.organization_id, "name": names.get(party.organization_id), **party.as_json()}
            for party in outcome.parties
        ],
        "totals": [total.as_json() for total in outcome.totals()],
        "not_calculated": [asdict(lot) for lot in outcome.not_calculated],
    }


def _tell(outcome: Simulation) -> None:
    more = sum(party.difference_minor > 0 for party in outcome.parties)
    less = sum(party.difference_minor < 0 for party in outcome.parties)
    same = len(outcome.parties) - more - less
    found = of(outcome.lots, "lot") if outcome.lots else "no lot was sold in these days: nothing to compare"
    if outcome.parties:
        found += f", {of(len(outcome.parties), 'organization')}: {more} would get more, {less} less, {same} the same"
    click.echo(f"{found}.", err=True)
    for lot in outcome.not_calculated[:NAMED_LOTS_MAX]:
        click.echo(f"{lot.refiner_id}/{lot.lot_id} left out: {lot.code} {lot.field}: {lot.message}", err=True)
    if len(outcome.not_calculated) > NAMED_LOTS_MAX:
        click.echo(f"{len(outcome.not_calculated)} lots left out in all: the proposed terms would reject them", err=True)


def _write(file: Path, content: str) -> None:
    try:
        file.write_text(content, encoding="utf-8")
    except OSError as error:
        raise WrongInput(f"{file}: cannot be written: {error.strerror}") from error
    click.echo(f"wrote {file}", err=True)
