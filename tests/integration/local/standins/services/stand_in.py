"""A service as the local stack sees it: listens where it is told, is ready, ends on SIGTERM, dies when it is asked to."""

from __future__ import annotations

import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

WAITS = Path(os.environ["PREMIA_DOCUMENTS_DIR"]) / "waits"  # a test writes into it what the services wait for


class Health(BaseHTTPRequestHandler):
    """Ready, and mortal: POST /die?42 ends the process with that exit code."""

    def do_GET(self) -> None:
        trouble = WAITS.read_text(encoding="utf-8") if WAITS.exists() and self.path == "/healthz/ready" else None
        self.send_response(503 if trouble else 200)
        self.end_headers()
        self.wfile.write(json.dumps({"ok": trouble is None, "trouble": trouble}).encode())

    def do_POST(self) -> None:
        code = int(self.path.partition("?")[2])
        print(f"RuntimeError: asked to die with {code}", flush=True)
        os._exit(code)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name that the base class has
        """Quiet."""


def serve(address_variable: str) -> None:
    """Serve until SIGTERM. A file named as the variable, in the documents folder, keeps it from starting."""
    if (Path(os.environ["PREMIA_DOCUMENTS_DIR"]) / address_variable).exists():
        raise SystemExit(f"{address_variable}: told not to start")
    host, _, port = os.environ[address_variable].rpartition(":")
    server = ThreadingHTTPServer((host, int(port)), Health)
    signal.signal(signal.SIGTERM, lambda _number, _frame: threading.Thread(target=server.shutdown).start())
    print(f"{address_variable} serves", flush=True)
    server.serve_forever(poll_interval=0.05)
