"""Faust with whole batches: what one getmany gives is one value of the stream.

Goal: Faust's agents at nine tenths of a bare aiokafka loop instead of a third, and an offset is committed only when
everything before it was delivered.
Method: stock Faust spends most of its time on handing over single messages (a queue, four tasks and an acknowledgement
each). Here the fetcher puts a `RecordBatch` into the agent's channel, and commits follow one mark a partition: the agent
calls `delivered(batch)` after the broker has all outputs, and the mark moves only from where the batch began to where it
ended. Anything that makes positions uncertain (a rebalance, a stop or resume of the flow, which both clear the queues)
starts a new epoch: batches of an older epoch count for nothing, and reading starts again at the committed offsets.
Refuses: a batch that does not begin where the one delivered before it ended (GapError), and offsets before the committed
one, which only a recreated topic has (OffsetsWentBackError). Both must end the process: going on would lose sales.
Source: design, section 3.5; measured beside five other shapes, docs/adr.

This leans on private API of faust-streaming 0.15.3 and mode-streaming 0.7.1, pinned in pyproject.toml:
- Consumer: _drain_messages, _wait_next_records, _filter_tps_with_pending_acks, _new_offset, _commit, _thread, _stopped,
  can_resume_flow, suspend_flow, flow_active, stop_flow, resume_flow, on_partitions_revoked, on_partitions_assigned,
  verify_event_path, _new_consumer_thread; ConsumerThread: call_thread, _ensure_consumer, _create_worker_consumer
- AIOKafkaConsumer of aiokafka 0.14.0: _fetch_max_wait_ms, which Faust sets to 1.5 s and has no setting for, and
  _isolation_level, which Faust ties to its own transactions
- app.topics._tp_index: which channel reads a partition; channel.queue: the agent's queue
- App: _new_transport, _create_directories
tests/unit/premium_calculator/test_batch_transport.py fails when the pins or one of the signatures change.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

import faust
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import ConsumerStoppedError, IllegalStateError
from faust.transport.conductor import Conductor
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from services.runtime.kafka import FETCH_WAIT_MS, ISOLATION_LEVEL

FETCH_TIMEOUT_S: Final = 1.0  # how late the fetcher notices that it must stop; a record that arrives ends the wait.
SEEK_AGAIN_S: Final = 0.1  # between attempts to seek while the group rebalances.

Offsets: TypeAlias = dict[TP, int | None]  # None: before the first record of the partition


class GapError(Exception):
    """A batch does not begin where the last delivered one ended: something between them was dropped."""


class OffsetsWentBackError(Exception):
    """A partition has records before the committed offset: the topic was recreated."""


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Records as one fetch gave them, by partition, and from where in each partition they were read."""

    epoch: int
    records: Mapping[TP, list[ConsumerRecord[Any, Any]]]
    begins: Offsets

    def __len__(self) -> int:
        """Number of records."""
        return sum(map(len, self.records.values()))


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's thread around aiokafka's consumer, which waits for records as long as all our consumers do."""

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        consumer._isolation_level = ISOLATION_LEVEL
        return consumer


class BatchConsumer(driver.Consumer):
    """Faust's consumer, handing over batches and committing by mark. All methods run in the main thread's loop."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """As stock."""
        super().__init__(*args, **kwargs)
        self._epoch = 0
        self._sought_epoch: int | None = None
        self._base: Offsets = {}
        self._position: Offsets = {}
        self._delivered: Offsets = {}
        self.committed_at = time.monotonic()

    # --- for the agent ------------------------------------------------------------------------------------------------

    def is_current(self, batch: RecordBatch) -> bool:
        """Whether the batch still counts; a batch of an older epoch is read again, by us or by another worker."""
        return batch.epoch == self._epoch

    def delivered(self, batch: RecordBatch) -> None:
        """Note that everything made of the batch is with the broker. For a batch of an older epoch this does nothing."""
        if not self.is_current(batch):
            return
        for partition, begin in batch.begins.items():
            if self._delivered[partition] != begin:
                raise GapError(f"{partition}: delivered up to {self._delivered[partition]}, but the batch begins at {begin}")
        for partition, records in batch.records.items():
            self._delivered[partition] = records[-1].offset + 1

    def delivered_offsets(self) -> dict[TP, int]:
        """The next offset to be delivered, of each partition that we read, where it is not the first."""
        return {partition: offset for partition, offset in self._delivered.items() if offset is not None}

    # --- epochs -------------------------------------------------------------------------------------------------------

    def stop_flow(self) -> None:
        """As stock; whoever stops the flow clears the queues."""
        self._epoch += 1
        super().stop_flow()

    def resume_flow(self) -> None:
        """As stock; resuming app.flow_control, right before this, has cleared the queues once more."""
        self._epoch += 1
        super().resume_flow()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commit what was delivered while the partitions are still ours, then as stock."""
        await self.commit()
        self._epoch += 1
        # A mark of ours is not to be committed again when another worker has gone on from it.
        self._delivered.clear()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """As stock. Fetching may start before the new channels are known: that counts for nothing."""
        self._epoch += 1
        await super().on_partitions_assigned(assigned, generation_id)

    # --- commits ------------------------------------------------------------------------------------------------------

    def _filter_tps_with_pending_acks(self, topics: Iterable[Any] | None = None) -> Iterator[TP]:
        return iter(list(self._delivered))

    def _new_offset(self, tp: TP) -> int | None:
        return self._delivered.get(tp)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        committed = bool(await super()._commit(offsets))
        if committed:
            self.committed_at = time.monotonic()
        return committed

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing: stock reads statistics that batches bypass, and would complain every few minutes."""

    # --- reading ------------------------------------------------------------------------------------------------------

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _drain_messages(self, fetcher: Any) -> None:
        self._sought_epoch = None  # whatever an earlier run of the fetcher read and did not hand over is read again
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):
                await self._drain_one_batch()
        except (ConsumerStoppedError, asyncio.CancelledError):
            if not self.app.should_stop:
                raise

    async def _drain_one_batch(self) -> None:
        if not self.flow_active:
            await self.wait(self.can_resume_flow)  # type: ignore[arg-type]  # mode means any event
            return
        epoch = self._epoch
        if self._sought_epoch != epoch:
            base = await self._seek_to_committed()
            if base is None or epoch != self._epoch:
                await asyncio.sleep(SEEK_AGAIN_S)
                return
            self._base, self._position, self._delivered = base, dict(base), dict(base)
            self._sought_epoch = epoch
        fetched, _ = await self._wait_next_records(FETCH_TIMEOUT_S)
        if epoch != self._epoch:
            return  # read for an assignment that is gone; the next turn seeks
        if fetched:
            await self._hand_over(fetched)
        else:
            self._pass_over(epoch, await self._thread.call_thread(self._positions_in_thread))

    async def _seek_to_committed(self) -> Offsets | None:
        """Position every partition at its committed offset, or its beginning. None while the group rebalances."""
        try:
            return {
                ensure_TP(partition): offset
                for partition, offset in (await self._thread.call_thread(self._seek_in_thread)).items()
            }
        except IllegalStateError:
            return None

    async def _seek_in_thread(self) -> dict[TopicPartition, int | None]:
        consumer: AIOKafkaConsumer = self._thread._ensure_consumer()
        sought: dict[TopicPartition, int | None] = {}
        for partition in consumer.assignment():
            # Asked here, as stock leaves a partition without a commit where it was.
            offset = await consumer.committed(partition)
            if offset:
                consumer.seek(partition, offset)
            else:
                await consumer.seek_to_beginning(partition)
            sought[partition] = offset or None
        return sought

    async def _positions_in_thread(self) -> dict[TopicPartition, int]:
        """From where each partition is read next, as far as that is known soon."""
        consumer: AIOKafkaConsumer = self._thread._ensure_consumer()
        positions: dict[TopicPartition, int] = {}
        with suppress(TimeoutError, IllegalStateError):  # the broker does not say, or the group rebalances: next time
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                for partition in consumer.assignment():
                    positions[partition] = await consumer.position(partition)
        return positions

    def _pass_over(self, epoch: int, positions: Mapping[TopicPartition, int]) -> None:
        """Move the marks over offsets that hold no sale: a transaction's end, and all of one that was given up.

        Nothing was fetched before `positions` were asked for, so that what was read is all handed over. Where it is delivered
        too, the mark may follow; without this the last offset of a partition might wait for ever, and look like a stall.
        """
        if epoch != self._epoch:
            return
        for partition, position in positions.items():
            tp = ensure_TP(partition)
            if tp not in self._delivered:
                continue  # assigned in the consumer's thread already, which ends the epoch in a moment
            mark = self._delivered[tp]
            if self._position[tp] == mark and position > (mark or 0):
                self._position[tp] = self._delivered[tp] = position

    async def _hand_over(self, fetched: Mapping[Any, list[ConsumerRecord[Any, Any]]]) -> None:
        records: dict[TP, list[ConsumerRecord[Any, Any]]] = {}
        begins: Offsets = {}
        channels: set[Any] = set()
        readers = cast("Conductor", self.app.topics)._tp_index
        for partition, found in fetched.items():
            tp = ensure_TP(partition)
            unread = self._unread(tp, found)
            if unread:
                records[tp] = unread
                begins[tp] = self._position[tp]
                channels |= readers[tp]
        if not records:
            return
        (channel,) = channels  # one agent, one channel
        if await self._put(channel.queue, RecordBatch(self._epoch, records, begins)):
            for tp, unread in records.items():
                self._position[tp] = unread[-1].offset + 1

    def _unread(self, tp: TP, found: list[ConsumerRecord[Any, Any]]) -> list[ConsumerRecord[Any, Any]]:
        """Without what a seek of Faust's own, late in a rebalance, made us read twice."""
        base, position = self._base[tp], self._position[tp]
        if base is not None and found and found[0].offset < base:
            raise OffsetsWentBackError(
                f"{tp} has offset {found[0].offset} and {base} was committed: was the topic recreated? "
                "Reset the group's offsets once that is understood"
            )
        if position is None or not found or found[0].offset >= position:
            return found
        return [record for record in found if record.offset >= position]

    async def _put(self, queue: Any, batch: RecordBatch) -> bool:
        """Put the batch unless the flow is suspended meanwhile; then the epoch is over, and the batch is read again."""
        putting = asyncio.ensure_future(queue.put(batch))
        suspended = asyncio.ensure_future(self.suspend_flow.wait())
        try:
            await asyncio.wait({putting, suspended}, return_when=asyncio.FIRST_COMPLETED)
            return self.is_current(batch) and putting.done() and not putting.cancelled()
        finally:
            putting.cancel()
            suspended.cancel()


class BatchTransport(driver.Transport):
    """Faust's transport for aiokafka with our consumer."""

    Consumer = BatchConsumer


class BatchApp(faust.App):
    """A Faust app whose agents read `RecordBatch`es."""

    def _new_transport(self) -> BatchTransport:
        return BatchTransport(self.conf.broker_consumer, self)

    def _create_directories(self) -> None:
        """None: without tables there is nothing to keep, and the folder we run in may be read-only."""
