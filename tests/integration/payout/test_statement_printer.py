"""The processes that render statements: they come back after a crash, and never outlive their service."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from services.payout.adapters.statement_printer import StatementPrinter
from services.payout.errors import RefusalCode, Refused
from services.payout.statement.render_pdf import RenderedStatement
from tests.unit.payout.statement.example import statement

DEADLINE_S = 20.0
RENDER_FOR_EVER = """
import asyncio
from services.payout.adapters.statement_printer import StatementPrinter
from tests.unit.payout.statement.example import statement

async def main():
    printer = StatementPrinter()
    await printer.render([statement()])
    print("ready", flush=True)
    await asyncio.sleep(600)

if __name__ == "__main__":
    asyncio.run(main())
"""


async def test_after_a_worker_was_killed_the_next_request_is_rendered() -> None:
    printer = StatementPrinter()
    others = set(psutil.Process().children())
    try:
        (rendered,) = await printer.render([statement()])
        assert isinstance(rendered, RenderedStatement)
        for worker in set(psutil.Process().children()) - others:
            if "multiprocessing.spawn" in " ".join(worker.cmdline()):
                worker.kill()
                worker.wait(DEADLINE_S)
        (refused,) = await printer.render([statement()])
        assert isinstance(refused, Refused)
        assert refused.code is RefusalCode.STATEMENT_NOT_RENDERED
        (again,) = await printer.render([statement()])
        assert isinstance(again, RenderedStatement)
        assert again.pdf_sha256 == rendered.pdf_sha256
    finally:
        printer.close()


def test_no_worker_outlives_a_service_that_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "render.py"
    script.write_text(RENDER_FOR_EVER)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, env=environment)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"ready\n"
    workers = psutil.Process(parent.pid).children(recursive=True)
    assert workers
    parent.send_signal(signal.SIGKILL)
    parent.wait(DEADLINE_S)
    parent.stdout.close()
    deadline = time.monotonic() + DEADLINE_S
    while any(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers):
        assert time.monotonic() < deadline, "a worker is still there"
        time.sleep(0.05)
