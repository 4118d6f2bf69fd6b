"""The Faust app of the premium calculator: one agent on gold.sales.v1, nothing else.

Method: no tables, no web, no producer of Faust's own (its exactly-once mode let outputs leave without transaction, docs/adr);
batches by `batch_transport`. An exception in the agent ends the process at once, before anything can be committed.
Source: design, section 3.5.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from faust.app.base import BootStrategy
from mode.supervisors import CrashingSupervisor

from schemas.topics import SALES
from services.premium_calculator.batch_transport import BatchApp, BatchConsumer, RecordBatch
from services.premium_calculator.limits import (
    BATCH_RECORDS_MAX,
    BUFFERED_BATCHES_MAX,
    COMMIT_INTERVAL_S,
    FETCH_BYTES_MAX,
)
from services.runtime.kafka import HEARTBEAT_INTERVAL_MS, POLL_INTERVAL_MS_MAX, REQUEST_TIMEOUT_MS, SESSION_TIMEOUT_MS
from services.runtime.process import end_unexpected

GROUP: Final = "premium_calculator"


class _ConsumerOnly(BootStrategy):
    enable_kafka_producer = False
    enable_web = False


class CalculatorApp(BatchApp):
    """The app; `instance` tells workers of one group apart, and is kept over restarts of each."""

    BootStrategy = _ConsumerOnly

    def __init__(self, servers: str, *, instance: str, calculate: Callable[[RecordBatch], Awaitable[None]]) -> None:
        """Call inside the loop that will run it."""
        super().__init__(
            GROUP,
            broker=[f"kafka://{server.strip()}" for server in servers.split(",")],
            autodiscover=False,
            store="memory://",
            topic_allow_declare=False,
            topic_disable_leader=True,
            agent_supervisor=CrashingSupervisor,
            table_standby_replicas=0,  # with it Faust takes Kafka's own round-robin assignor, not the one for tables
            stream_wait_empty=False,
            stream_buffer_maxsize=BUFFERED_BATCHES_MAX,
            stream_recovery_delay=0.0,
            broker_max_poll_records=BATCH_RECORDS_MAX,
            broker_commit_interval=COMMIT_INTERVAL_S,
            broker_session_timeout=SESSION_TIMEOUT_MS / 1000,
            broker_heartbeat_interval=HEARTBEAT_INTERVAL_MS / 1000,
            broker_max_poll_interval=POLL_INTERVAL_MS_MAX / 1000,
            broker_request_timeout=REQUEST_TIMEOUT_MS / 1000,
            consumer_max_fetch_size=FETCH_BYTES_MAX,
            consumer_auto_offset_reset="earliest",
            consumer_group_instance_id=f"{GROUP}-{instance}",
        )

        @self.agent(self.topic(SALES), concurrency=1, supervisor_strategy=CrashingSupervisor)
        async def sales(batches: Any) -> None:
            try:
                async for batch in batches:
                    await calculate(batch)
            except asyncio.CancelledError:
                raise
            except BaseException:
                end_unexpected(GROUP)

    @property
    def batch_consumer(self) -> BatchConsumer:
        """The app's consumer, with the methods for batches."""
        assert isinstance(self.consumer, BatchConsumer)
        return self.consumer
