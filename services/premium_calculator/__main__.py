"""`python -m services.premium_calculator`: settings, clients, HTTP, worker, recalculations."""

from __future__ import annotations

import asyncio
from pathlib import Path

import uvloop

from services.premium_calculator.adapters.recalculation_api import RecalculationApi
from services.premium_calculator.header_names import mend_header_names
from services.premium_calculator.limits import REQUEST_BYTES_MAX
from services.premium_calculator.recalculation_feed import RecalculationFeed
from services.premium_calculator.recalculator import Recalculator
from services.premium_calculator.registry_feed import RegistryFeed
from services.premium_calculator.worker import Worker
from services.runtime.http import ActorTokens, serve
from services.runtime.kafka import start_producer
from services.runtime.process import run_service, run_side_by_side
from services.runtime.servers import KafkaWatch, when_it_answers
from services.runtime.settings import listen_address, required


async def main(stop: asyncio.Event) -> None:
    """Run until `stop`."""
    address = listen_address("PREMIA_CALCULATOR_HTTP")
    tokens = ActorTokens(Path(required("PREMIA_ACTOR_TOKENS")))
    producer = await when_it_answers("Kafka", start_producer)
    kafka = KafkaWatch()
    registry = RegistryFeed()
    worker = Worker(producer, registry)
    recalculations = RecalculationFeed(producer)
    recalculator = Recalculator(producer, registry, recalculations, worker.leads)
    http = await serve(
        address,
        live=worker.progress.stalled,
        ready=lambda: worker.ready() or kafka.trouble(),
        tokens=tokens,
        routes=RecalculationApi(registry, recalculations).routes(),
        body_bytes_max=REQUEST_BYTES_MAX,
    )
    try:
        await run_side_by_side(
            stop,
            kafka.run(),
            registry.follow(),
            worker.run(),
            worker.measure(),
            recalculations.follow(),
            recalculator.run(),
        )
    finally:
        await producer.stop()
        await http.cleanup()


def run() -> None:
    """Run as a process. Never returns."""
    # Faust reads Kafka in a thread with a loop of its own, which it takes from the policy.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    mend_header_names()
    run_service("premium_calculator", main)


if __name__ == "__main__":
    run()
