"""Dead letters: what is unusable from outside, with the reason and the original bytes.

Goal: nothing is dropped. A dead letter is the original key, value and headers, and in further headers a stable code, the
failing field, a message that says what to do, when and by whom it was refused, and the origin (topic/partition/offset).
Redrives keep the origin, so that all counts are unique by it.
Source: design, section 3.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from schemas.message import Headers, Message
from schemas.topics import dead_letters

PREFIX: Final = "premia_dlq_"
CODE: Final = PREFIX + "code"
FIELD: Final = PREFIX + "field"
MESSAGE: Final = PREFIX + "message"
ORIGIN: Final = PREFIX + "origin"
AT: Final = PREFIX + "at"


@dataclass(frozen=True, slots=True)
class Origin:
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

    def to_message(
        self, *, service: str, key: bytes | None, value: bytes | None, headers: Headers, read_from: str | None = None
    ) -> Message:
        """The message for the dead-letter topic: original bytes untouched, the reason in headers.

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
        return Message(dead_letters(read_from or self.origin.topic, service), key, value or b"", kept + reason)

    @classmethod
    def from_headers(cls, headers: Headers) -> DeadLetter:
        """Read the reason back. Raises KeyError or ValueError if this is no dead letter."""
        found = {name: content.decode() for name, content in headers if name.startswith(PREFIX)}
        return cls(
            code=found[CODE],
            field=found[FIELD] or None,
            message=found[MESSAGE],
            origin=Origin.parse(found[ORIGIN]),
            at=datetime.fromisoformat(found[AT]),
        )
