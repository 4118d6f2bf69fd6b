"""Logging of a service: one line an event on stderr, as text or as JSON (PREMIA_LOG=json).

What a library repeats is said once in a while, with the number left out: while a broker is away, its client complains a
hundred times a second (measured), and a rotating log would lose what came before.
The root logger stays at WARNING: Kafka's client builds a record for every poll otherwise (measured: 6 % of a worker's time).
"""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from typing import Final

import orjson

REPEAT_S: Final = 10.0  # an operator who reads along sees that it goes on.
OURS: Final = ("services.", "premia.")
KINDS_MAX: Final = 1_000  # of messages remembered; libraries have a few hundred.


class _SaidOnce(logging.Filter):
    """Lets a library's message through once in REPEAT_S; our own always."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, int, object], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith(OURS):
            return True
        kind = (record.name, record.levelno, record.msg)
        said_at, left_out = self._said.get(kind, (-REPEAT_S, 0))
        if record.created - said_at < REPEAT_S:
            self._said[kind] = (said_at, left_out + 1)
            return False
        if len(self._said) >= KINDS_MAX:
            self._said.clear()
        self._said[kind] = (record.created, 0)
        if left_out:
            record.msg = f"{record.msg} ({left_out} more like it left out)"
        return True


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


def configure_logging() -> None:
    """Install the one handler. Libraries speak from WARNING, our own code from INFO."""
    handler = logging.StreamHandler()
    handler.addFilter(_SaidOnce())
    if os.environ.get("PREMIA_LOG") == "json":
        handler.setFormatter(_JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in OURS:
        logging.getLogger(name.rstrip(".")).setLevel(logging.INFO)
