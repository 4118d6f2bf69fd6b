"""The ledger's process: a consumer of entitlements and commands, one of sale outcomes, the registry's actors, two relays, the
sealer of the log, and HTTP: reading, corrections, the log and its proofs, metrics, health.

Environment: KAFKA_BOOTSTRAP_SERVERS, PREMIA_LEDGER_DATABASE_URL, PREMIA_LEDGER_HTTP, PREMIA_ACTOR_TOKENS; PREMIA_LEDGER_LOG,
the folder of the log, PREMIA_LEDGER_LOG_KEY or PREMIA_LEDGER_LOG_KEY_TEXT, and PREMIA_LEDGER_WITNESSES if the log has any.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from schemas.topics import ENTITLEMENTS, LEDGER_COMMANDS, SALE_OUTCOMES
from services.ledger.actor_roles import ActorRoles
from services.ledger.adapters.growing_log import stored_checkpoint
from services.ledger.adapters.http_api import api_routes
from services.ledger.adapters.log_folder import LogFolder
from services.ledger.adapters.log_http import LogHttp
from services.ledger.adapters.log_keys import LogKeys, log_keys
from services.ledger.adapters.witness import witnesses
from services.ledger.limits import MEASURE_INTERVAL_S, SEQUENCES_GATHER_S
from services.ledger.metrics import (
    BATCH_RECORDS,
    COMMANDS_TOTAL,
    CORRECTIONS_WAITING,
    ENTITLEMENTS_TOTAL,
    OLDEST_SEQUENCE_GAP_SECONDS,
    SEALED_BEHIND_SECONDS,
    SEQUENCE_GAPS,
    TRANSFERS_TOTAL,
    TREE_SIZE,
    TRIAL_BALANCE,
    UNSUMMED_LEAVES,
)
from services.ledger.published_log import PublishedLog
from services.ledger.sealing import Sealing
from services.ledger.use_cases.compare_log import JOURNAL_SIZE
from services.ledger.use_cases.just_posted import JustPosted
from services.ledger.use_cases.post_batch import BatchResult, post_batch
from services.ledger.use_cases.read_corrections import waiting_corrections
from services.ledger.use_cases.recover_log import recover_log
from services.ledger.use_cases.relay_journal import next_messages
from services.ledger.use_cases.seal_log import recorded_at
from services.ledger.use_cases.sequence_gaps import gap_figures
from services.ledger.use_cases.sum_account_days import keep_summed, unsummed_leaves
from services.ledger.use_cases.track_sequences import track_sequences
from services.ledger.use_cases.trial_balance import trial_balance
from services.ledger.witnessing import follow_with
from services.runtime.batch_consumer import Progress, Subscription, consume
from services.runtime.database import open_pool
from services.runtime.http import ActorTokens, serve
from services.runtime.kafka import start_producer
from services.runtime.outbox import outbox_after
from services.runtime.process import run_service, run_side_by_side
from services.runtime.registry_feed import follow_registry
from services.runtime.relay import run_relay
from services.runtime.servers import KafkaWatch, when_it_answers
from services.runtime.settings import folder, listen_address, required

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

    from services.runtime.database import Connection, Pool
    from services.runtime.relay import ReadAfter

SCHEMA: Final = "ledger"


class Posting:
    """Connects the consumer to the use case: what a batch did is counted, and relayed, only once it is committed."""

    def __init__(self) -> None:
        self.to_relay = JustPosted()
        self.to_seal = JustPosted()
        self.outbox_wake = asyncio.Event()
        self._result = BatchResult()
        self._records = 0

    async def apply(self, conn: Connection, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
        """Post a batch in the open SQL transaction."""
        self._result = await post_batch(conn, records)
        self._records = len(records)

    def applied(self) -> None:
        """Count the batch that was committed, and wake relays and sealer."""
        BATCH_RECORDS.observe(self._records)
        self.committed(self._result)

    def committed(self, result: BatchResult) -> None:
        """The same for what did not come by Kafka."""
        for outcome, count in result.entitlements.items():
            ENTITLEMENTS_TOTAL.labels(outcome).inc(count)
        for outcome, count in result.commands.items():
            COMMANDS_TOTAL.labels(outcome).inc(count)
        TRANSFERS_TOTAL.inc(result.transfers)
        self.to_relay.add(result.rows)
        self.to_seal.add(result.rows)
        self.outbox_wake.set()


async def measure(pool: Pool, log_folder: LogFolder, keys: LogKeys) -> None:
    """Keep the gauges of what is read from tables and files, until cancelled."""
    while True:
        stored = await asyncio.to_thread(stored_checkpoint, log_folder, keys)
        async with pool.acquire() as conn:
            for unit, difference in (await trial_balance(conn)).items():
                TRIAL_BALANCE.labels(unit).set(difference)
            TREE_SIZE.set(await conn.fetchval(JOURNAL_SIZE))
            now = datetime.now(UTC)
            figures = await gap_figures(conn, now)
            unsealed_since = await recorded_at(conn, 0 if stored is None else stored[0].size)
            CORRECTIONS_WAITING.set(await waiting_corrections(conn))
            UNSUMMED_LEAVES.set(await unsummed_leaves(conn))
        for kind, count in figures.gaps_by_kind.items():
            SEQUENCE_GAPS.labels(kind.value).set(count)
        OLDEST_SEQUENCE_GAP_SECONDS.set(figures.oldest_seconds)
        SEALED_BEHIND_SECONDS.set(0 if unsealed_since is None else max(0.0, (now - unsealed_since).total_seconds()))
        await asyncio.sleep(MEASURE_INTERVAL_S)


async def _outbox_after(conn: Connection, number: int, limit: int) -> list[Any]:
    return await outbox_after(conn, SCHEMA, number, limit)


async def main(stop: asyncio.Event) -> None:
    """Wire and run the service until `stop` is set."""
    address = listen_address("PREMIA_LEDGER_HTTP")
    tokens = ActorTokens(Path(required("PREMIA_ACTOR_TOKENS")))
    keys = log_keys()
    log_folder = LogFolder(folder("PREMIA_LEDGER_LOG"))
    log_witnesses = witnesses()
    posting = Posting()
    progress = Progress()
    subscription = Subscription(
        schema=SCHEMA,
        group="premia-ledger",
        topics=(ENTITLEMENTS, LEDGER_COMMANDS),
        apply=posting.apply,
        applied=posting.applied,
        progress=progress,
    )
    sequences = Subscription(
        schema=SCHEMA,
        group="premia-ledger-sequences",
        topics=(SALE_OUTCOMES,),
        apply=track_sequences,
        applied=lambda: None,
        gather_s=SEQUENCES_GATHER_S,
    )
    roles = ActorRoles()
    kafka = KafkaWatch()
    database_url = required("PREMIA_LEDGER_DATABASE_URL")
    pool = await when_it_answers("PostgreSQL", lambda: open_pool(database_url))
    try:
        producer = await when_it_answers("Kafka", start_producer)
        try:
            async with pool.acquire() as conn:
                await recover_log(conn, log_folder, keys)  # before anything is posted, by Kafka or over HTTP
            log_http = LogHttp(pool, log_folder, keys)
            runner = await serve(
                address,
                tokens=tokens,
                routes=[*api_routes(pool, roles, posting.committed), *log_http.routes()],
                public_routes=log_http.public_routes(),
                live=lambda: progress.stalled() or sequences.progress.stalled(),
                ready=lambda: kafka.trouble() if progress.assigned else "no partitions are assigned yet",
            )

            async def relay(source: str, read_after: ReadAfter, wake: asyncio.Event) -> None:
                await run_relay(pool, producer, schema=SCHEMA, source=source, read_after=read_after, wake=wake)

            published = PublishedLog(log_folder, producer)
            sealing = Sealing(pool, log_folder, keys, published, posting.to_seal)
            try:
                await run_side_by_side(
                    stop,
                    kafka.run(),
                    consume(pool, subscription),
                    consume(pool, sequences),
                    follow_registry(roles.use),
                    relay("journal", partial(next_messages, posting.to_relay), posting.to_relay.wake),
                    relay("outbox", _outbox_after, posting.outbox_wake),
                    sealing.run(),
                    follow_with(log_witnesses, log_folder, published),
                    keep_summed(pool),
                    measure(pool, log_folder, keys),
                )
            finally:
                await runner.cleanup()
        finally:
            await producer.stop()
    finally:
        await pool.close()


if __name__ == "__main__":
    run_service("ledger", main)
