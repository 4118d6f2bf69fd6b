"""Dead letters: what is unusable from outside, with the reason and the original bytes.

Goal: nothing is dropped. A dead letter is the original key, value and headers, and in further headers a stable code, the
failing field, a message that says what to do, when and by whom it was refused, and the origin (topic/partition/offset).
Redrives keep the origin, so that all counts are unique by it, and carry a history of how it failed before; an event that
fails again comes back with it.
Refuses: a history that is none of ours, by leaving it out: anybody may write headers.
Source: design, section 3.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

import orjson

from schemas.message import Headers, Message
from schemas.topics import dead_letter_source, dead_letters

PREFIX: Final = "premia_dlq_"
CODE: Final = PREFIX + "code"
FIELD: Final = PREFIX + "field"
MESSAGE: Final = PREFIX + "message"
ORIGIN: Final = PREFIX + "origin"
AT: Final = PREFIX + "at"
HISTORY: Final = PREFIX + "history"

ORIGIN_PATTERN: Final = r"^[a-z0-9._]{1,200}/[0-9]{1,9}/[0-9]{1,19}$"
ATTEMPTS_MAX: Final = 100  # 8 KB of the 64 KiB that a dead letter may be larger; nobody hopes for the 101st time.


@dataclass(frozen=True, slots=True)
class Attempt:
    """How and when a redriven event failed before."""

    code: str
    at: datetime


class Origin(NamedTuple):
    """Where a record was first read: topic, partition, offset. Unique for ever, also for a redriven copy."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Origin:
        """The inverse of str(). Raises ValueError for anything else."""
        topic, partition, offset = text.rsplit("/", 2)
        return cls(topic, int(partition), int(offset))


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Why a record was refused. `field` is a dotted path into the value, or the name of a header, or None."""

    code: str
    field: str | None
    message: str
    origin: Origin
    at: datetime
    history: tuple[Attempt, ...] = ()  # earlier failures, oldest first

    def to_message(
        self, *, service: str, key: bytes | None, value: bytes | None, headers: Headers, read_from: str | None = None
    ) -> Message:
        """The message for the dead-letter topic: original bytes untouched, the reason in headers, the history passed on.

        `read_from` is the topic that the bytes are from, where it is not the origin's: an entitlement's origin is its sale.
        """
        kept = tuple((name, content) for name, content in headers if not name.startswith(PREFIX))
        reason = (
            (CODE, self.code.encode()),
            (FIELD, (self.field or "").encode()),
            (MESSAGE, self.message.encode()),
            (ORIGIN, str(self.origin).encode()),
            (AT, self.at.isoformat().encode()),
        )
        history = _history_header(history_of(headers))
        return Message(dead_letters(read_from or self.origin.topic, service), key, value or b"", kept + reason + history)

    def to_redriven(self, *, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> Message:
        """The message that a dead letter of `topic` becomes again: as it was first, with its origin and what failed so far."""
        kept = tuple((name, content) for name, content in headers if not name.startswith(PREFIX))
        history = _history_header((*self.history, Attempt(self.code, self.at)))
        origin = ((ORIGIN, str(self.origin).encode()),)
        return Message(dead_letter_source(topic), key, value or b"", kept + origin + history)

    @classmethod
    def from_headers(cls, headers: Headers) -> DeadLetter:
        """Read the reason back. Raises KeyError or ValueError if this is no dead letter."""
        found = {name: (content or b"").decode() for name, content in headers if name.startswith(PREFIX)}
        return cls(
            code=found[CODE],
            field=found[FIELD] or None,
            message=found[MESSAGE],
            origin=Origin.parse(found[ORIGIN]),
            at=_aware(found[AT]),
            history=history_of(headers),
        )


def is_redriven(headers: Headers) -> bool:
    """Tell whether a record, or a dead letter of it, was redriven."""
    return bool(history_of(headers))


def history_of(headers: Headers) -> tuple[Attempt, ...]:
    """How a record failed before it was redriven; empty where it was not."""
    content = next((content for name, content in headers if name == HISTORY), None)
    if not content:
        return ()
    try:
        attempts = tuple(Attempt(str(sent["code"]), _aware(sent["at"])) for sent in orjson.loads(content))
    except (ValueError, TypeError, KeyError):
        return ()
    return attempts if len(attempts) <= ATTEMPTS_MAX else ()


def _aware(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} names no zone")
    return moment


def _history_header(history: tuple[Attempt, ...]) -> Headers:
    if not history:
        return ()
    return ((HISTORY, orjson.dumps([{"code": attempt.code, "at": attempt.at.isoformat()} for attempt in history])),)
