"""The witness's process: one log, one state file, HTTP.

Goal: a signature leaves only after what it stands for was made durable; requests are judged one after another.
Method: `POST /add-checkpoint` under a lock: judge, remember, sign, answer. What cannot be remembered is answered with 500, and
nothing was signed. Evidence is kept, counted and logged before the answer.
Source: c2sp.org/tlog-witness.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from aiohttp import web

from premia.witness.add_checkpoint import REQUEST_BYTES_MAX, Judgement, Suspicion, judge, read_request
from premia.witness.memory import Memory
from premia.witness.metrics import ALARMS_TOTAL, REQUESTS_TOTAL, SIGNED_AT, TREE_SIZE
from schemas.note_signing import NoteKey
from services.runtime.http import serve
from services.runtime.settings import ListenAddress
from verifier.checkpoint import Checkpoint
from verifier.note import VerifierKey, read_note

SIZE_TYPE: Final = "text/x.tlog.size"
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Witness:
    """One witness of one log. `log_keys` all have the log's name."""

    key: NoteKey
    log_keys: Sequence[VerifierKey]
    memory: Memory
    # Of threads, not of tasks: a task may be cancelled while its thread goes on, and none must be judged by an old state.
    lock: threading.Lock = field(default_factory=threading.Lock)

    async def add_checkpoint(self, request: web.Request) -> web.Response:
        """POST /add-checkpoint."""
        body = await request.read()
        try:
            answer = await asyncio.to_thread(self._answer, body)
        except OSError as error:
            log.error("nothing was signed, because it could not be remembered: %s", error)  # noqa: TRY400  the cause is the disk
            answer = web.Response(
                status=HTTPStatus.INTERNAL_SERVER_ERROR, text="nothing was signed: it could not be remembered\n"
            )
        REQUESTS_TOTAL.labels(str(answer.status)).inc()
        return answer

    def _answer(self, body: bytes) -> web.Response:
        with self.lock:
            return self._judged(body)

    def _judged(self, body: bytes) -> web.Response:
        asked = read_request(body)
        judged = judge(asked, self.memory.latest, self.log_keys)
        if judged.suspicion is not None and asked is not None:
            self._raise_alarm(judged, judged.suspicion, asked.checkpoint, body)
        if judged.status is HTTPStatus.OK and judged.checkpoint is not None:
            return web.Response(text=self._sign(judged.checkpoint, asked.checkpoint if asked else b""))
        if judged.status is HTTPStatus.CONFLICT:
            size = 0 if self.memory.latest is None else self.memory.latest.tree_size
            return web.Response(status=judged.status, body=f"{size}\n".encode(), content_type=SIZE_TYPE)
        return web.Response(status=judged.status, text=f"{judged.why}\n")

    def _sign(self, checkpoint: Checkpoint, submitted: bytes) -> str:
        now = int(time.time())
        line = self.key.cosign(checkpoint.text, now)
        self.memory.remember(checkpoint, f"{checkpoint.text}\n{self._logs_signatures(submitted)}{line}")
        TREE_SIZE.set(checkpoint.tree_size)
        SIGNED_AT.set(now)
        return line

    def _logs_signatures(self, submitted: bytes) -> str:
        """Each signature by the log's keys, once. Anybody could have added others, until no reader takes the note any more."""
        known = {(key.name, key.key_hash) for key in self.log_keys}
        lines: dict[tuple[str, bytes], str] = {}
        for signature in read_note(submitted, "the checkpoint").signatures:
            if (signature.name, signature.key_hash) in known:
                lines.setdefault((signature.name, signature.key_hash), signature.line)
        return "".join(lines.values())

    def _raise_alarm(self, judged: Judgement, suspicion: Suspicion, submitted: bytes, request: bytes) -> None:
        try:
            kept = self.memory.keep_evidence(suspicion, submitted, request)
            if kept is None:
                return
            where = f"evidence is in {kept}"
        except OSError as error:
            where = f"no evidence could be kept: {error}"
        ALARMS_TOTAL.labels(suspicion.value).inc()
        size = 0 if judged.checkpoint is None else judged.checkpoint.tree_size
        known = 0 if self.memory.latest is None else self.memory.latest.tree_size
        log.error("ALARM %s: the log signed a tree of %d leaves against one of %d; %s", suspicion, size, known, where)


async def run_witness(witness: Witness, address: ListenAddress, stop: asyncio.Event) -> None:
    """Answer until `stop` is set."""
    for kind in Suspicion:
        ALARMS_TOTAL.labels(kind.value)  # a series that is not there cannot be watched
    latest = witness.memory.latest
    TREE_SIZE.set(0 if latest is None else latest.tree_size)
    runner = await serve(
        address,
        live=lambda: None,
        ready=lambda: None,
        public_routes=[web.post("/add-checkpoint", witness.add_checkpoint)],
        body_bytes_max=REQUEST_BYTES_MAX,
    )
    try:
        (host, port, *_), *_ = runner.addresses
        begins = "nothing yet, and signs what it sees first" if latest is None else f"{latest.tree_size} leaves"
        log.info("witness %s of %s at http://%s:%d knows %s", witness.key.name, witness.log_keys[0].name, host, port, begins)
        await stop.wait()
    finally:
        await runner.cleanup()
