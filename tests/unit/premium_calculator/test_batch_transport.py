"""What the batch transport leans on, and the rule by which its marks move."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import AsyncIterator, Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from faust.app.base import App
from faust.transport.conductor import Conductor
from faust.transport.consumer import Consumer, ConsumerThread, ensure_TP
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode.threads import QueueServiceThread

from services.premium_calculator.app import CalculatorApp
from services.premium_calculator.batch_transport import (
    BatchConsumer,
    BatchTransport,
    GapError,
    OffsetsWentBackError,
    RecordBatch,
)
from services.runtime.kafka import FETCH_WAIT_MS

PINS: Final = {"faust-streaming": "0.15.3", "mode-streaming": "0.7.1", "aiokafka": "0.14.0"}

# Function -> its parameters, as batch_transport.py calls or overrides it.
LEANS_ON: Final[dict[Callable[..., Any], str]] = {
    Consumer._drain_messages: "(self, fetcher)",
    Consumer._wait_next_records: "(self, timeout)",
    Consumer._filter_tps_with_pending_acks: "(self, topics=None)",
    Consumer._new_offset: "(self, tp)",
    Consumer.stop_flow: "(self)",
    Consumer.resume_flow: "(self)",
    Consumer.on_partitions_revoked: "(self, revoked)",
    Consumer.on_partitions_assigned: "(self, assigned, generation_id=0)",
    driver.Consumer._commit: "(self, offsets)",
    driver.Consumer.verify_event_path: "(self, now, tp)",
    driver.Consumer._new_consumer_thread: "(self)",
    driver.AIOKafkaConsumerThread._create_worker_consumer: "(self, transport)",
    driver.AIOKafkaConsumerThread._ensure_consumer: "(self)",
    QueueServiceThread.call_thread: "(self, fun, *args, **kwargs)",
    Conductor._update_tp_index: "(self, assigned)",
    App._new_transport: "(self)",
    App._create_directories: "(self)",
    ensure_TP: "(tp)",
}

ROOT: Final = Path(__file__).resolve().parents[3]
TP0: Final = TP("gold.sales.v1", 0)
TP1: Final = TP("gold.sales.v1", 1)


def test_installed_and_declared_versions_are_the_ones_that_the_transport_was_written_for() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    for package, pin in PINS.items():
        assert version(package) == pin
        assert f"{package}=={pin}" in declared


@pytest.mark.parametrize("function", LEANS_ON, ids=lambda function: function.__qualname__)
def test_private_api_has_the_signature_that_the_transport_leans_on(function: Callable[..., Any]) -> None:
    signature = inspect.signature(function)
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    assert str(inspect.Signature(bare)) == LEANS_ON[function]


def test_what_the_transport_overrides_exists_in_faust() -> None:
    overridden = [name for name in vars(BatchConsumer) if name.startswith("_") and not name.startswith("__")]
    own = {"_drain_one_batch", "_seek_to_committed", "_seek_in_thread", "_hand_over", "_unread", "_put"}
    own |= {"_positions_in_thread", "_pass_over"}
    assert {name for name in overridden if not hasattr(driver.Consumer, name)} == own
    assert issubclass(ConsumerThread, QueueServiceThread)


async def test_fetches_wait_as_long_as_we_say_and_not_as_long_as_faust_does(consumer: BatchConsumer) -> None:
    thread, transport = consumer._thread, consumer.transport
    stock = driver.AIOKafkaConsumerThread._create_worker_consumer(thread, transport)
    ours = thread._create_worker_consumer(transport)
    assert stock._fetch_max_wait_ms == 1_500, "else Faust can be told in another way"
    assert ours._fetch_max_wait_ms == FETCH_WAIT_MS
    assert stock._isolation_level == "read_uncommitted", "else Faust can be told in another way"
    assert ours._isolation_level == "read_committed"
    await stock.stop()
    await ours.stop()


# --- marks --------------------------------------------------------------------------------------------------------------


async def ignore(_batch: RecordBatch) -> None:
    """The work of an agent that never runs here."""


@pytest.fixture
async def consumer() -> AsyncIterator[BatchConsumer]:
    """The consumer of an app that is not started, reading from offset 10 of one partition and the beginning of another."""
    app = CalculatorApp("127.0.0.1:1", instance="0", calculate=ignore)
    assert isinstance(app.transport, BatchTransport)
    consumer = app.batch_consumer
    consumer._base = {TP0: 10, TP1: None}
    consumer._position = dict(consumer._base)
    consumer._delivered = dict(consumer._base)
    yield consumer
    consumer._thread.thread_loop.close()  # made with the consumer, for the thread that never starts here


def records(partition: TP, *offsets: int) -> list[ConsumerRecord[Any, Any]]:
    return [ConsumerRecord(*partition, offset, 0, 0, b"key", b"value", None, 3, 5, ()) for offset in offsets]


def batch(consumer: BatchConsumer, begins: int | None, *offsets: int, partition: TP = TP0) -> RecordBatch:
    return RecordBatch(consumer._epoch, {partition: records(partition, *offsets)}, {partition: begins})


def marks(consumer: BatchConsumer) -> dict[TP, int | None]:
    return {partition: consumer._new_offset(partition) for partition in consumer._filter_tps_with_pending_acks()}


async def test_a_mark_moves_behind_the_last_record_of_a_delivered_batch(consumer: BatchConsumer) -> None:
    consumer.delivered(batch(consumer, 10, 10, 11))
    consumer.delivered(batch(consumer, None, 0, partition=TP1))
    assert marks(consumer) == {TP0: 12, TP1: 1}
    assert consumer.delivered_offsets() == {TP0: 12, TP1: 1}


async def test_offsets_that_hold_no_record_are_passed_over(consumer: BatchConsumer) -> None:
    consumer.delivered(batch(consumer, 10, 10, 14))
    consumer.delivered(batch(consumer, 15, 17))
    assert marks(consumer)[TP0] == 18


async def test_a_mark_follows_over_the_end_of_a_transaction_once_all_before_it_is_delivered(consumer: BatchConsumer) -> None:
    read_up_to = {TopicPartition(*TP0): 13, TopicPartition(*TP1): 0}
    consumer._position[TP0] = 12
    consumer._pass_over(consumer._epoch, read_up_to)
    assert marks(consumer) == {TP0: 10, TP1: None}, "offsets 10 and 11 are handed over and not delivered"
    consumer.delivered(batch(consumer, 10, 10, 11))
    consumer._pass_over(consumer._epoch - 1, read_up_to)
    assert marks(consumer)[TP0] == 12, "asked before the partitions were assigned anew"
    consumer._pass_over(consumer._epoch, read_up_to)
    assert marks(consumer) == {TP0: 13, TP1: None}
    consumer.delivered(batch(consumer, 13, 13))
    consumer._pass_over(consumer._epoch, {TopicPartition(*TP0): 9, TopicPartition(TP0.topic, 7): 5})
    assert marks(consumer)[TP0] == 14, "a mark never moves back"


async def test_a_batch_that_does_not_begin_where_the_last_one_ended_is_a_gap(consumer: BatchConsumer) -> None:
    consumer.delivered(batch(consumer, 10, 10))
    with pytest.raises(GapError):
        consumer.delivered(batch(consumer, 12, 12))
    assert marks(consumer)[TP0] == 11


async def test_a_gap_in_one_partition_moves_no_mark_of_another(consumer: BatchConsumer) -> None:
    both = RecordBatch(consumer._epoch, {TP1: records(TP1, 0), TP0: records(TP0, 99)}, {TP1: None, TP0: 99})
    with pytest.raises(GapError):
        consumer.delivered(both)
    assert marks(consumer) == {TP0: 10, TP1: None}


@pytest.mark.parametrize("change", [BatchConsumer.stop_flow, BatchConsumer.resume_flow])
async def test_a_batch_of_before_the_flow_stopped_or_resumed_counts_for_nothing(
    consumer: BatchConsumer, change: Callable[[BatchConsumer], None]
) -> None:
    before = batch(consumer, 10, 10)
    change(consumer)
    assert not consumer.is_current(before)
    consumer.delivered(before)
    assert marks(consumer)[TP0] == 10


async def test_records_that_were_read_already_are_not_handed_over_again(consumer: BatchConsumer) -> None:
    consumer._position[TP0] = 12
    assert [record.offset for record in consumer._unread(TP0, records(TP0, 10, 11, 12, 13))] == [12, 13]
    assert consumer._unread(TP0, records(TP0, 10, 11)) == []
    assert [record.offset for record in consumer._unread(TP1, records(TP1, 0, 1))] == [0, 1]


async def test_an_offset_before_the_committed_one_means_that_the_topic_was_recreated(consumer: BatchConsumer) -> None:
    with pytest.raises(OffsetsWentBackError, match="was the topic recreated"):
        consumer._unread(TP0, records(TP0, 3))
