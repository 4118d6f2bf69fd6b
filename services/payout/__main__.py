"""The payout service: reads the ledger, the registry and the bank; settles cycles; writes bank files and statements.

Wires settings, pool, consumers, relay, file sender, bank intake and HTTP together, and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from schemas.topics import LEDGER_TRANSACTIONS, REGISTRY, REGISTRY_PRIVATE
from services.payout.adapters.bank_intake import BankIntake
from services.payout.adapters.http_api import Api, utc_now
from services.payout.adapters.ledger_topic import read_ledger_record
from services.payout.adapters.statement_office import StatementOffice
from services.payout.adapters.statement_printer import StatementPrinter
from services.payout.bank.errors import BankFileConflictError, BankFolderUnusableError, PaymentFileInvalidError
from services.payout.limits import (
    BANK_POLL_INTERVAL_S,
    FOLDER_RETRY_INTERVAL_S,
    MEASURE_INTERVAL_S,
    SENDER_POLL_INTERVAL_S,
)
from services.payout.metrics import FOLDER_TROUBLE_TOTAL
from services.payout.registry_view import RegistryView, load_registry
from services.payout.use_cases.apply_ledger_batch import apply_ledger_batch
from services.payout.use_cases.apply_registry_batch import apply_registry_batch
from services.payout.use_cases.measure import measure
from services.payout.use_cases.send_bank_files import send_bank_files
from services.payout.use_cases.write_bank_files import write_bank_files
from services.runtime.batch_consumer import Subscription, consume
from services.runtime.database import Connection, Pool, hold_alone, open_pool
from services.runtime.http import ActorTokens, serve
from services.runtime.kafka import start_producer
from services.runtime.outbox import outbox_after
from services.runtime.process import run_service, run_side_by_side
from services.runtime.relay import run_relay
from services.runtime.servers import KafkaWatch, when_it_answers
from services.runtime.settings import folder, listen_address, required

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

SCHEMA: Final = "payout"
FOLDER_TROUBLE: Final = (BankFileConflictError, BankFolderUnusableError)
log = logging.getLogger(__name__)


async def main(stop: asyncio.Event) -> None:
    """Run the service until `stop` is set."""
    address = listen_address("PREMIA_PAYOUT_HTTP")
    tokens = ActorTokens(Path(required("PREMIA_ACTOR_TOKENS")))
    outgoing, incoming = folder("PREMIA_BANK_OUTGOING"), folder("PREMIA_BANK_INCOMING")
    documents = folder("PREMIA_DOCUMENTS_DIR")
    database_url = required("PREMIA_PAYOUT_DATABASE_URL")
    pool = await when_it_answers("PostgreSQL", lambda: open_pool(database_url))
    producer = await when_it_answers("Kafka", start_producer)
    kafka = KafkaWatch()
    wake_relay, wake_sender = asyncio.Event(), asyncio.Event()

    def committed() -> None:
        wake_relay.set()
        wake_sender.set()

    async with pool.acquire() as conn:
        registry = await load_registry(conn)
    ledger, registry_topics = _subscriptions(registry, committed)
    intake = BankIntake(pool, registry, incoming, utc_now, committed)
    printer = StatementPrinter()
    office = StatementOffice(pool, registry, documents, printer, utc_now, committed)
    api = Api(pool, registry, intake, office, committed)

    def live() -> str | None:
        return ledger.progress.stalled() or registry_topics.progress.stalled()

    def ready() -> str | None:
        if not (ledger.progress.assigned and registry_topics.progress.assigned):
            return "waiting for the partitions of the ledger's and the registry's topics"
        return kafka.trouble()

    runner = await serve(address, tokens=tokens, live=live, ready=ready, routes=api.routes())
    try:
        await run_side_by_side(
            stop,
            kafka.run(),
            consume(pool, registry_topics),
            consume(pool, ledger),
            run_relay(
                pool,
                producer,
                schema=SCHEMA,
                source="outbox",
                read_after=lambda conn, number, limit: outbox_after(conn, SCHEMA, number, limit),
                wake=wake_relay,
            ),
            _send_files(pool, registry, outgoing, wake_sender, wake_relay),
            _read_bank(intake),
            _measure(pool, registry),
        )
    finally:
        await runner.cleanup()
        printer.close()
        await producer.stop()
        pool.terminate()


def _subscriptions(registry: RegistryView, committed: Any) -> tuple[Subscription, Subscription]:
    async def apply_ledger(conn: Connection, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
        batch = [read_ledger_record(record) for record in records]
        await apply_ledger_batch(conn, batch, registry=registry, now=utc_now())

    async def apply_registry(conn: Connection, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
        await apply_registry_batch(conn, records, registry)

    return (
        Subscription(SCHEMA, "payout-ledger", (LEDGER_TRANSACTIONS,), apply_ledger, committed),
        Subscription(SCHEMA, "payout-registry", (REGISTRY, REGISTRY_PRIVATE), apply_registry, committed),
    )


async def _send_files(
    pool: Pool, registry: RegistryView, outgoing: Path, wake: asyncio.Event, wake_relay: asyncio.Event
) -> None:
    """Write and send bank files as orders are approved, one process at a time, until cancelled."""
    async with pool.acquire() as lock:
        await hold_alone(lock, "payout.sender")
        while True:
            wake.clear()
            try:
                async with pool.acquire() as conn, conn.transaction():
                    written = await write_bank_files(conn, registry=registry, now=utc_now())
                if written + await send_bank_files(pool, outgoing, utc_now):
                    wake_relay.set()
            except (*FOLDER_TROUBLE, PaymentFileInvalidError) as error:
                # The latter is about the programme's own account: a person mends the registry, which is read meanwhile.
                FOLDER_TROUBLE_TOTAL.inc()
                log.error("no bank file can go out, orders wait: %s", error)  # noqa: TRY400  the message says it all
                await asyncio.sleep(FOLDER_RETRY_INTERVAL_S)
            await _wait(wake, SENDER_POLL_INTERVAL_S)


async def _read_bank(intake: BankIntake) -> None:
    """Look into the pickup folder again and again, until cancelled."""
    while True:
        try:
            await intake.scan()
        except FOLDER_TROUBLE as error:
            FOLDER_TROUBLE_TOTAL.inc()
            log.error("the incoming folder cannot be used, files wait: %s", error)  # noqa: TRY400  the message says it all
            await asyncio.sleep(FOLDER_RETRY_INTERVAL_S)
        await asyncio.sleep(BANK_POLL_INTERVAL_S)


async def _measure(pool: Pool, registry: RegistryView) -> None:
    """Keep the gauges up to date, until cancelled."""
    while True:
        async with pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            await measure(conn, registry, utc_now())
        await asyncio.sleep(MEASURE_INTERVAL_S)


async def _wait(wake: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await wake.wait()
    except TimeoutError:
        return


if __name__ == "__main__":
    run_service("payout", main)
