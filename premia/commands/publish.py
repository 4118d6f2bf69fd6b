"""`premia publish FILE…`: sales from files to gold.sales.v1.

Goal: a refiner's back office sends a file, sees a receipt for each event, learns what became of it, and may send the same
file again.
Method: each sale becomes a CloudEvent whose id derives from its content (unless told), so a rerun is a duplicate that
everybody recognises. Outcomes are read from sale.outcomes.v1 by origin, from its end before anything was sent.
Refuses: by place, publishing everything else (exit 4): what premia.publishing.files refuses, and rows of a table that make
no valid sale. A file that cannot be read: nothing is published (exit 2).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import orjson
from aiokafka import AIOKafkaProducer

from premia.kafka import kafka_servers, run
from premia.local.talk import progress, say
from premia.moment import Moment
from premia.publishing.check import SaleCheck
from premia.publishing.files import UnreadableFileError, sales_of, too_large
from premia.publishing.sale_event import Fault, SaleEvent, signed
from premia.sale_outcomes import OutcomeWatch, watch_outcomes
from premia.signing import Signer, read_key
from schemas.registry_file import RegistryFileError, load_registry
from schemas.sale_outcome import Outcome, SaleOutcome
from schemas.topics import SALE_MESSAGE_BYTES_MAX, SALES
from schemas.verifying_key import is_key_id
from services.premium_calculator.adapters.calculating_registry import calculating_registry
from services.premium_calculator.domain.registry import Registry
from services.runtime.kafka import start_producer
from services.runtime.key_file import KeyFileError
from services.runtime.topic_log import TopicMissingError

EXIT_FAULTS_FOUND: Final = 1
EXIT_WRONG_INPUT: Final = 2
EXIT_UNANSWERED: Final = 3
EXIT_REFUSED: Final = 4
EVENTS_MAX: Final = 500_000  # of one call, held in memory to be put in order: 0.5 GB; the sample has 17,000.
IN_FLIGHT_MAX: Final = 5_000  # events sent before their deliveries are awaited: 5 MB in the client.
NAMED_RECEIPTS_MAX: Final = 20  # a screen; above it a count says more.
METADATA_TIMEOUT_S: Final = 5.0  # a broker that is up says in milliseconds whether a topic exists.
OUTCOMES_TIMEOUT_S: Final = 30.0  # an outcome takes milliseconds; half a minute covers services that are just starting.


@dataclass(frozen=True, slots=True)
class _Receipt:
    """An event that the broker has, and where."""

    event: SaleEvent
    origin: str


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True), metavar="FILE…")
@click.option("--id", "event_id", help="Id of the event, where FILE is one sale. Default: derived from its content.")
@click.option("--time", "published_at", type=Moment(), help="Time of the events (ce_time). Default: now, or the event's own.")
@click.option("--from", "starts_at", type=Moment(), help="Of a file of events: publish those at or after this time.")
@click.option("--until", "ends_before", type=Moment(), help="Of a file of events: publish those before this time.")
@click.option("--check", is_flag=True, help="Only check all of FILE…; publish nothing. Exit code 1 if anything is wrong.")
@click.option("--registry", "registry_file", type=click.Path(path_type=Path), help="With --check: the programme's registry.")
@click.option("--schemes", "schemes_dir", type=click.Path(path_type=Path), help="With --check: the folder of schemes.")
@click.option("--key", "key_file", type=click.Path(path_type=Path), help="Sign with this private key, see `premia keys new`.")
@click.option("--key-id", help="With --key: the key's id in the registry.")
@click.option("--wait", is_flag=True, help="Wait for what becomes of each event; exit code 4 if one is rejected.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0),
    default=OUTCOMES_TIMEOUT_S,
    show_default=True,
    help="With --wait: how many seconds, after all were published. Exit code 3 if an outcome is missing then.",
)
@click.option("--json", "as_json", is_flag=True, help="Print every receipt, outcome or fault as a JSON line.")
def publish(
    files: tuple[Path, ...],
    *,
    event_id: str | None,
    published_at: datetime | None,
    starts_at: datetime | None,
    ends_before: datetime | None,
    check: bool,
    registry_file: Path | None,
    schemes_dir: Path | None,
    key_file: Path | None,
    key_id: str | None,
    wait: bool,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Publish sales from files: one sale (.json), one a line (.jsonl), a table (.csv), or a file of events; each also as .gz.

    A table has a first row that names its columns, separated by semicolons or commas, and a row for each source of a lot;
    docs/publishing.md has them all. Needed are refiner_id, lot_id, revision, sequence, stage, exporter_id, payer_id, sold_on,
    melt_weight, melt_weight_unit, schemes, organization_id.

    Prints a receipt for each event, or their number. Publishing the same file again is safe. Exit code 4 if anything of
    a file was refused; the rest of it was published.
    """
    events, faults = _events(files, published_at, starts_at, ends_before)
    if event_id is not None:
        if len(events) != 1:
            raise click.UsageError(f"--id is for one event, and there are {len(events):,}")
        events = [replace(events[0], id=event_id)]
    signer = _signer(key_file, key_id)
    if signer is not None:
        events = _signed(events, signer, faults)
    if check:
        _check(events, faults, _registry(registry_file, schemes_dir), as_json=as_json)
        return
    if registry_file is not None or schemes_dir is not None:
        raise click.UsageError("--registry and --schemes are for --check")
    fitting = _fitting(events, faults)
    rejected = 0
    if fitting:
        rejected = run(_publish(kafka_servers(), fitting, wait_s=timeout_s if wait else None, as_json=as_json))
    elif not as_json:
        click.echo("published 0 events")
    for fault in faults:
        say(f"{fault}; not published")
    if faults and fitting:
        say(f"the other {len(fitting):,} were published: correct these and publish the whole file again, that is safe")
    if faults or rejected:
        raise click.exceptions.Exit(EXIT_REFUSED)


def _events(
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


def _fitting(events: Sequence[SaleEvent], faults: list[Fault]) -> list[SaleEvent]:
    """What is published. What is not is added to the faults."""
    of_tables = SaleCheck(None)
    fitting = []
    for event in events:
        fault = None
        if event.cells:
            fault = of_tables.fault(event)
        elif event.size_bytes > SALE_MESSAGE_BYTES_MAX:
            fault = Fault(event.place, too_large(event.size_bytes))
        if fault is None:
            fitting.append(event)
        else:
            faults.append(fault)
    return fitting


def _signer(key_file: Path | None, key_id: str | None) -> Signer | None:
    if key_file is None and key_id is None:
        return None
    if key_file is None or key_id is None or not is_key_id(key_id):
        raise click.UsageError("give --key and --key-id together; an id has 1 to 64 letters, digits, '.', '_' or '-'")
    try:
        return Signer(read_key(key_file), key_id)
    except KeyFileError as error:
        say(f"{error}; nothing was published")
        raise click.exceptions.Exit(EXIT_WRONG_INPUT) from error


def _signed(events: Sequence[SaleEvent], signer: Signer, faults: list[Fault]) -> list[SaleEvent]:
    """The events with their signatures. What cannot be signed is added to the faults."""
    done: list[SaleEvent] = []
    for event in events:
        found = signed(event, signer)
        if isinstance(found, Fault):
            faults.append(found)
        else:
            done.append(found)
    return done


# --- checking -----------------------------------------------------------------------------------------------------------


def _registry(registry_file: Path | None, schemes_dir: Path | None) -> Registry | None:
    if registry_file is None and schemes_dir is None:
        return None
    if registry_file is None or schemes_dir is None:
        raise click.UsageError("give --registry and --schemes together")
    try:
        return calculating_registry(load_registry(registry_file, schemes_dir).snapshot)
    except RegistryFileError as error:
        say(str(error))
        raise click.exceptions.Exit(EXIT_WRONG_INPUT) from error


def _check(events: Sequence[SaleEvent], faults: list[Fault], registry: Registry | None, *, as_json: bool) -> None:
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


# --- sending ------------------------------------------------------------------------------------------------------------


async def _publish(servers: str, events: Sequence[SaleEvent], *, wait_s: float | None, as_json: bool) -> int:
    """Publish, and tell receipts or outcomes; the number of events that were rejected."""
    async with AsyncExitStack() as stack:
        watch = await stack.enter_async_context(watch_outcomes(servers)) if wait_s is not None else None
        receipts = await _send(servers, events)
        if watch is not None and wait_s is not None:
            return await _tell_outcomes(watch, receipts, wait_s, as_json=as_json)
    if as_json or len(receipts) <= NAMED_RECEIPTS_MAX:
        for receipt in receipts:
            _tell_receipt(receipt, as_json=as_json)
    else:
        click.echo(f"published {len(receipts):,} events of {events[0].at:%Y-%m-%d} to {events[-1].at:%Y-%m-%d}")
    return 0


async def _send(servers: str, events: Sequence[SaleEvent]) -> list[_Receipt]:
    producer = await start_producer(servers)
    receipts = []
    try:
        await _require_topic(producer)
        with progress("publishing", len(events)) as advance:
            for start in range(0, len(events), IN_FLIGHT_MAX):
                sent = events[start : start + IN_FLIGHT_MAX]
                deliveries = [
                    await producer.send(SALES, value=event.value, key=event.key, headers=event.headers()) for event in sent
                ]
                for event, place in zip(sent, await asyncio.gather(*deliveries), strict=True):
                    receipts.append(_Receipt(event, f"{place.topic}/{place.partition}/{place.offset}"))
                advance(len(sent))
    finally:
        await producer.stop()
    return receipts


async def _require_topic(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(METADATA_TIMEOUT_S):
            await producer.partitions_for(SALES)
    except TimeoutError as error:
        raise TopicMissingError(f"{SALES} is missing: create it with `premia topics apply`") from error


def _receipt_as_json(receipt: _Receipt) -> dict[str, object]:
    event = receipt.event
    return {
        "origin": receipt.origin,
        "source": event.source,
        "id": event.id,
        "key": event.key_text,
        "bytes": len(event.value),
    }


def _tell_receipt(receipt: _Receipt, *, as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps(_receipt_as_json(receipt)))
    else:
        click.echo(f"published {receipt.event.key_text} as {receipt.origin} id {receipt.event.id}")


# --- outcomes -----------------------------------------------------------------------------------------------------------


async def _tell_outcomes(watch: OutcomeWatch, receipts: Sequence[_Receipt], timeout_s: float, *, as_json: bool) -> int:
    """Wait for and tell the outcomes; the number of rejected ones. Exit code 3 if one is missing and none was rejected."""
    with progress("waiting for outcomes", len(receipts)) as advance:
        found = await watch.of([receipt.origin for receipt in receipts], timeout_s=timeout_s, advance=advance)
    counts = Counter(outcome.outcome for outcome in found.values())
    for receipt in receipts:
        outcome = found.get(receipt.origin)
        if as_json:
            told = (
                None if outcome is None else outcome.model_dump(mode="json", include={"outcome", "detail", "field", "message"})
            )
            click.echo(orjson.dumps(_receipt_as_json(receipt) | {"place": receipt.event.place} | (told or {"outcome": None})))
        elif outcome is not None and (outcome.outcome is Outcome.REJECTED or len(receipts) <= NAMED_RECEIPTS_MAX):
            click.echo(_outcome_in_words(receipt, outcome))
    if not as_json and len(receipts) > NAMED_RECEIPTS_MAX:
        click.echo(", ".join(f"{kind.value} {counts[kind]:,}" for kind in Outcome))
    missing, rejected = len(receipts) - len(found), counts[Outcome.REJECTED]
    if missing:
        say(f"{missing:,} of {len(receipts):,} events had no outcome within {timeout_s:g} s; they are published")
        say("are the premium calculator and the ledger running? `premia status`; publishing the file again is safe")
    if rejected:
        taken = len(found) - rejected
        say(f"{rejected:,} rejected, the other {taken:,} were taken: correct these, with the same lot and revision,")
        say("and publish the whole file again; what was taken is a duplicate then")
    elif missing:
        raise click.exceptions.Exit(EXIT_UNANSWERED)
    return rejected


def _outcome_in_words(receipt: _Receipt, outcome: SaleOutcome) -> str:
    event = receipt.event
    if outcome.outcome is Outcome.REJECTED:
        fault = event.fault(outcome.field or "", outcome.message or "", code=outcome.detail)
        return f"rejected {event.key_text} as {receipt.origin} id {event.id}: {fault}"
    detail = "" if outcome.detail == outcome.outcome.value else f" ({outcome.detail})"
    more = "" if outcome.message is None else f": {outcome.message}"
    return f"{outcome.outcome.value} {event.key_text} as {receipt.origin} id {event.id}{detail}{more}"
