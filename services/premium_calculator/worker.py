"""The worker: from sales to entitlements, batch by batch.

Goal: a sale counts as done when the broker has its answer, never before; a crash anywhere repeats, and loses nothing.
Method: registry first, then Faust; each batch is answered with one registry, all outputs are delivered, then the batch's
marks move. A stop lets the batch in work finish, commits, and leaves.
Source: design, section 3.5.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from contextlib import suppress
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from faust.exceptions import ConsumerNotStarted
from faust.types import TP

from schemas.message import Message
from schemas.topics import SALES
from services.premium_calculator.adapters.sale_answer import answer
from services.premium_calculator.app import CalculatorApp
from services.premium_calculator.batch_transport import RecordBatch
from services.premium_calculator.limits import MEASURE_INTERVAL_S, MEASURE_TIMEOUT_S, STOP_BATCH_S, STOP_FAUST_S
from services.premium_calculator.metrics import BATCH_SECONDS, LAG_RECORDS, STALE_BATCHES_TOTAL
from services.premium_calculator.redriven_origin import origin_of
from services.premium_calculator.registry_feed import RegistryFeed
from services.runtime.batch_consumer import Progress
from services.runtime.kafka import ISOLATION_LEVEL, bootstrap_servers, publish

log = logging.getLogger(__name__)


class Worker:
    """One worker of the group."""

    def __init__(self, producer: AIOKafkaProducer, feed: RegistryFeed) -> None:
        """Deliver with `producer`, calculate with what `feed` has."""
        self._producer = producer
        self._feed = feed
        self._app: CalculatorApp | None = None
        self._one_batch = asyncio.Lock()
        self.progress = Progress()

    async def run(self) -> None:
        """Wait for the registry, then calculate until cancelled. Raises what made Faust crash."""
        await self._feed.loaded.wait()
        instance = os.environ.get("PREMIA_INSTANCE", "0")
        self._app = CalculatorApp(bootstrap_servers(), instance=instance, calculate=self.calculate)
        try:
            await self._app.start()
            await self._app.wait_until_stopped()
            raise RuntimeError("Faust stopped of itself") from self._app.crash_reason
        finally:
            await self._stop(self._app)

    async def calculate(self, batch: RecordBatch) -> None:
        """Answer every record of the batch, deliver all answers, and note the batch as delivered."""
        assert self._app is not None, "batches come from the app"
        consumer = self._app.batch_consumer
        async with self._one_batch:
            if not consumer.is_current(batch):
                STALE_BATCHES_TOTAL.inc()
                return
            started = time.perf_counter()
            registry, now = self._feed.registry, datetime.now(UTC)
            messages: list[Message] = []
            for records in batch.records.values():
                for record in records:
                    messages += answer(record, registry, now, await origin_of(record))
            await publish(self._producer, messages)
            consumer.delivered(batch)
            BATCH_SECONDS.observe(time.perf_counter() - started)

    async def _stop(self, app: CalculatorApp) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_BATCH_S):
                await self._one_batch.acquire()  # and keep it: no batch begins any more
        try:
            async with asyncio.timeout(STOP_FAUST_S):
                await app.stop()
        except TimeoutError:
            log.warning("Faust did not stop within %.0f s; what it did not commit comes again", STOP_FAUST_S)

    # --- health -------------------------------------------------------------------------------------------------------

    def ready(self) -> str | None:
        """What is missing before sales are calculated, or None."""
        if not self._feed.loaded.is_set():
            return "no registry yet: sales wait until `premia registry apply` has published one"
        return None if self._assigned() else "no partitions of sales are assigned yet"

    def leads(self) -> bool:
        """Whether this is the worker of the group that does what only one has to do: the first partition is its own."""
        return TP(SALES, 0) in self._assigned()

    def _assigned(self) -> set[TP]:
        if self._app is None:
            return set()
        try:
            return self._app.batch_consumer.assignment()
        except ConsumerNotStarted:
            return set()

    async def measure(self) -> None:
        """Keep lag and progress up to date until cancelled.

        The ends of the partitions are asked of the broker by a client of its own: a fetcher that stalls would not see
        them grow either.
        """
        observer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap_servers(), group_id=None, enable_auto_commit=False, isolation_level=ISOLATION_LEVEL
        )
        await observer.start()
        try:
            while True:
                await self._measure(observer)
                await asyncio.sleep(MEASURE_INTERVAL_S)
        finally:
            await observer.stop()

    async def _measure(self, observer: AIOKafkaConsumer) -> None:
        assigned = self._assigned()
        if self._app is None or not assigned:
            LAG_RECORDS.set(math.nan)  # unknown is not none
            return
        consumer = self._app.batch_consumer
        try:
            async with asyncio.timeout(MEASURE_TIMEOUT_S):
                ends = await observer.end_offsets([TopicPartition(*partition) for partition in assigned])
        except (KafkaError, TimeoutError) as error:
            log.info("the lag is not known: %s", error)
            return
        done = consumer.delivered_offsets()
        self.progress.lag_records = sum(max(0, end - done.get(partition, 0)) for partition, end in ends.items())
        LAG_RECORDS.set(self.progress.lag_records)
        if self.progress.lag_records == 0:
            self.progress.committed_at = time.monotonic()
        else:
            self.progress.committed_at = max(self.progress.committed_at, consumer.committed_at)
