"""`python -m services.premium_calculator`: settings, clients, health, worker."""

from __future__ import annotations

import asyncio

import uvloop

from services.premium_calculator.header_names import mend_header_names
from services.premium_calculator.registry_feed import RegistryFeed
from services.premium_calculator.worker import Worker
from services.runtime.http import serve
from services.runtime.kafka import start_producer
from services.runtime.process import run_service, run_side_by_side
from services.runtime.settings import listen_address


async def main(stop: asyncio.Event) -> None:
    """Run until `stop`."""
    address = listen_address("PREMIA_CALCULATOR_HTTP")
    producer = await start_producer()
    feed = RegistryFeed()
    worker = Worker(producer, feed)
    http = await serve(address, live=worker.progress.stalled, ready=worker.ready)
    try:
        await run_side_by_side(stop, feed.follow(), worker.run(), worker.measure())
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
