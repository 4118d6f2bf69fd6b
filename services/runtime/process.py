"""The life of a service process: start, run until told to stop or until a task fails, stop.

Method: the service's long-running tasks run side by side. SIGTERM and SIGINT set an event; the first task that ends by an
exception takes the process down with exit 70 after logging it, without acknowledging anything: a supervisor starts it again
and the events come again (style R8 b). Settings that are wrong end it with one line and exit 2.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Final, NoReturn

import uvloop

from services.runtime.logging import configure_logging
from services.runtime.settings import SettingError

EXIT_SETTINGS: Final = 2
EXIT_UNEXPECTED: Final = 70  # EX_SOFTWARE of sysexits.h
log = logging.getLogger(__name__)


def run_service(name: str, main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run `main` with an event that is set when the process is asked to stop. Never returns."""
    configure_logging()
    try:
        uvloop.run(_until_stopped(main))
    except SettingError as error:
        sys.stderr.write(f"{name}: {error}\n")
        sys.exit(EXIT_SETTINGS)
    except BaseException:
        end_unexpected(name)
    sys.exit(0)


def end_unexpected(name: str) -> NoReturn:
    """Log the exception that is being handled and end the process at once, with exit 70."""
    log.exception("%s ends on what it did not expect; nothing of it was acknowledged", name)  # noqa: LOG004  called in one
    # Not sys.exit: threads and pending tasks of a broken process must not get the chance to acknowledge anything.
    logging.shutdown()
    os._exit(EXIT_UNEXPECTED)


async def _until_stopped(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await main(stop)


async def run_side_by_side(stop: asyncio.Event, *tasks: Coroutine[None, None, None]) -> None:
    """Run the tasks until `stop` is set, then cancel them. The first exception of one of them is raised at once."""
    running = [asyncio.create_task(task) for task in tasks]
    stopping = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([*running, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        assert stop.is_set(), "a service's task runs until it is told to stop"
    finally:
        for task in (*running, stopping):
            task.cancel()
        await asyncio.gather(*running, stopping, return_exceptions=True)
