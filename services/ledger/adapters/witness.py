"""Asking a witness for its cosignature.

Goal: a witness is shown that the checkpoint extends the one it signed before, whatever it knows and however long it was away.
Method: C2SP tlog-witness: add-checkpoint with a consistency proof out of the tiles. A witness that knows another size says so
(409), and is asked again from there. Only a cosignature that its key verifies is taken.
Refuses: nothing: what a witness does not sign is a state of the witness, never of the log.
Source: C2SP tlog-witness and tlog-cosignature.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from schemas.note_signing import NoteKind
from services.ledger.adapters.checkpoint import Checkpoint
from services.ledger.adapters.signed_note import Note, NoteError, Signature, VerifierKey, read_signatures, read_verifier_key
from services.runtime.settings import SettingError

SETTING: Final = "PREMIA_LEDGER_WITNESSES"
WITNESSES_MAX: Final = 16  # signed-note promises readers no more than 16 signatures in a note.
TIMEOUT_S: Final = 10.0  # a witness makes one file durable before it answers; across the world a second.
ANSWER_BYTES_MAX: Final = 16 * 1024  # a few signature lines of 150 bytes each
SHOWN_CHARS_MAX: Final = 200  # a sentence or two
SIZE_BYTES_MAX: Final = 20  # a size of 63 bits and a newline
ASKED_MAX: Final = 2  # once with the size that we know of, once with the one that it told us

Prove = Callable[[int, int], Awaitable[Sequence[bytes]]]


class WitnessState(StrEnum):
    """How a witness is doing, as of the last time it was asked."""

    UNKNOWN = "unknown"  # not asked yet
    COSIGNING = "cosigning"
    SILENT = "silent"  # not reached, or in trouble of its own
    REFUSING = "refusing"  # it does not know the log or its key, or finds no consistency, or signs wrongly
    AHEAD = "ahead"  # it signed a larger log than we have: we were taken back, or it is wrong


@dataclass(frozen=True, slots=True)
class NotCosigned:
    """No cosignature this time, and why."""

    state: WitnessState
    why: str


@dataclass(slots=True)
class Witness:
    """One witness. `known_size` is the size that it signed last, as far as we know."""

    key: VerifierKey
    url: str
    known_size: int = 0

    async def cosign(
        self, session: aiohttp.ClientSession, checkpoint: Checkpoint, note: Note, prove: Prove
    ) -> Signature | NotCosigned:
        """Ask for a cosignature. `prove(old, new)` gives a consistency proof."""
        for _ in range(ASKED_MAX):
            if self.known_size > checkpoint.size:
                ahead_size, self.known_size = self.known_size, 0  # the next time it is asked anew: it may have been mended
                return NotCosigned(WitnessState.AHEAD, f"it signed {ahead_size} leaves, and this log has {checkpoint.size}")
            proof = await prove(self.known_size, checkpoint.size)
            lines = "".join(f"{b64encode(hash_).decode()}\n" for hash_ in proof)
            body = f"old {self.known_size}\n{lines}\n{note.to_text()}".encode()
            try:
                status, answer = await _post(session, f"{self.url}/add-checkpoint", body)
            except (aiohttp.ClientError, TimeoutError) as error:
                return NotCosigned(WitnessState.SILENT, str(error) or type(error).__name__)
            if status != HTTPStatus.CONFLICT:
                return self._judged(status, answer, checkpoint)
            if len(answer) > SIZE_BYTES_MAX or not answer.strip().isdigit():
                return NotCosigned(WitnessState.REFUSING, "it answered 409 without the size that it signed last")
            self.known_size = int(answer)
        return NotCosigned(WitnessState.SILENT, "its size moved while it was asked")

    def _judged(self, status: int, answer: bytes, checkpoint: Checkpoint) -> Signature | NotCosigned:
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return NotCosigned(WitnessState.SILENT, f"it answered {status}")
        if status != HTTPStatus.OK:
            return NotCosigned(WitnessState.REFUSING, f"it answered {status}: {_shown(answer)}")
        try:
            signatures = read_signatures(answer.decode(errors="replace"))
        except NoteError as error:
            return NotCosigned(WitnessState.REFUSING, f"its answer is no signature: {error}")
        for signature in signatures:
            if self.key.verifies(checkpoint.text, signature):
                self.known_size = checkpoint.size
                return signature
        return NotCosigned(WitnessState.REFUSING, "none of its signatures is of its key and of this checkpoint")


def witnesses() -> tuple[Witness, ...]:
    """The witnesses of the environment: lines of a verifier key and an address. None, if it is not set. Raises SettingError."""
    lines = [line.split() for line in os.environ.get(SETTING, "").splitlines() if line.strip()]
    if len(lines) > WITNESSES_MAX:
        raise SettingError(f"{SETTING}: at most {WITNESSES_MAX} witnesses")
    found = tuple(_witness(words) for words in lines)
    if len({(witness.key.name, witness.key.hash) for witness in found}) < len(found):
        raise SettingError(f"{SETTING}: a witness is there twice")
    return found


def _witness(words: list[str]) -> Witness:
    if len(words) != 2 or urlsplit(words[1]).scheme not in {"http", "https"}:
        raise SettingError(f"{SETTING}: each line is a witness's verifier key and its address, https://…")
    try:
        key = read_verifier_key(words[0])
    except NoteError as error:
        raise SettingError(f"{SETTING}: {words[0]} {error}") from error
    if key.kind is not NoteKind.WITNESS:
        raise SettingError(f"{SETTING}: {words[0]} is a log's key; a witness's is made by `premia keys witness`")
    return Witness(key, words[1].rstrip("/"))


async def _post(session: aiohttp.ClientSession, url: str, body: bytes) -> tuple[int, bytes]:
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with session.post(url, data=body, timeout=timeout, allow_redirects=False) as answer:
        content = b""
        # A read gives what has arrived, which may be less than all.
        while len(content) < ANSWER_BYTES_MAX and (part := await answer.content.read(ANSWER_BYTES_MAX - len(content))):
            content += part
        return answer.status, content


def _shown(answer: bytes) -> str:
    """What somebody else's machine said, as our log may show it."""
    text = answer.decode(errors="replace").strip()[:SHOWN_CHARS_MAX]
    return "".join(sign if sign.isprintable() else "?" for sign in text)
