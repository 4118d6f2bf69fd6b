"""Statements rendered beside the event loop, on as many cores as there are.

Goal: hundreds of statements do not keep anybody waiting for an answer.
Method: a pool of processes, because the typesetter shares one cache among threads (measured: two threads are slower than one);
started with the first statement. A worker whose parent was killed ends itself within a second: nobody else would.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Final

from schemas.locale_figures import LanguageUnknownError
from schemas.statement import Statement
from services.payout.errors import RefusalCode, Refused
from services.payout.statement.errors import StatementError
from services.payout.statement.render_pdf import RenderedStatement, StatementRenderer

WORKERS_MAX: Final = 2  # a worker takes 97 MB (measured), and a cycle's hundred statements 3 s on two.
PARENT_CHECK_INTERVAL_S: Final = 1.0

log = logging.getLogger(__name__)
_renderer: StatementRenderer | None = None


@dataclass(slots=True)
class StatementPrinter:
    """Renders statements in its own processes. `close()` ends them."""

    _pool: ProcessPoolExecutor | None = field(default=None)

    async def render(self, statements: Sequence[Statement]) -> list[RenderedStatement | Refused]:
        """Render all, in order; one that cannot be rendered is refused by itself."""
        if not statements:
            return []
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                min(WORKERS_MAX, os.cpu_count() or 1),
                # Not fork: this process has threads and an event loop.
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start_worker,
                initargs=(os.getpid(),),
            )
        loop = asyncio.get_running_loop()
        try:
            return await asyncio.gather(*(loop.run_in_executor(self._pool, _render, statement) for statement in statements))
        except BrokenProcessPool as error:
            # A worker was killed (memory, most likely). The next request starts new ones; nothing of this one was issued.
            log.error("the processes that render statements ended: %s", error)  # noqa: TRY400  a traceback of ours says nothing
            self.close()
            self._pool = None
            refused = Refused(RefusalCode.STATEMENT_NOT_RENDERED, "the processes that render statements ended: try again")
            return [refused for _ in statements]

    def close(self) -> None:
        """End the processes; what is not rendered yet is dropped."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def _start_worker(parent_id: int) -> None:
    global _renderer  # noqa: PLW0603  a worker process has one renderer, and nothing else
    threading.Thread(target=_end_with, args=(parent_id,), daemon=True).start()
    _renderer = StatementRenderer()


def _end_with(parent_id: int) -> None:
    while os.getppid() == parent_id:
        time.sleep(PARENT_CHECK_INTERVAL_S)
    os._exit(1)


def _render(statement: Statement) -> RenderedStatement | Refused:
    assert _renderer is not None, "the initializer ran"
    try:
        return _renderer.render(statement)
    except (StatementError, LanguageUnknownError) as error:
        return Refused(RefusalCode.STATEMENT_NOT_RENDERED, f"{statement.payee.id}: {error}")
