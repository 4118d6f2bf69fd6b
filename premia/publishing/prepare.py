"""What `premia publish` sends: the events of its files, signed if they are to be, and what cannot be sent.

Goal: everything of the files that can be published is, and the rest is told by place.
Method: all events in memory, in the order of their times. Rows of a table must make valid sales; of other files only what no
broker would take is left out.
Refuses: a file or a key that cannot be read: nothing is published (exit 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import orjson

from premia.local.talk import say
from premia.publishing.check import SaleCheck
from premia.publishing.files import UnreadableFileError, sales_of, too_large
from premia.publishing.sale_event import Fault, SaleEvent, no_sale, signed
from premia.signing import Signer, read_key
from schemas.registry_file import RegistryFileError, load_registry
from schemas.topics import SALE_MESSAGE_BYTES_MAX
from schemas.verifying_key import is_key_id
from services.premium_calculator.adapters.calculating_registry import calculating_registry
from services.premium_calculator.domain.registry import Registry
from services.runtime.key_file import KeyFileError

EXIT_FAULTS_FOUND: Final = 1
EXIT_WRONG_INPUT: Final = 2
EVENTS_MAX: Final = 500_000  # of one call, held in memory to be put in order: 0.5 GB; the sample has 17,000.


def read_events(
    files: Sequence[Path], published_at: datetime | None, starts_at: datetime | None, ends_before: datetime | None
) -> tuple[list[SaleEvent], list[Fault]]:
    """All that is wanted of the files, in the order of their times, and what is wrong."""
    events: list[SaleEvent] = []
    faults: list[Fault] = []
    try:
        for found in sales_of(files, published_at or datetime.now(UTC)):
            if isinstance(found, Fault):
                faults.append(found)
            elif (starts_at is None or found.at >= starts_at) and (ends_before is None or found.at < ends_before):
                events.append(found)
            if len(events) > EVENTS_MAX:
                raise click.UsageError(f"more than {EVENTS_MAX:,} events: give fewer files at once")
    except UnreadableFileError as error:
        say(f"{error}; nothing was published")
        raise click.exceptions.Exit(EXIT_WRONG_INPUT) from error
    events.sort(key=lambda event: event.at)  # stable: events of one time stay in the order of their file
    return [event if published_at is None else replace(event, at=published_at) for event in events], faults


def fitting_events(events: Sequence[SaleEvent], faults: list[Fault]) -> list[SaleEvent]:
    """What is published. What is not is added to the faults."""
    of_tables = SaleCheck(None)
    fitting = []
    for event in events:
        fault = None
        if event.cells:
            fault = of_tables.fault(event)
        elif event.size_bytes > SALE_MESSAGE_BYTES_MAX:
            fault = no_sale(event.place, too_large(event.size_bytes))
        if fault is None:
            fitting.append(event)
        else:
            faults.append(fault)
    return fitting


def read_signer(key_file: Path | None, key_id: str | None) -> Signer | None:
    """What signs the sales, or None where no key is given."""
    if key_file is None and key_id is None:
        return None
    if key_file is None or key_id is None or not is_key_id(key_id):
        raise click.UsageError("give --key and --key-id together; an id has 1 to 64 letters, digits, '.', '_' or '-'")
    try:
        return Signer(read_key(key_file), key_id)
    except KeyFileError as error:
        say(f"{error}; nothing was published")
        raise click.exceptions.Exit(EXIT_WRONG_INPUT) from error


def signed_events(events: Sequence[SaleEvent], signer: Signer, faults: list[Fault]) -> list[SaleEvent]:
    """The events with their signatures. What cannot be signed is added to the faults."""
    done: list[SaleEvent] = []
    for event in events:
        found = signed(event, signer)
        if isinstance(found, Fault):
            faults.append(found)
        else:
            done.append(found)
    return done


def read_registry(registry_file: Path | None, schemes_dir: Path | None) -> Registry | None:
    """What sales are checked against, or None where no files are given."""
    if registry_file is None and schemes_dir is None:
        return None
    if registry_file is None or schemes_dir is None:
        raise click.UsageError("give --registry and --schemes together")
    try:
        return calculating_registry(load_registry(registry_file, schemes_dir).snapshot)
    except RegistryFileError as error:
        say(str(error))
        raise click.exceptions.Exit(EXIT_WRONG_INPUT) from error


def check_events(events: Sequence[SaleEvent], faults: list[Fault], registry: Registry | None, *, as_json: bool) -> None:
    """Tell everything that is wrong, a line each. Exit code 1 if there is anything."""
    checks = SaleCheck(registry)
    found = [*faults, *(fault for fault in map(checks.fault, events) if fault is not None)]
    for fault in found:
        click.echo(orjson.dumps(fault.as_json()) if as_json else str(fault))
    good = len(events) + len(faults) - len(found)
    say(f"sales that can be published: {good:,}; that cannot: {len(found):,}; nothing was published")
    if registry is None:
        say("organizations, schemes and assays were not checked: give --registry and --schemes")
    if found:
        raise click.exceptions.Exit(EXIT_FAULTS_FOUND)
