"""Torn, interleaved and rapid applies of the registry on a real broker: each sale is calculated with one whole registry."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Final

import pytest

from schemas.message import Message
from schemas.registry import Organization
from schemas.registry_log import plan_apply
from schemas.registry_snapshot import LoadedRegistry, RegistrySnapshot, registry_snapshot
from schemas.topics import ENTITLEMENTS, SALES_DEAD
from tests.integration.premium_calculator.programme import (
    PROGRAMME,
    apply_registry,
    create_topics,
    many_sales,
    read,
    send,
    unanswered,
    with_rate,
)
from tests.integration.premium_calculator.worker_process import WorkerProcess, until

AT: Final = datetime(2025, 4, 1, tzinfo=UTC)
RATES: Final = ("0.70", "0.80", "0.90")
OLD: Final = with_rate(RATES[0])


def applied(wanted: RegistrySnapshot, current: RegistrySnapshot | None) -> tuple[Sequence[Message], Message]:
    """The records of an apply, and its marker."""
    *records, marker = plan_apply(current, {}, LoadedRegistry(wanted, {})).messages(AT)
    return records, marker


@pytest.fixture
async def worker(kafka: str) -> AsyncIterator[WorkerProcess]:
    """A worker that has the old rate."""
    await create_topics(kafka)
    await apply_registry(kafka, OLD)
    with WorkerProcess(kafka) as running:
        await running.until_ready()
        yield running


async def sold(brokers: str, worker: WorkerProcess, lots: int, *, first: int) -> set[str]:
    """Publish lots, wait for their entitlements, and return the registry versions that they were calculated with."""
    await send(brokers, many_sales(lots, revisions=1, first=first))

    async def answered() -> bool:
        return not await unanswered(brokers)

    await until(answered, what="every sale is answered", also=worker.log)
    found = [json.loads(record.value) for record in await read(brokers, ENTITLEMENTS)]
    new = [one for one in found if first <= int(one["lot_id"].rpartition("-")[2]) < first + lots]
    assert len(new) == lots
    return {one["registry_version"] for one in new}


async def test_an_apply_without_its_marker_changes_nothing_and_with_it_everything(kafka: str, worker: WorkerProcess) -> None:
    new = with_rate("0.80")
    records, marker = applied(new, OLD)
    await send(kafka, records)
    assert await sold(kafka, worker, 20, first=0) == {OLD.version}
    await send(kafka, [marker])
    await until(lambda: metric_is(worker, "premia_calculator_registry_switches_total", 2), what="the worker switched")
    assert await sold(kafka, worker, 20, first=100) == {new.version}


async def test_of_two_interleaved_applies_the_first_marker_counts_and_the_other_is_ignored(
    kafka: str, worker: WorkerProcess
) -> None:
    one, other = with_rate("0.80"), with_rate("0.90")
    (records, marker), (other_records, other_marker) = applied(one, OLD), applied(other, OLD)
    await send(kafka, [message for pair in zip(records, other_records, strict=True) for message in pair])
    await send(kafka, [other_marker, marker])
    await until(lambda: metric_is(worker, "premia_calculator_registry_ignored_total", 1), what="one apply was ignored")
    assert await sold(kafka, worker, 20, first=0) == {other.version}
    await apply_registry(kafka, one, other)
    await until(lambda: metric_is(worker, "premia_calculator_registry_switches_total", 3), what="the worker switched again")
    assert await sold(kafka, worker, 20, first=100) == {one.version}


async def metric_is(worker: WorkerProcess, name: str, value: float) -> bool:
    return await asyncio.to_thread(worker.metric, name) == value


async def test_sales_that_wait_are_calculated_with_the_newest_of_many_registries_only(kafka: str) -> None:
    await create_topics(kafka)
    current = None
    for number, rate in enumerate(RATES):
        base = with_rate(rate)
        many = {
            f"ORG-{number}-{row}": Organization(id=f"ORG-{number}-{row}", name="Mine", country="PE", kind="producer")
            for row in range(3_000)  # more than a reader takes at once
        }
        wanted = registry_snapshot(PROGRAMME, {**base.organizations, **many}, base.schemes)
        await apply_registry(kafka, wanted, current)
        current = wanted
    assert current is not None
    await send(kafka, many_sales(200, revisions=1))
    with WorkerProcess(kafka) as worker:
        assert await sold(kafka, worker, 20, first=1_000) == {current.version}
        versions = {json.loads(record.value)["registry_version"] for record in await read(kafka, ENTITLEMENTS)}
        assert versions == {current.version}
        assert await read(kafka, SALES_DEAD) == []


async def test_while_registries_change_no_sale_is_calculated_with_two(kafka: str, worker: WorkerProcess) -> None:
    rate_of = {with_rate(rate).version: rate for rate in RATES}
    current = OLD
    for number in range(6):
        wanted = with_rate(RATES[(number + 1) % len(RATES)])
        await asyncio.gather(
            send(kafka, many_sales(300, revisions=1, first=number * 1_000)), apply_registry(kafka, wanted, current)
        )
        current = wanted
    assert await sold(kafka, worker, 20, first=50_000) == {current.version}
    by_partition: dict[int, list[str]] = {}
    for record in sorted(await read(kafka, ENTITLEMENTS), key=lambda record: record.offset):
        entitlement = json.loads(record.value)
        (premium,) = entitlement["premiums"]
        assert premium["rate"]["amount"] == rate_of[entitlement["registry_version"]]
        versions = by_partition.setdefault(record.partition, [])
        if versions[-1:] != [entitlement["registry_version"]]:
            versions.append(entitlement["registry_version"])
    for versions in by_partition.values():
        assert len(versions) <= 7, "a partition's answers go from one registry to the next, never back and forth"
