"""The life of a service process: start, run until told to stop or until a task fails, stop.

Method: the service's long-running tasks run side by side. SIGTERM and SIGINT set an event; the first task that ends by an
exception takes the process down with exit 70 after logging it, without acknowledging anything: a supervisor starts it again
and the events come again (style R8 b). A stop that takes too long is ended: at no moment may a crash lose anything, so this
cannot either. Settings that are wrong end it with one line and exit 2.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Final, NoReturn

import uvloop

from services.runtime.logging import configure_logging
from services.runtime.settings import SettingError

EXIT_SETTINGS: Final = 2
# Objects made before the collector looks at the young ones: a batch of 2,000 records makes a million and leaves no cycle, yet
# by default it was looked through 1,400 times (measured: 30 % of a posting batch's time; memory stays the same).
YOUNG_OBJECTS_MAX: Final = 100_000
EXIT_UNEXPECTED: Final = 70  # EX_SOFTWARE of sysexits.h
STOP_S_MAX: Final = 4.5  # every service stops within 5 s, also while Kafka or PostgreSQL does not answer.
log = logging.getLogger(__name__)


def run_service(name: str, main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run `main` with an event that is set when the process is asked to stop. Never returns."""
    configure_logging()
    tune_garbage_collection()
    try:
        uvloop.run(_until_stopped(main))
    except SettingError as error:
        sys.stderr.write(f"{name}: {error}\n")
        sys.exit(EXIT_SETTINGS)
    except BaseException:
        end_unexpected(name)
    sys.exit(0)


def tune_garbage_collection() -> None:
    """Spare the collector what was imported, which lives as long as the process, and what batches make by the thousand."""
    gc.collect()
    gc.freeze()
    _, middle, old = gc.get_threshold()
    gc.set_threshold(YOUNG_OBJECTS_MAX, middle, old)


def end_unexpected(name: str) -> NoReturn:
    """Log the exception that is being handled and end the process at once, with exit 70."""
    log.exception("%s ends on what it did not expect; nothing of it was acknowledged", name)  # noqa: LOG004  called in one
    # Not sys.exit: threads and pending tasks of a broken process must not get the chance to acknowledge anything.
    logging.shutdown()
    os._exit(EXIT_UNEXPECTED)


async def _until_stopped(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    stop = asyncio.Event()

    def begin_stop() -> None:
        # A thread, as the loop may be busy or waiting for a broker that does not answer; it ends with the process.
        overdue = threading.Timer(STOP_S_MAX, _end_overdue)
        overdue.daemon = True
        overdue.start()
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, begin_stop)
    await main(stop)


def _end_overdue() -> NoReturn:
    log.warning("not stopped within %.1f s: ended; what was not committed comes again", STOP_S_MAX)
    logging.shutdown()
    os._exit(0)


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
