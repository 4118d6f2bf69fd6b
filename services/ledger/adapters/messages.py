"""What the ledger publishes, as messages: transactions, outcomes of commands and of sales, checkpoints.

Goal: an outcome that is told again is the same event: its id derives from what it tells about, never from chance or time.
Method: headers are put together here instead of by schemas.cloudevents, at a fifth of its time: the relay makes two messages
for each entitlement. A test compares the two.
Source: design, section 2.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Final
from uuid import UUID

import orjson

from schemas.cloudevents import CONTENT_TYPE, SPEC_VERSION, time_text
from schemas.identity import derived_id_text
from schemas.ledger_checkpoint import LEDGER_CHECKPOINT_TYPE
from schemas.ledger_transaction import LEDGER_OUTCOME_TYPE, LEDGER_TRANSACTION_TYPE
from schemas.message import Headers, Message
from schemas.sale_outcome import SALE_OUTCOME_TYPE, Outcome
from schemas.topics import LEDGER_CHECKPOINTS, LEDGER_TRANSACTIONS, SALE_OUTCOMES
from services.ledger.adapters.checkpoint import Checkpoint
from services.ledger.adapters.signed_note import Note

SOURCE: Final = "/ledger"
SERVICE: Final = "ledger"
TIMES_KEPT_MAX: Final = 64  # a whole batch was recorded at one moment, and the relay reads a few batches at once

_SPEC_VERSION_HEADER: Final = ("ce_specversion", SPEC_VERSION.encode())
_SOURCE_HEADER: Final = ("ce_source", SOURCE.encode())
_CONTENT_TYPE_HEADER: Final = ("content-type", CONTENT_TYPE.encode())


def transaction_message(*, transaction_id: str, subject_id: str, recorded_at: datetime, leaf: bytes) -> Message:
    """A transaction: the value is its leaf, byte for byte."""
    headers = _headers(transaction_id, LEDGER_TRANSACTION_TYPE, recorded_at)
    return Message(LEDGER_TRANSACTIONS, subject_id.encode(), leaf, headers)


def command_outcome_id(command_id: UUID, command_hash: str) -> str:
    """The id of a command's outcome."""
    return derived_id_text("command-outcome", str(command_id), command_hash)


def command_outcome_message(
    *,
    command_id: UUID,
    command_hash: str,
    key: bytes | None,
    code: str,
    transaction_id: UUID | None,
    message: str | None,
    recorded_at: datetime,
) -> Message:
    """The outcome of a command. The hash is part of its id, because other content under a known id is answered too."""
    outcome_id = command_outcome_id(command_id, command_hash)
    value = {
        "command_id": str(command_id),
        "code": code,
        "transaction_id": None if transaction_id is None else str(transaction_id),
        "message": message,
    }
    headers = _headers(outcome_id, LEDGER_OUTCOME_TYPE, recorded_at)
    return Message(LEDGER_TRANSACTIONS, key, orjson.dumps(value, option=orjson.OPT_SORT_KEYS), headers)


def sale_outcome_message(
    *,
    sale_source: str,
    sale_id: str,
    sale_hash: str,
    origin: str,
    refiner_id: str,
    lot_id: str,
    revision: int,
    sequence: int | None,
    outcome: Outcome,
    detail: str,
    field: str | None,
    message: str | None,
    recorded_at: datetime,
) -> Message:
    """What became of one sale record; counts are unique by its origin, which the id derives from."""
    value = {
        "source": sale_source,
        "id": sale_id,
        "hash": sale_hash,
        "origin": origin,
        "refiner_id": refiner_id,
        "lot_id": lot_id,
        "revision": revision,
        "sequence": sequence,
        "outcome": outcome.value,
        "detail": detail,
        "field": field,
        "message": message,
    }
    headers = _headers(derived_id_text("sale-outcome", origin), SALE_OUTCOME_TYPE, recorded_at)
    key = f"{refiner_id}/{lot_id}".encode()
    return Message(SALE_OUTCOMES, key, orjson.dumps(value, option=orjson.OPT_SORT_KEYS), headers)


def checkpoint_message(checkpoint: Checkpoint, note: Note, now: datetime) -> Message:
    """A checkpoint with the signatures that it has now. Its id derives from all of them: each collection is told once."""
    content = note.to_text()
    value = {
        "origin": checkpoint.origin,
        "tree_size": checkpoint.size,
        "root_hash": b64encode(checkpoint.root).decode(),
        "checkpoint": content,
    }
    headers = _headers(derived_id_text("checkpoint", sha256(content.encode()).hexdigest()), LEDGER_CHECKPOINT_TYPE, now)
    return Message(LEDGER_CHECKPOINTS, checkpoint.origin.encode(), orjson.dumps(value, option=orjson.OPT_SORT_KEYS), headers)


def _headers(id_: str, type_: str, recorded_at: datetime) -> Headers:
    return (
        _SPEC_VERSION_HEADER,
        ("ce_id", id_.encode()),
        _SOURCE_HEADER,
        ("ce_type", type_.encode()),
        _time_header(recorded_at),
        _CONTENT_TYPE_HEADER,
    )


@lru_cache(TIMES_KEPT_MAX)
def _time_header(recorded_at: datetime) -> tuple[str, bytes]:
    return "ce_time", time_text(recorded_at).encode()
